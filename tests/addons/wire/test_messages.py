"""HTTP messages as values: whatever upstream or the client sends, reading it never raises."""

import gzip
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http

from addons.wire import messages
from tests.rows import all_rows

LIMIT = b'{"error": {"type": "usage_limit_reached"}}'


def answer(status: int = 429, **headers: str) -> http.Response:
    return http.Response.make(status, b"", {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("coding", "body"),
    [("identity", LIMIT), ("gzip", gzip.compress(LIMIT)), ("zstd", zstandard.ZstdCompressor().compress(LIMIT))],
)
def test_a_refusal_is_read_whatever_its_coding(coding: str, body: bytes) -> None:
    reply = messages.read_reply(answer(content_encoding=coding, Retry_After="3"), body)
    assert (reply.status, reply.words(), reply.headers["retry-after"]) == (429, {"usage_limit_reached"}, "3")


@pytest.mark.parametrize(("coding", "body"), [("gzip", gzip.compress(LIMIT)[:9]), ("gzip", LIMIT), ("zstd", LIMIT)])
def test_a_body_that_cannot_be_read_has_no_error(coding: str, body: bytes) -> None:
    assert messages.read_reply(answer(content_encoding=coding), body).error == {}
    assert messages.plain(answer(content_encoding=coding), body) == b""


@given(
    st.binary(max_size=200), st.sampled_from(["identity", "gzip", "br", "zstd", "deflate", "x"]), st.integers(0, 999)
)
@settings(deadline=None)
def test_reading_never_raises(body: bytes, coding: str, status: int) -> None:
    messages.read_reply(answer(status, content_encoding=coding), body)


@pytest.mark.parametrize(("coding", "code"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_body_that_would_be_too_large_is_as_one_that_cannot_be_read(coding: str, code: Any) -> None:
    bomb = code(LIMIT[:-1] + b" " * (32 << 20) + b"}")
    assert messages.read_reply(answer(content_encoding=coding), bomb).error == {}
    asked = request(content=bomb)
    asked.headers["content-encoding"] = coding
    assert messages.plain_body(asked) == b""


def test_headers_have_one_spelling_and_those_of_one_name_are_joined() -> None:
    response = http.Response.make(200, b"", ((b"X-A", b"1"), (b"x-a", b"2"), (b"Y", b"\xff")))
    found = messages.fields(response)
    assert (found["x-a"], found["y"]) == ("1, 2", "\udcff")


def request(method: str = "POST", **settings: Any) -> http.Request:
    return http.Request.make(method, "https://chatgpt.com/", **settings)


def test_a_request_s_body_is_read_without_its_coding() -> None:
    packed = request(content=zstandard.ZstdCompressor().compress(LIMIT), headers={"content-encoding": "zstd"})
    packed.raw_content = zstandard.ZstdCompressor().compress(LIMIT)
    assert messages.plain_body(packed) == LIMIT
    assert messages.plain_body(request(content=LIMIT)) == LIMIT
    empty = request()
    empty.raw_content = None
    assert messages.plain_body(empty) == b""


@all_rows(("value", "is_one"), [("websocket", True), ("WebSocket", True), ("h2c", False), ("", False)])
def test_an_upgrade_is_told_by_its_header(value: str, is_one: bool) -> None:
    assert messages.is_upgrade(request("GET", headers={"upgrade": value})) is is_one


def test_only_a_get_can_be_an_upgrade() -> None:
    assert not messages.is_upgrade(request("POST", headers={"upgrade": "websocket"}))


def test_what_is_changed_in_a_shallow_copy_is_changed_there_only() -> None:
    first = request(content=b"body", headers={"a": "1"})
    first.stream = True
    twin = messages.shallow(first)
    assert (twin.get_state(), twin.stream) == (first.get_state(), True)
    twin.headers, twin.path, twin.content, twin.stream = http.Headers(b="2"), "/other", b"", False
    assert (first.headers["a"], first.path, first.content, first.stream) == ("1", "/", b"body", True)


@all_rows(
    ("kind", "is_one"),
    [
        ("text/event-stream", True),
        ("text/event-stream; charset=utf-8", True),
        ("Text/Event-Stream ;charset=UTF-8", True),
        ("application/json", False),
        ("text/event-streams", False),
        ("", False),
    ],
)
def test_a_head_may_say_in_any_letters_that_it_is_a_stream(kind: str, is_one: bool) -> None:
    assert messages.is_event_stream(answer(200, content_type=kind)) is is_one


@all_rows(
    ("offered", "coding", "reads"),
    [
        ("zstd,gzip", "gzip", True),
        ("zstd, gzip;q=0.5", "GZIP", True),
        ("zstd,gzip", "br", False),
        ("zstd,gzip", None, True),
        ("zstd,gzip", "identity", True),
        (None, "br", True),
        ("*", "br", True),
        ("br;q=0, gzip", "br", False),
        ("", "gzip", False),
    ],
)
def test_a_client_reads_the_codings_that_it_offers(offered: str | None, coding: str | None, reads: bool) -> None:
    request = http.Request.make("POST", "https://chatgpt.com/")
    if offered is not None:
        request.headers["accept-encoding"] = offered
    response = http.Response.make(200)
    if coding is not None:
        response.headers["content-encoding"] = coding
    assert messages.can_read(request, response) is reads


@all_rows(
    ("body", "failed"),
    [
        (b'{"error": {"code": "x"}}', True),
        (b'{"error": "x"}', True),
        (b'{"error": null, "output": []}', False),
        (b'{"detail": "no"}', True),
        (b'{"type": "error", "code": "usage_limit_reached"}', True),
        (b'{"status": "failed", "object": "response"}', True),
        (b'{"response": {"status": "failed"}}', True),
        (b'{"response": {"error": {"code": "x"}}}', True),
        (b'{"status": "completed", "object": "response"}', False),
        (b'{"errors": [{"code": "x"}]}', True),
        (b'[{"error": {"code": "usage_limit_reached"}}]', True),
        (b'{"type": "usage_limit_reached"}', True),
        (b'{"data": {"error": {"code": "usage_limit_reached"}}}', True),
        (b'{"errors": [], "output": []}', False),
        (b"[]", False),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_a_success_may_describe_a_failure(body: bytes, failed: bool) -> None:
    assert (messages.error_in(http.Response.make(200), body) is not None) is failed


@all_rows(
    ("body", "plain", "streamed"),
    [
        (b'{"object": "response", "output": []}', True, True),
        (b'{"output": []}', True, True),
        (b'{"message": "maintenance"}', True, False),
        (b"{}", False, False),
        (b"[1]", False, False),
        (b"<html>", False, False),
    ],
)
def test_for_who_wants_a_stream_only_a_whole_response_can_stand_in_its_place(
    body: bytes, plain: bool, streamed: bool
) -> None:
    request = http.Request.make("POST", "https://chatgpt.com/")
    assert messages.is_answer(request, body) is plain
    request.headers["accept"] = "text/event-stream"
    assert messages.is_answer(request, body) is streamed
    asked = http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses?x=1")
    assert messages.is_answer(asked, body) is streamed
    upgrade = http.Request.make("GET", "https://chatgpt.com/", headers={"upgrade": "WebSocket"})
    assert not messages.is_answer(upgrade, body)


@pytest.mark.parametrize(
    ("offered", "coding", "readable"),
    [
        ("gzip, zstd", "gzip", True),
        ("GZIP;q=1.0", " Gzip ", True),
        ("gzip", "br", False),
        ("gzip;q=0", "gzip", False),
        ("gzip, br", "gzip, br", True),
        ("gzip", "gzip, br", False),
        ("gzip", "identity, gzip", True),
        ("gzip", "", True),
        ("", "identity", True),
        ("*", "br", True),
    ],
)
def test_a_client_reads_what_it_has_offered(offered: str, coding: str, readable: bool) -> None:
    request = http.Request.make("POST", "https://chatgpt.com/", headers={"accept-encoding": offered})
    response = answer()
    response.headers["content-encoding"] = coding  # made with it, it would lose it if nobody knows it
    assert messages.can_read(request, response) is readable


@pytest.mark.parametrize(("more", "joined"), [(b"5", "5"), (b"6", "5, 6")])
def test_a_header_that_is_there_twice_is_said_once(more: bytes, joined: str) -> None:
    response = answer()
    response.headers.fields += ((b"Retry-After", b"5"), (b"retry-after", more))
    assert messages.fields(response)["retry-after"] == joined
