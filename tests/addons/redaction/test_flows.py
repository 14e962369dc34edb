"""What is hidden where flows are shown comes back, in its place, on the way out."""

import gzip
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http

from addons.redaction.flows import MARK, FlowRedactor, NoRedaction, hide
from addons.redaction.patterns import REQUEST_HEADERS, RESPONSE_HEADERS
from tests.rows import all_rows

SECRET = b"Bearer nobody-may-see"
MARKED = MARK.decode()
MAIL = b"owner@example.com"


def headers(*fields: tuple[bytes, bytes]) -> http.Headers:
    return http.Headers(fields)


@all_rows("name", sorted(REQUEST_HEADERS))
@all_rows("spelled", [bytes.lower, bytes.upper, bytes.title])
def test_every_secret_of_a_request_is_hidden_however_its_name_is_spelled(name: bytes, spelled: object) -> None:
    assert callable(spelled)
    shown = headers((b"accept", b"*/*"), (spelled(name), SECRET))
    hidden = hide(shown, REQUEST_HEADERS)
    assert shown.fields == ((b"accept", b"*/*"), (spelled(name), MARK))
    assert b"nobody" not in bytes(shown)
    assert hidden.reveal(shown).fields == ((b"accept", b"*/*"), (spelled(name), SECRET))


def test_a_cookie_that_upstream_sets_is_hidden() -> None:
    shown = headers((b"Set-Cookie", SECRET), (b"set-cookie", b"second"))
    hidden = hide(shown, RESPONSE_HEADERS)
    assert shown.get_all("set-cookie") == [MARKED, MARKED]
    assert hidden.reveal(shown).get_all("set-cookie") == [SECRET.decode(), "second"]


def test_what_is_hidden_is_not_in_repr() -> None:
    shown = headers((b"authorization", SECRET))
    assert "nobody" not in repr(hide(shown, REQUEST_HEADERS))
    assert "nobody" not in repr(shown)


def test_revealing_makes_a_copy() -> None:
    shown = headers((b"authorization", SECRET))
    hidden = hide(shown, REQUEST_HEADERS)
    revealed = hidden.reveal(shown)
    revealed["x"] = "y"
    assert shown.fields == ((b"authorization", MARK),)
    assert hidden.reveal(shown)["authorization"] == SECRET.decode()  # as often as there are attempts


@all_rows("name", [b"content-type", b"thread-id", b"authorization-x", b"x-authorization"])
def test_all_else_stays_in_sight(name: bytes) -> None:
    shown = headers((name, b"value"))
    assert not hide(shown, REQUEST_HEADERS).was
    assert shown.fields == ((name, b"value"),)


def test_a_secret_in_the_middle_of_another_header_is_masked_and_comes_back() -> None:
    shown = headers((b"user-agent", b"tool/1 (" + MAIL + b")"), (b"x-team", b"of acct-team-1"))
    hidden = hide(shown, REQUEST_HEADERS, frozenset({b"acct-team-1"}))
    assert shown.fields == ((b"user-agent", b"tool/1 ([e-mail])"), (b"x-team", b"of [account id]"))
    assert hidden.reveal(shown)["user-agent"] == "tool/1 (owner@example.com)"


def test_the_handshake_of_a_socket_stays_readable() -> None:
    """Its key is random: mitmproxy and we have to compute with it."""
    shown = headers((b"sec-websocket-key", b"eyJabcdefghijkl=="), (b"x", MAIL))
    hide(shown, REQUEST_HEADERS, frozenset())
    assert shown["sec-websocket-key"] == "eyJabcdefghijkl=="


def test_a_value_that_somebody_changed_stays_changed() -> None:
    shown = headers((b"authorization", SECRET))
    hidden = hide(shown, REQUEST_HEADERS, frozenset())
    shown["authorization"] = "Bearer of-another-addon"
    assert hidden.reveal(shown)["authorization"] == "Bearer of-another-addon"


def test_a_secret_that_somebody_took_out_stays_out() -> None:
    shown = headers((b"authorization", SECRET), (b"accept", b"*/*"))
    hidden = hide(shown, REQUEST_HEADERS)
    del shown["authorization"]
    assert hidden.reveal(shown).fields == ((b"accept", b"*/*"),)


def test_a_mark_that_stands_elsewhere_reveals_nothing() -> None:
    shown = headers((b"authorization", SECRET))
    hidden = hide(shown, REQUEST_HEADERS)
    shown["x-note"] = MARKED
    shown["cookie"] = MARKED
    revealed = hidden.reveal(shown)
    assert (revealed["x-note"], revealed["cookie"]) == (MARKED, MARKED)


def test_each_secret_comes_back_in_its_own_place() -> None:
    """HTTP/2 clients send one `cookie` field per cookie."""
    shown = headers((b"cookie", b"first=1"), (b"cookie", b"second=2"))
    hidden = hide(shown, REQUEST_HEADERS)
    shown.fields = ((b"cookie", b"first=changed"), shown.fields[1])
    assert hidden.reveal(shown).get_all("cookie") == ["first=changed", "second=2"]


NAMES = st.sampled_from([*REQUEST_HEADERS, *(name.title() for name in REQUEST_HEADERS), b"accept", b"x-a", b"Host"])
VALUES = st.binary(max_size=12) | st.sampled_from([MARK, MAIL, SECRET, b"sk-abcdefghijklmnop"])
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=8)


@given(FIELDS)
@settings(deadline=None)
def test_what_was_hidden_comes_back_exactly(fields: list[tuple[bytes, bytes]]) -> None:
    shown = headers(*fields)
    hidden = hide(shown, REQUEST_HEADERS, frozenset())
    assert all(value == MARK for name, value in shown.fields if name.lower() in REQUEST_HEADERS)
    assert MAIL not in bytes(shown)
    assert hidden.reveal(shown).fields == tuple(fields)


# --- a whole request and its answer ----------------------------------------------------------------------------------

IDS = frozenset({b"acct-of-the-pool"})
TELLING = b'{"input": "mail owner@example.com", "account_id": "acct-of-the-pool", "mine": "acct-of-mine"}'


def asking(content: bytes = TELLING, **fields: str) -> http.Request:
    made = http.Request.make("POST", "https://chatgpt.com/backend-api/x?token=abc123&mail=a%40example.com", content)
    made.headers.update(
        {"x-seat": "of acct-of-mine", "authorization": SECRET.decode(), "chatgpt-account-id": "acct-of-mine", **fields}
    )
    made.trailers = headers((b"x-sum", MAIL))
    return made


def shown_of(request: http.Request, *, watched: bool = True) -> FlowRedactor:
    shown = FlowRedactor(IDS, watched=watched)
    shown.request_head(request)
    shown.request_body(request)
    return shown


def everything(message: http.Message) -> str:
    return str(message.get_state())


@pytest.mark.parametrize("watched", [True, False])
def test_the_wire_gets_what_the_client_has_sent(watched: bool) -> None:
    request, original = asking(), asking()
    wire = shown_of(request, watched=watched).wire(request)
    assert wire.data.headers == original.data.headers
    same = ("path", "content", "trailers", "host", "port", "method", "scheme", "http_version")
    assert [getattr(wire.data, name) for name in same] == [getattr(original.data, name) for name in same]
    assert wire.headers is not request.headers


def test_no_part_of_a_shown_request_holds_a_secret() -> None:
    request = asking()
    shown_of(request)
    for secret in ("nobody-may-see", "abc123", "example.com", "acct-of-mine", "acct-of-the-pool"):
        assert secret not in everything(request)
    assert "/backend-api/x?token=[secret]" in request.path
    assert request.content == b'{"input": "mail [e-mail]", "account_id": "[account id]", "mine": "[account id]"}'


def test_bodies_are_not_read_where_nobody_sees_them() -> None:
    """Looking costs more than the rest of a request, and mitmdump by itself keeps no flow."""
    request = asking()
    shown_of(request, watched=False)
    assert request.content == TELLING
    assert "nobody-may-see" not in everything(request)


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("zstd", zstandard.compress), ("identity", bytes)],
)
def test_a_body_is_masked_in_its_own_coding(coding: str, pack: object) -> None:
    assert callable(pack)
    packed = pack(TELLING)
    request = asking(packed, **{"content-encoding": coding})
    shown = shown_of(request)
    assert request.content == b'{"input": "mail [e-mail]", "account_id": "[account id]", "mine": "[account id]"}'
    assert shown.wire(request).raw_content == packed


@all_rows("coding", ["gzip", "rot13", "utf-8", "nonsense", ""])
def test_a_body_that_cannot_be_decoded_is_masked_as_it_is(coding: str) -> None:
    request = asking(TELLING, **{"content-encoding": coding})
    shown = shown_of(request)
    assert b"example.com" not in (request.raw_content or b"")
    assert shown.wire(request).raw_content == TELLING


def test_a_body_without_secrets_stays_the_very_same() -> None:
    packed = gzip.compress(b"nothing to see", 9, mtime=1)
    request = asking(packed, **{"content-encoding": "gzip"})
    shown_of(request)
    assert request.raw_content is packed


def test_what_another_addon_changes_goes_on_changed() -> None:
    request = asking()
    shown = shown_of(request)
    request.path, request.content = "/elsewhere", b"changed"
    wire = shown.wire(request)
    assert (wire.path, wire.content) == ("/elsewhere", b"changed")


def test_the_client_hears_what_upstream_has_said() -> None:
    request = asking()
    shown = shown_of(request)
    response = http.Response.make(200, TELLING, {"set-cookie": "session=secret", "x-mail": MAIL.decode()})
    original = response.copy()
    shown.answer_head(response)
    shown.over(request, response)
    for secret in ("session=secret", "example.com", "acct-of-mine", "acct-of-the-pool"):
        assert secret not in everything(response)
    assert shown.revealed(response).headers == original.headers
    assert shown.revealed_data(response.raw_content or b"") == TELLING
    assert shown.revealed_data(b"of another addon") == b"of another addon"


def test_an_answer_of_our_own_is_left_alone() -> None:
    """It does not come past where bodies are put back."""
    request = asking()
    shown, response = shown_of(request), http.Response.make(429, b"ask owner@example.com")
    shown.over(request, response)
    assert response.content == b"ask owner@example.com"


def test_a_request_that_was_never_sent_is_masked_at_its_end() -> None:
    request = asking()
    shown = FlowRedactor(IDS, watched=True)
    shown.request_head(request)
    shown.over(request, None)
    assert "example.com" not in everything(request)


@given(st.binary(max_size=200) | st.just(TELLING), st.binary(min_size=1, max_size=60))
@settings(deadline=None)
def test_whatever_is_sent_arrives(content: bytes, path: bytes) -> None:
    request = asking(content)
    request.data.path = path
    wire = shown_of(request).wire(request)
    assert (wire.data.content, wire.data.path) == (content, path)


def test_as_it_is_nothing_is_taken_out() -> None:
    request, original = asking(), asking()
    shown = NoRedaction()
    shown.request_head(request)
    shown.request_body(request)
    response = http.Response.make(200, TELLING, {"set-cookie": "session=secret"})
    shown.answer_head(response)
    shown.over(request, response)
    assert request.data.headers == original.data.headers
    assert (request.path, request.content, response.content) == (original.path, TELLING, TELLING)
    assert shown.wire(request).get_state() == request.get_state()
    assert response.headers["set-cookie"] == "session=secret"


@pytest.mark.parametrize(("coding", "code"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_a_body_that_is_too_large_to_be_looked_through_is_not_shown_and_passes(coding: str, code: Any) -> None:
    bomb = code(bytes(32 << 20))
    request = http.Request.make("POST", "https://chatgpt.com/", bomb)
    request.headers["content-encoding"] = coding
    shown = FlowRedactor(watched=True)
    shown.request_head(request)
    shown.request_body(request)
    assert request.content == MARK
    assert shown.wire(request).raw_content == bomb
