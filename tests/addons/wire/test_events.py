"""Reading events just far enough, however the bytes are cut."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.outcomes import Kind, Reply, classify
from addons.wire.events import (
    ENDINGS,
    FAILURES,
    KINDS,
    PRELUDE,
    Events,
    Meaning,
    decoded,
    ends,
    event_type,
    is_redundant,
    meaning,
    meaning_of,
    reply_of,
    with_data,
)
from tests.builders import NOW
from tests.rows import all_rows


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}).encode()


def fed(*chunks: bytes) -> list[tuple[str, bytes]]:
    events = Events()
    return [found for chunk in chunks for found in events.feed(chunk)]


FAILING: list[dict[str, Any]] = [
    {"type": "response.error", "error": {"code": "rate_limit_exceeded"}},
    {"type": "Error", "error": {"code": "overloaded"}},
    {"type": "exception", "message": "x"},
    {"type": "session.error"},
    {"type": "rate_limit_error", "message": "x"},
    {"type": "usage_limit_reached"},
    {"code": "rate_limit_exceeded"},
    {"code": 1234, "message": "x"},
    {"status": 429},
    {"status_code": "503"},
    {"status": "failed", "message": "x"},
]


@all_rows("said", FAILING)
def test_what_is_about_a_failure_is_an_error_whatever_it_is_called(said: dict[str, Any]) -> None:
    for data in (json.dumps(said).encode(), json.dumps({"a": 1} | said).encode()):
        assert event_type(data) == "error"
        assert fed(b"data: " + data + b"\n\n")[0][0] == "error"


@all_rows(
    "said",
    [
        {"type": "response.mcp_call.failed"},
        {"type": "response.code.error_output"},
        {"type": "x_error_count"},
        {"status": 200},
        {"message": "x"},
        {"code": 1},
    ],
)
def test_and_nothing_else_is(said: dict[str, Any]) -> None:
    assert event_type(json.dumps(said).encode()) == said.get("type", "")


def test_a_name_that_tells_of_a_failure_is_enough() -> None:
    for name in (b"usage_limit_reached", b"Error", b"response.error"):
        assert fed(b"event: " + name + b'\ndata: {"x": "y"}\n\n')[0][0] == "error"


NOTHING: list[tuple[str, dict[str, Any]]] = [
    ("response.completed", {"status": "failed"}),
    ("response.completed", {"error": {"code": "server_error"}}),
    ("response.done", {"status": "cancelled"}),
    ("response.cancelled", {"status": "cancelled"}),
    ("response.incomplete", {"incomplete_details": {"reason": "usage_limit_reached"}}),
]


@all_rows(("kind", "response"), NOTHING)
def test_an_end_that_tells_of_a_failure_before_any_output_is_one(kind: str, response: dict[str, Any]) -> None:
    assert meaning_of(kind, event(kind, response=response)) is Meaning.FAILURE


@all_rows("reason", ["max_output_tokens", "content_filter", None])
def test_one_that_does_not_is_an_end(reason: str | None) -> None:
    said = {"status": "incomplete", "error": None, "incomplete_details": reason and {"reason": reason}}
    assert meaning_of("response.incomplete", event("response.incomplete", response=said)) is Meaning.ENDING
    assert meaning_of("response.completed", event("response.completed", response={"id": "x"})) is Meaning.ENDING


# --- splitting -------------------------------------------------------------------------------------------------------


@all_rows(
    ("stream", "found"),
    [
        (b'event: a\ndata: {"type":"a"}\n\n', [("a", b'{"type":"a"}')]),
        (b'event: a\r\ndata: {"type":"a"}\r\n\r\n', [("a", b'{"type":"a"}')]),
        (b'data: {"type":"a"}\n\n', [("a", b'{"type":"a"}')]),
        (b'data:{"type":"a"}\n\n', [("a", b'{"type":"a"}')]),
        (b'event:a\ndata:{}\n\ndata: {"type":"b"}\n\n', [("a", b"{}"), ("b", b'{"type":"b"}')]),
        (b'data: {"type":\ndata: "a"}\n\n', [("a", b'{"type":\n"a"}')]),
        (b"event: error\n\n", [("error", b"")]),
        (b": a comment\n\n", []),
        (b"id: 1\nretry: 5\n\n", []),
        (b"\n\n\n\n", []),
        (b"", []),
        (b'data: {"type":"a"}', []),
        (b'data: {"type":"a"}\n', []),
        (b"data: [DONE]\n\n", [("", b"[DONE]")]),
        (b"event: \xff\ndata: x\n\n", [("�", b"x")]),
        (b'\n\r\ndata: {"type":"a"}\n\r\n', [("a", b'{"type":"a"}')]),
        (b'event: a\rdata: {"type":"a"}\r\rdata: {"type":"b"}\r\r', [("a", b'{"type":"a"}'), ("b", b'{"type":"b"}')]),
        (b'event: message\ndata: {"type":"a"}\n\n', [("a", b'{"type":"a"}')]),
        (b'event: message\ndata: {"x":1, "type":"a"}\n\n', [("a", b'{"x":1, "type":"a"}')]),
        (b'event: response.created\ndata: {"type":"error"}\n\n', [("error", b'{"type":"error"}')]),
        (b'event: error\ndata: {"type":"server_error"}\n\n', [("error", b'{"type":"server_error"}')]),
        (b'data: {"error": {"code": "x"}}\n\n', [("error", b'{"error": {"code": "x"}}')]),
    ],
)
def test_what_a_stream_holds(stream: bytes, found: list[tuple[str, bytes]]) -> None:
    assert fed(stream) == found
    assert fed(*(stream[n : n + 1] for n in range(len(stream)))) == found


PIECES = st.sampled_from(
    [
        *(b"\n", b"\r\n", b"\r", b"\n\n", b"\r\n\r\n", b"event: ", b"data: ", b":", b" ", b"response.completed"),
        *(event("response.created"), event("error", status=429), b'{"type"', b"\xff", b"x"),
    ]
)
CUTS = st.lists(st.integers(0, 200), max_size=12)


@given(st.lists(PIECES, max_size=25).map(b"".join), CUTS)
@settings(max_examples=4 * settings.default.max_examples)
def test_the_events_are_the_same_however_the_bytes_are_cut(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert fed(*chunks) == fed(stream) == fed(*(stream[n : n + 1] for n in range(len(stream))))


@given(st.lists(PIECES, max_size=25).map(b"".join).filter(lambda stream: b"\r" not in stream))
@settings(max_examples=4 * settings.default.max_examples)
def test_the_events_are_the_same_however_their_lines_end(stream: bytes) -> None:
    """The usual ending has a shorter way."""
    assert fed(stream) == fed(stream.replace(b"\n", b"\r\n")) == fed(stream.replace(b"\n", b"\r"))


@given(st.lists(st.binary(max_size=30), max_size=10))
@settings(deadline=None)
def test_any_bytes_may_come(chunks: list[bytes]) -> None:
    assert all(isinstance(kind, str) for kind, _ in fed(*chunks))


def huge(kind: str) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + event(kind, response={"b64": "x" * 2 * Events.MOST}) + b"\n\n"


def in_chunks(stream: bytes, size: int = 65_536) -> list[bytes]:
    return [stream[n : n + size] for n in range(0, len(stream), size)]


def test_a_huge_event_takes_bounded_memory_and_the_next_one_is_read() -> None:
    events = Events()
    for chunk in in_chunks(huge("response.output_item.done") * 3):
        list(events.feed(chunk))
        assert len(events._rest) <= Events.MOST
    assert list(events.feed(b"data: " + event("response.completed") + b"\n\n"))[-1][0] == "response.completed"


def test_a_huge_event_is_treated_alike_however_it_is_cut() -> None:
    stream = huge("response.output_item.done")
    assert fed(stream) == fed(*in_chunks(stream))


def test_a_huge_ending_is_still_an_ending() -> None:
    """`response.completed` repeats the whole output, images included."""
    assert [kind for kind, _ in fed(*in_chunks(huge("response.completed")))] == ["response.completed"]


# --- types -----------------------------------------------------------------------------------------------------------


@all_rows(
    ("data", "kind"),
    [
        (b'{"type":"response.created","x":1}', "response.created"),
        (b' \n{ "type" : "error" }', "error"),
        (b'{"x": {"type": "inner"}, "type": "outer"}', "outer"),
        (b'{"x": "\\"type\\":\\"a\\"", "type": "b"}', "b"),
        (b'{"type":"with space"}', "with space"),
        (b'{"type":"' + b"x" * 200 + b'"}', "x" * 200),
        (b'{"type":"\\u0065rror"}', "error"),
        ('{"type":"é"}'.encode(), "é"),
        (b'{"type":5}', ""),
        (b'{"type":null}', ""),
        (b'{"type":["error"]}', ""),
        (b'{"error": {"code": "x"}}', "error"),
        (b'{"status": 429, "error": "x"}', "error"),
        (b'{"detail": "x"}', "error"),
        (b'{"error": null, "detail": ""}', ""),
        (b'{"type": "response.created", "error": "x"}', "response.created"),
        (b'{"x": 1, "type": "response.created", "error": "x"}', "response.created"),
        (b'["type","error"]', ""),
        (b"{}", ""),
        (b"", ""),
        (b"not json", ""),
        (b"\xff\xfe", ""),
        (b"[" * 200_000, ""),
    ],
)
def test_the_type_of_an_event(data: bytes, kind: str) -> None:
    assert event_type(data) == kind


@given(st.dictionaries(st.sampled_from(["type", "x", "y"]), st.text() | st.integers() | st.none(), max_size=3))
@settings(deadline=None)
def test_a_quick_look_says_what_decoding_says(payload: dict[str, object]) -> None:
    kind = payload.get("type")
    for text in (json.dumps(payload), json.dumps(payload, separators=(",", ":")), json.dumps(payload, indent=1)):
        assert event_type(text.encode()) == (kind if isinstance(kind, str) else "")


@all_rows(
    ("kind", "meant"),
    [
        *((kind, Meaning.PRELUDE) for kind in sorted(PRELUDE)),
        *((kind, Meaning.FAILURE) for kind in sorted(FAILURES)),
        *((kind, Meaning.ENDING) for kind in sorted(ENDINGS)),
        ("response.output_item.added", Meaning.SHELL),
        ("response.output_text.delta", Meaning.SHELL),
        ("response.output_item.done", Meaning.OUTPUT),
        ("an.event.of.tomorrow", Meaning.OUTPUT),
        ("", Meaning.OUTPUT),
    ],
)
def test_what_an_event_is_to_a_verdict(kind: str, meant: Meaning) -> None:
    assert meaning(kind) is meant


ADDED, DELTA = "response.output_item.added", "response.output_text.delta"
PART = "response.content_part.added"
EMPTY = {"type": "message", "role": "assistant", "content": []}


@pytest.mark.parametrize(
    ("kind", "more", "seen"),
    [
        (ADDED, {"item": EMPTY}, False),
        (ADDED, {"item": {**EMPTY, "content": [{"type": "output_text", "text": ""}], "news": 1}, "index": 0}, False),
        (ADDED, {"item": {**EMPTY, "content": [{"type": "output_text", "text": "x"}]}}, True),
        (ADDED, {"item": {"type": "reasoning", "summary": [], "content": None, "encrypted_content": "gAAA"}}, False),
        (ADDED, {"item": {"type": "reasoning", "summary": [{"text": "x"}]}}, True),
        (ADDED, {"item": {"type": "function_call", "name": "shell", "arguments": ""}}, False),
        (ADDED, {"item": {"type": "function_call", "name": "shell", "arguments": "{"}}, True),
        (ADDED, {"item": {"type": "custom_tool_call", "input": ""}}, False),
        (ADDED, {"item": {"type": "web_search_call", "status": "in_progress"}}, True),
        (ADDED, {"item": {"type": "of tomorrow"}}, True),
        (ADDED, {"item": None}, True),
        (PART, {"part": {"type": "output_text", "text": "", "annotations": []}}, False),
        (PART, {"part": {"type": "output_text", "text": "x"}}, True),
        ("response.content_part.done", {"part": {"text": ""}}, False),
        ("response.content_part.done", {"part": {"text": "x"}}, True),
        *(
            (f"response.{what}.delta", {"delta": delta}, bool(delta))
            for what in (
                "output_text",
                "refusal",
                "reasoning_text",
                "reasoning_summary_text",
                "function_call_arguments",
            )
            for delta in ("", None, "x", " ")
        ),
        (DELTA, {}, True),
        ("response.output_text.done", {"text": ""}, False),
        ("response.output_text.done", {"text": "x"}, True),
        ("response.function_call_arguments.done", {"arguments": ""}, False),
        ("response.output_item.done", {"item": EMPTY}, True),
        ("response.created", {"response": {"output": []}}, False),
        ("an.event.of.tomorrow", {}, True),
        ("", {"x": 1}, True),
    ],
)
def test_output_is_what_a_person_would_see(kind: str, more: dict[str, Any], seen: bool) -> None:
    assert meaning_of(kind, event(kind, **more)) is (Meaning.OUTPUT if seen else Meaning.PRELUDE)


@pytest.mark.parametrize("said", [b"[DONE]", b"upstream connect error", b"", b"null"])
def test_what_is_no_json_is_no_output(said: bytes) -> None:
    assert meaning_of(event_type(said), said) is Meaning.PRELUDE


def test_no_event_means_two_things() -> None:
    assert not PRELUDE & FAILURES
    assert not PRELUDE & ENDINGS
    assert not FAILURES & ENDINGS


# --- failures --------------------------------------------------------------------------------------------------------


@all_rows(
    ("data", "reply"),
    [
        (event("error", status=429, error={"type": "t"}), Reply(status=429, error={"type": "t"})),
        (event("error", status_code=500, error={"code": "c"}), Reply(status=500, error={"code": "c"})),
        (event("response.failed", response={"error": {"code": "c"}}), Reply(status=0, error={"code": "c"})),
        *(
            (event("error", error={}, **named), Reply(status=429))
            for named in ({"status": "429"}, {"status_code": " 429 "}, {"status": None, "status_code": 429})
        ),
        *(
            (event("error", status=status, error={}), Reply(status=0))
            for status in (True, 42, -29, "no", "4290", [429])
        ),
        (event("error", error={"code": 429}), Reply(status=429, error={"code": 429})),
        (event("error", error={"status_code": "503"}), Reply(status=503, error={"status_code": "503"})),
        (
            event("error", status=429, error={}, headers={"Retry-After": ["7"]}),
            Reply(status=429, headers={"retry-after": "7"}),
        ),
        (
            event("error", status=429, error={}, headers=[["Retry-After", 7], ["x"], 5]),
            Reply(status=429, headers={"retry-after": "7"}),
        ),
        (
            event("error", status=429, error={}, headers={"Retry-After": 7, "X": "Y"}),
            Reply(status=429, headers={"retry-after": "7", "x": "Y"}),
        ),
        (event("error", status=429, error={}, headers=["x"]), Reply(status=429)),
        (b"not json", Reply(status=0)),
        (b"[]", Reply(status=0)),
    ],
)
def test_a_failure_event_is_read_like_a_refusal(data: bytes, reply: Reply) -> None:
    assert reply_of(data) == reply


def test_an_error_event_may_describe_itself() -> None:
    reply = reply_of(event("error", code="server_error", message="m"))
    assert (set(reply.words()), reply.message()) == ({"error", "server_error"}, "m")


@all_rows(
    ("data", "kind"),
    [
        (event("error", status=429, error={"type": "usage_limit_reached"}), Kind.USAGE_LIMIT),
        (event("response.failed", response={"error": {"code": "usage_limit_reached"}}), Kind.USAGE_LIMIT),
        (event("response.failed", response={"error": {"code": "server_is_overloaded"}}), Kind.OVERLOADED),
        (event("response.failed", response={"error": {"code": "context_length_exceeded"}}), Kind.REQUEST_FAULT),
        (event("response.failed", response={"error": None}), Kind.FAILED_IN_STREAM),
        (event("response.failed"), Kind.FAILED_IN_STREAM),
        (event("error", status=401, error={"code": "token_expired"}), Kind.TOKEN_EXPIRED),
        (event("error"), Kind.FAILED_IN_STREAM),
    ],
)
def test_what_a_failure_event_means(data: bytes, kind: Kind) -> None:
    assert classify(reply_of(data), NOW).kind is kind


def test_a_limit_inside_a_socket_names_its_end_in_headers_too() -> None:
    data = event("error", status=429, error={"type": "usage_limit_reached"}, headers={"Retry-After": "90"})
    assert classify(reply_of(data), NOW).until == NOW + 90


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_nothing_that_arrives_makes_reading_raise(data: bytes) -> None:
    event_type(data)
    reply_of(data)
    assert isinstance(decoded(data), dict)


@all_rows(
    ("chunk", "quiet"),
    [
        (b'event: response.output_text.delta\ndata: {"delta": "hi"}\n\n', True),
        (b'data: {"type": "response.output_text.delta"}\n\ndata: {"type": "response.output_text.delta"}\n\n', True),
        (b'event: response.output_text.delta\ndata: {"delta": "an error"}\n\n', True),
        (b"event: response.output_text.delta\ndata: {}\n\nevent: response.completed\ndata: {}\n\n", False),
        (b'data: {"type":"response.output_text.delta","delta":"an error"}\n\n', True),
        (b'data: {"type":"response.output_text.delta.error","delta":""}\n\n', False),
        (b'data: {"delta":"an error","type":"response.output_text.delta"}\n\n', False),
        (b'data: {"type": "error"}\n\n', False),
        (b"event: response.completed\ndata: {}\n\n", False),
        (b"event: response.incomplete\ndata: {}\n\n", False),
        (b"event: response.failed\ndata: {}\n\n", False),
        (b"event: response.output_item.done\ndata: {}\n\n", False),
        (b"event: codex.rate_limits\ndata: {}\n\n", False),
        (b"event: response.output_text.delta\nda", False),
        (b"\r\n\r\n", False),
    ],
)
def test_after_output_only_what_tells_is_read(chunk: bytes, quiet: bool) -> None:
    assert Events().quiet(chunk) is quiet


def test_the_rest_of_an_event_is_never_quiet() -> None:
    """What stands before it may have been the beginning of one that tells."""
    events = Events()
    assert list(events.feed(b"event: response.comp")) == []
    assert not events.quiet(b"leted\ndata: {}\n\n")


def test_what_ends_an_answer_has_a_word_for_it_and_is_never_redundant() -> None:
    assert all(ends(kind) for kind in ENDINGS | FAILURES)
    assert not [kind for kind in KINDS if ends(kind) and is_redundant(kind)]
    assert not [kind for kind in PRELUDE if ends(kind)]


@pytest.mark.parametrize("kind", ["response.done", "response.cancelled"])
def test_what_the_official_client_waits_on_after_decides_nothing(kind: str) -> None:
    assert meaning(kind) is Meaning.OUTPUT
    assert ends(kind)


@pytest.mark.parametrize("kind", ["", "an.event.of.tomorrow"])
def test_an_unknown_event_ends_nothing_and_may_say_something(kind: str) -> None:
    assert ends(kind) == ""
    assert not is_redundant(kind)


# --- changing --------------------------------------------------------------------------------------------------------


@all_rows(
    ("chunk", "changed"),
    [
        (b'event: a\ndata: {"type":"a"}\n\n', b"event: a\ndata: new\n\n"),
        (b'data: {"type":"a"}\n\n', b"data: new\n\n"),
        (b'id: 7\ndata: {"type":\ndata: "a"}\n\n', b"id: 7\ndata: new\n\n"),
        (b'event: a\r\ndata: {"type":"a"}\r\n\r\n', b"event: a\ndata: new\r\n\r\n"),
        (
            b'data: {"type":"b"}\n\ndata: {"type":"a"}\n\ndata: {"type"',
            b'data: {"type":"b"}\n\ndata: new\n\ndata: {"type"',
        ),
        (b'data: {"type":"b","text":"a"}\n\n', b'data: {"type":"b","text":"a"}\n\n'),
        (b'data: {"type":"a"}', b'data: {"type":"a"}'),
        (b"", b""),
    ],
)
def test_whole_events_of_one_kind_get_other_data(chunk: bytes, changed: bytes) -> None:
    assert with_data(chunk, "a", lambda data: b"new") == changed
