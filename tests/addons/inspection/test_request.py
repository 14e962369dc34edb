"""A request in words: what is asked, and the conversation, folded."""

import json
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from addons.inspection import request as transcript_request
from addons.inspection.render import finished

BLOB = f"gAAAA{secrets.token_urlsafe(300)}"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(max_size=10), each, max_size=4),
    max_leaves=10,
)


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


ASSISTANT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}
REQUEST: dict[str, Any] = {
    "model": "gpt-5",
    "instructions": "You are Codex.\n" * 100,
    "tools": [{"type": "function", "name": "exec_command", "parameters": {}}, {"type": "web_search"}],
    "reasoning": {"effort": "high", "summary": "auto"},
    "prompt_cache_key": "thread-1",
    "previous_response_id": "resp_1",
    "store": False,
    "stream": True,
    "client_metadata": {"authorization": "whatever it is", "x-codex-window-id": "w:1"},
    "input": [
        user("first question\n" * 50),
        {"type": "reasoning", "summary": [], "encrypted_content": BLOB},
        {"type": "function_call", "name": "exec_command", "call_id": "c1", "arguments": '{"cmd": "ls"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "file\n" * 300},
        ASSISTANT,
        user("second question\n\nwith: more"),
    ],
}


def shown(request: dict[str, Any], **more: Any) -> str:
    return finished(transcript_request.shown(request, **more))


def test_a_request_is_yaml_that_says_what_it_asks_for() -> None:
    read = YAML(typ="safe", pure=True).load(shown(REQUEST, owner=lambda _: "work"))
    conversation = read.pop("input")
    assert read == {
        "asks for": "an answer",
        "model": "gpt-5",
        "thread": "thread-1",
        "goes on from": "resp_1",
        "reasoning": "effort high, summary auto",
        "instructions": read["instructions"],
        "tools": "2, exec_command, web_search",
        "store": False,
        "client_metadata": {"authorization": "[secret]", "x-codex-window-id": "w:1"},
    }
    assert read["instructions"].startswith("You are Codex. You are")
    assert read["instructions"].endswith("… (101 lines, 1,500 characters)")
    assert list(conversation) == [
        "0 user",
        "1 reasoning",
        "2 call exec_command (c1)",
        "3 output of exec_command",
        "4 assistant",
        "5 user",
    ]
    assert conversation["0 user"].endswith("… (51 lines, 750 characters)")
    assert conversation["1 reasoning"].startswith(f"sealed by work, {len(BLOB)} characters, mark ")
    assert conversation["3 output of exec_command"].endswith("… (301 lines, 1,500 characters)")
    assert conversation["5 user"] == "second question\n\nwith: more\n"
    assert BLOB[:20] not in shown(REQUEST)


def test_the_items_are_counted() -> None:
    assert "input: # 6 items: 3 message, 1 reasoning, 1 function_call, 1 function_call_output" in shown(REQUEST)


def test_what_a_tool_has_just_put_out_is_shown_by_its_first_lines() -> None:
    text = shown(REQUEST | {"input": REQUEST["input"][:4]})
    assert text.count("    file\n") == 8
    assert "… 292 more lines" in text


@pytest.mark.parametrize(
    ("changes", "purpose"),
    [
        ({"type": "response.create", "generate": False, "input": []}, "a warm-up, no output"),
        ({"input": [{"type": "compaction_trigger"}]}, "a compaction of the thread"),
        ({"input": "just text"}, "an answer"),
    ],
)
def test_a_request_says_what_it_is_for(changes: dict[str, Any], purpose: str) -> None:
    assert shown(changes).startswith(f"asks for: {purpose}\n")


def test_a_request_that_was_cut_off_says_so() -> None:
    assert "cut off" in shown({"model": "gpt-5"}, whole=False)
    assert "cut off" not in shown({"model": "gpt-5"})


def test_of_a_long_conversation_the_middle_is_left_out() -> None:
    lines = shown({"input": [user(f"say {n}") for n in range(1000)]}).splitlines()
    assert "  # 700 more items are not listed" in lines
    assert "  0 user: say 0" in lines
    assert "  59 user: say 59" in lines
    assert "  60 user: say 60" not in lines
    assert "  999 user: say 999" in lines
    assert len(lines) < 320


def test_five_megabytes_are_still_a_page() -> None:
    request = REQUEST | {
        "input": [user("x y\n" * 300_000), {"type": "function_call_output", "output": "z" * 4_000_000}]
    }
    assert len(shown(request)) < 10_000


@given(st.dictionaries(st.sampled_from([*REQUEST, "generate", "text", "odd: key\n"]), JSON))
def test_no_field_is_taken_for_what_it_is_not(request: dict[str, Any]) -> None:
    assert shown(json.loads(json.dumps(request)))


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["type", "role", "content", "output", "summary", "name", "arguments", "call_id"]),
            JSON | st.sampled_from(["message", "reasoning", "function_call", "function_call_output"]),
        )
    )
)
def test_no_item_is_taken_for_what_it_is_not(items: list[dict[str, Any]]) -> None:
    assert shown({"input": items})
