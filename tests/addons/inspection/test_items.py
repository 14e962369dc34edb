"""Items of a conversation in words."""

import json
import secrets
from typing import Any

from addons.inspection.items import name, piece
from tests.rows import all_rows

BLOB = secrets.token_urlsafe(300)
WORK = {"owner": lambda _: "work"}


def said(item: dict[str, Any], **more: Any) -> str:
    return "\n".join(piece(item, **more).full(indent=0))


@all_rows(
    ("item", "shown"),
    [
        ({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}, "user: hi"),
        ({"role": "developer", "content": "be kind"}, "developer: be kind"),
        ({"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, 'assistant: "refused: no"'),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "I think"}]}, "reasoning: I think"),
        ({"type": "reasoning", "summary": []}, "reasoning:"),
        ({"type": "function_call", "name": "ls", "call_id": "c1", "arguments": '{"a":1}'}, 'call ls (c1): {"a": 1}'),
        ({"type": "function_call", "name": "ls", "arguments": '{"a":'}, "call ls: '{\"a\":'"),
        ({"type": "custom_tool_call", "name": "patch", "input": "*** Begin\n+x"}, "call patch: |\n  *** Begin\n  +x"),
        (
            {"type": "local_shell_call", "action": {"command": ["ls"]}},
            'call local_shell: {"action": {"command": ["ls"]}}',
        ),
        ({"type": "web_search_call", "id": "ws_1", "status": "completed"}, "call web_search:"),
        ({"type": "function_call_output", "call_id": "c1", "output": "a\nb"}, "output of function (c1): |\n  a\n  b"),
        ({"type": "compaction_trigger"}, "compaction_trigger:"),
        ({"type": "item_reference", "id": "x", "more": 1}, 'item_reference: {"more": 1}'),
        ({}, "item:"),
    ],
)
def test_every_kind_of_item_has_its_words(item: dict[str, Any], shown: str) -> None:
    assert said(item) == shown


def test_an_output_names_the_tool_and_the_exit_code() -> None:
    output = json.dumps({"output": "FAILED\n", "metadata": {"exit_code": 1, "duration_seconds": 0.1}})
    item = {"type": "function_call_output", "call_id": "c1", "output": output}
    assert said(item, calls={"c1": "exec_command"}) == "output of exec_command, exit 1: FAILED"


@all_rows("kind", ["reasoning", "compaction", "compaction_summary", "context_compaction", "unheard_of"])
def test_a_sealed_item_shows_owner_and_length_and_never_the_content(kind: str) -> None:
    item = (
        {"type": kind, "encrypted_content": BLOB, "summary": []}
        if kind == "reasoning"
        else {"type": kind, "encrypted_content": BLOB}
    )
    shown = said(item, **WORK)
    assert f"{kind}: sealed by work, {len(BLOB)} characters, mark " in shown
    assert BLOB[:20] not in shown


def test_a_summary_beside_something_sealed_shows_both() -> None:
    item = {
        "type": "reasoning",
        "encrypted_content": BLOB,
        "summary": [{"type": "summary_text", "text": "first\nsecond"}],
    }
    shown = said(item, **WORK)
    assert shown.startswith("reasoning (sealed by work, 400 characters, mark ")
    assert shown.endswith("|\n  first\n  second")


def test_a_picture_is_told_by_its_size() -> None:
    content = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 5000},
    ]
    shown = said({"role": "user", "content": content})
    assert "look" in shown
    assert "image/png, 5,022 characters" in shown
    assert "AAAA" not in shown


def test_prose_is_wrapped_and_a_patch_is_not() -> None:
    words = "word " * 60
    assert said({"role": "assistant", "content": words}).count("\n") > 2
    assert said({"type": "custom_tool_call", "name": "patch", "input": words + "\n"}).count("\n") == 1


def test_folded_an_item_is_one_line() -> None:
    for item in (
        {"role": "user", "content": "a\nb\n" * 500},
        {"type": "function_call", "name": "x", "arguments": json.dumps({"cmd": "y" * 5000})},
        {"type": "reasoning", "encrypted_content": BLOB},
    ):
        lines = piece(item).folded()
        assert len(lines) == 1
        assert len(lines[0]) < 160


@all_rows("odd", [None, 5, [], {}, [[]], [None, 5], {"a": []}, "text", True, [{"type": 5, "text": []}]])
@all_rows("kind", ["message", "reasoning", "function_call", "custom_tool_call", "x_call", "x_output", "x", 5, None])
def test_no_field_is_taken_for_what_it_is_not(kind: object, odd: object) -> None:
    fields = ("role", "content", "summary", "arguments", "input", "output", "name", "call_id", "encrypted_content")
    item = {"type": kind, **dict.fromkeys(fields, odd)}
    shown = piece(item)
    assert shown.full(indent=2)
    assert len(shown.folded()) == 1


@all_rows(
    ("text", "shown"),
    [("a: b", "a b"), ("  x\n y", "x y"), ("", "unnamed"), ("\x00", "unnamed"), ("-x", "x"), ("n" * 200, "n" * 80)],
)
def test_a_name_from_the_wire_fits_in_a_title(text: str, shown: str) -> None:
    assert name(text) == shown
