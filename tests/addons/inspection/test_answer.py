"""An answer in words, from event streams that the stand-in has sent and from what can become of them."""

import json
import os
import secrets
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from addons.inspection import answer as transcript
from addons.inspection import body as wire
from addons.inspection.render import finished
from standin import Fault, FaultKind, StandIn
from tests.builders import NOW

PATH = "/backend-api/codex/responses"
EVERY = 1 if "COLD" in os.environ else 5
"""Bytes between the places where a stream is cut."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=10), each, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[StandIn]:
    with StandIn() as running:
        running.seal_reasoning = True
        yield running


def recorded(upstream: StandIn, *faults: Fault) -> bytes:
    """The event stream of one turn as it came over the wire."""
    upstream.clear()
    account = upstream.add_account(f"acc-{secrets.token_hex(4)}")
    account.answer = "First line: yes.\n\n  - and more"
    for fault in faults:
        upstream.fault(account.account_id, fault, 1)
    trust = ssl.create_default_context(cafile=str(upstream.ca_file))
    headers = {"authorization": f"Bearer {account.access_token}", "chatgpt-account-id": account.account_id}
    ask = {"model": "gpt-5", "input": [{"type": "message", "role": "user", "content": "hi"}]}
    data = bytearray()
    with (
        httpx.Client(verify=trust, trust_env=False, base_url=f"https://localhost:{upstream.port}") as client,
        client.stream("POST", PATH, headers=headers, json=ask) as answer,
    ):
        assert answer.status_code == 200
        try:
            for chunk in answer.iter_bytes():
                data += chunk
        except httpx.RemoteProtocolError:
            assert faults
    return bytes(data)


@pytest.fixture(scope="module")
def stream(upstream: StandIn) -> bytes:
    return recorded(upstream)


def shown(data: bytes, **more: Any) -> str:
    return finished(transcript.shown(transcript.read(wire.events(data), NOW), **more))


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {each.get('type')}\ndata: {json.dumps(each)}\n\n".encode() for each in events)


def blobs(data: bytes) -> list[str]:
    items = [each.payload.get("item") for each in wire.events(data)]
    return [item["encrypted_content"] for item in items if isinstance(item, dict) and "encrypted_content" in item]


# --- as the stand-in sends them --------------------------------------------------------------------------------------


def test_a_turn_is_yaml_that_says_what_came_of_it(stream: bytes) -> None:
    read = YAML(typ="safe", pure=True).load(shown(stream, owner=lambda _: "work"))
    reasoning, assistant = read.pop("output")
    assert read.pop("response").startswith("resp_")
    assert "10 out (4 reasoning)" in read.pop("tokens")
    assert read == {"model": "gpt-5", "ended": "completed", "events": read["events"]}
    assert reasoning["reasoning"].startswith("sealed by work, ")
    assert assistant == {"assistant": "First line: yes.\n\n  - and more\n"}


def test_tokens_are_told_with_what_was_cached_and_what_was_reasoning(stream: bytes) -> None:
    answer = transcript.read(wire.events(stream), NOW)
    assert answer.tokens is not None
    assert answer.tokens.reasoning == 4
    assert answer.tokens.total == (answer.tokens.given or 0) + (answer.tokens.made or 0)
    tokens = transcript.Tokens(given=12_000, cached=11_000, made=7, reasoning=4, total=12_007)
    assert str(tokens) == "12,000 in (11,000 cached), 7 out (4 reasoning), 12,007 in all"


def test_a_stream_that_breaks_off_says_so_and_shows_what_was_there(upstream: StandIn) -> None:
    text = shown(recorded(upstream, Fault(FaultKind.TRUNCATED, after_output=True)))
    assert "ended: cut off, no event says that the answer is complete\n" in text
    assert '  - assistant, unfinished: "First "\n' in text


def test_a_stream_that_fails_says_why(upstream: StandIn) -> None:
    text = shown(recorded(upstream, Fault(FaultKind.FAILED_EVENT)))
    assert 'ended: "failed: ' in text


def test_an_error_event_says_why(upstream: StandIn) -> None:
    text = shown(recorded(upstream, Fault(FaultKind.ERROR_EVENT)))
    assert 'ended: "error: ' in text


def test_sealed_contents_are_not_shown(stream: bytes) -> None:
    sealed = [blob[:24] for blob in blobs(stream)]
    assert sealed
    for end in range(0, len(stream), EVERY):
        text = shown(stream[:end])
        assert not [blob for blob in sealed if blob in text]


def test_cut_at_any_byte_a_stream_shows_what_was_there(stream: bytes) -> None:
    lengths = []
    for end in (*range(0, len(stream), EVERY), len(stream)):
        answer = transcript.read(wire.events(stream[:end]), NOW)
        said = "".join(piece.text for piece in (slot.piece(lambda _: "") for slot in answer.slots.values()))
        lengths.append(len(said))
    assert lengths == sorted(lengths)
    assert lengths[-1] == len("First line: yes.\n\n  - and more")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\r"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: b": hello\n\n" + data.replace(b"\n\n", b"\n: beat\n\n\n\n"),
        lambda data: b"".join(line + b"\n" for line in data.split(b"\n") if not line.startswith(b"event:")),
        lambda data: data.replace(b"data: ", b"data:"),
        lambda data: data.rstrip(b"\n"),
    ],
)
def test_the_same_stream_written_otherwise_is_the_same_transcript(stream: bytes, change: Any) -> None:
    assert shown(change(stream)) == shown(stream)


# --- what the official backend sends beyond the stand-in -------------------------------------------------------------


def test_texts_that_come_in_pieces_are_put_together() -> None:
    text = shown(
        sse(
            {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5"}},
            {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs"}},
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "**Pl"},
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "an**"},
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "Go"},
            {
                "type": "response.output_item.added",
                "output_index": 1,
                "item": {"type": "function_call", "name": "ls", "call_id": "c", "arguments": ""},
            },
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"cmd":'},
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '"x"}'},
            {"type": "response.custom_tool_call_input.delta", "output_index": 2, "delta": "*** Begin"},
        )
    )
    assert "  - reasoning, unfinished: |\n      **Plan**\n \n      Go\n" in text
    assert '  - call ls (c), unfinished: {"cmd": "x"}\n' in text
    assert "*** Begin" in text


def test_limits_are_told_with_their_length_and_reset() -> None:
    limits = {
        "primary": {"used_percent": 42.5, "window_minutes": 300, "reset_at": NOW + 60},
        "secondary": {"used_percent": 5, "window_minutes": 10080},
    }
    text = shown(
        sse(
            {
                "type": "codex.rate_limits",
                "plan_type": "plus",
                "rate_limits": limits,
                "credits": {"has_credits": True, "balance": "12.5"},
            }
        )
    )
    assert "  - codex, 5h: 42.5 % used, resets 2027-01-15 08:01 UTC\n" in text
    assert "  - codex, 7d: 5 % used\n" in text
    assert "plan: plus\n" in text
    assert "  - credit: 12.5\n" in text


def test_an_incomplete_answer_says_why() -> None:
    response = {"incomplete_details": {"reason": "max_output_tokens"}}
    assert 'ended: "incomplete: max_output_tokens"' in shown(sse({"type": "response.incomplete", "response": response}))


@pytest.mark.parametrize(
    ("payload", "line", "ours"),
    [
        (
            {"error": {"type": "usage_limit_reached", "message": "Limit", "plan_type": "plus", "resets_at": NOW}},
            "usage_limit_reached: Limit (plan plus, resets 2027-01-15 08:00 UTC)",
            False,
        ),
        ({"status": 400, "error": {"code": "a", "type": "b", "message": "two\nlines"}}, "400 a b: two lines", False),
        ({"response": {"error": {"code": "server_error", "message": "x"}}}, "server_error: x", False),
        ({"detail": "Not here"}, "Not here", False),
        (
            {"error": {"type": "codex_rotate_defect", "code": "codex_rotate_defect", "message": "m"}},
            "codex_rotate_defect: m",
            True,
        ),
        (
            {"error": {"code": "websocket_connection_limit_reached", "message": "codex-rotate: please reconnect"}},
            "websocket_connection_limit_reached: codex-rotate: please reconnect",
            True,
        ),
        ({"error": {"code": 5, "message": []}, "status": True}, "no reason given", False),
        ({}, "no reason given", False),
        ([], "no reason given", False),
    ],
)
def test_an_error_is_one_line_and_says_whose_it_is(payload: object, line: str, ours: bool) -> None:
    assert transcript.trouble(payload) == (line, ours)


def test_an_answer_with_items_only_at_its_end_shows_them() -> None:
    done = {
        "type": "response.completed",
        "response": {"output": [{"type": "message", "role": "assistant", "content": "Hi"}, 5]},
    }
    assert "  - assistant: Hi\n" in shown(sse(done))


def test_an_event_nobody_knows_is_shown_with_what_it_says() -> None:
    assert 'response.new_thing: {"x": 1}\n' in shown(sse({"type": "response.new_thing", "x": 1, "sequence_number": 9}))


def test_what_cannot_be_read_is_shown_as_it_is_and_counted() -> None:
    text = shown(b"data: {broken\n\n" + sse({"type": "response.completed", "response": {}}))
    assert "events: 2, 1 of them unreadable or cut off\n" in text
    assert '"{broken"' in text or "{broken" in text


# --- whatever they hold ----------------------------------------------------------------------------------------------

KINDS = [
    *(f"response.{name}" for name in ("created", "completed", "failed", "incomplete", "unheard_of.delta")),
    *("response.output_item.added", "response.output_item.done", "response.function_call_arguments.done"),
    *("response.output_text.delta", "response.output_text.done", "response.reasoning_summary_text.delta"),
    *("error", "codex.rate_limits", "odd: kind"),
]
FIELDS = [
    "response",
    "item",
    "output_index",
    "item_id",
    "delta",
    "text",
    "summary_index",
    "error",
    "status",
    "rate_limits",
    "credits",
]
INNER = st.dictionaries(
    st.sampled_from(
        [
            "id",
            "model",
            "usage",
            "output",
            "error",
            "type",
            "role",
            "content",
            "summary",
            "arguments",
            "incomplete_details",
            "primary",
        ]
    ),
    JSON | st.sampled_from(["message", "reasoning", "function_call"]),
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), JSON | INNER)), max_size=6))
def test_no_field_is_taken_for_what_it_is_not(events: list[tuple[str, dict[str, Any]]]) -> None:
    assert shown(sse(*({**fields, "type": kind} for kind, fields in events)))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_transcript(data: bytes) -> None:
    assert shown(data)
    assert shown(b"data: " + data)


@settings(deadline=None)
@given(at=st.floats(0, 1), junk=st.binary(max_size=20))
def test_junk_in_the_middle_costs_no_more_than_one_event(at: float, junk: bytes, stream: bytes) -> None:
    place = int(at * len(stream))
    answer = transcript.read(wire.events(stream[:place] + junk + stream[place:]), NOW)
    assert finished(transcript.shown(answer))


def test_five_megabytes_of_pieces_are_bounded() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "word " * 10}
    data = sse(*[delta] * 40_000)
    assert len(data) > 5_000_000
    text = shown(data)
    assert "more characters" in text
    assert len(text) < 60_000


def test_events_without_end_are_left_in_time() -> None:
    answer = transcript.read(wire.events(b"data: 1\n\n" * (transcript.MOST_EVENTS + 5)), NOW)
    assert "events: 100,000 or more" in finished(transcript.shown(answer))


def test_deep_nesting_ends_somewhere() -> None:
    assert shown(b'data: {"type":"response.completed","response":' + b'{"a":' * 200_000 + b"\n\n")
    assert shown(sse({"type": "error", "error": {"message": "x"}}) + b"data: " + b"[" * 100_000)
