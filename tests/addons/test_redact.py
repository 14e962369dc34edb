"""What is hidden where flows are shown comes back, in its place, on the way out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http

from addons.redact import AS_IS, MARK, REQUEST, RESPONSE, hide

SECRET = b"Bearer nobody-may-see"
MARKED = MARK.decode()


def headers(*fields: tuple[bytes, bytes]) -> http.Headers:
    return http.Headers(fields)


@pytest.mark.parametrize("name", REQUEST)
@pytest.mark.parametrize("spelled", [bytes.lower, bytes.upper, bytes.title])
def test_every_secret_of_a_request_is_hidden_however_its_name_is_spelled(name: bytes, spelled: object) -> None:
    assert callable(spelled)
    shown = headers((b"accept", b"*/*"), (spelled(name), SECRET))
    hidden = hide(shown, REQUEST)
    assert shown.fields == ((b"accept", b"*/*"), (spelled(name), MARK))
    assert b"nobody" not in bytes(shown)
    assert hidden.reveal(shown).fields == ((b"accept", b"*/*"), (spelled(name), SECRET))


def test_a_cookie_that_upstream_sets_is_hidden() -> None:
    shown = headers((b"Set-Cookie", SECRET), (b"set-cookie", b"second"))
    hidden = hide(shown, RESPONSE)
    assert shown.get_all("set-cookie") == [MARKED, MARKED]
    assert hidden.reveal(shown).get_all("set-cookie") == [SECRET.decode(), "second"]


def test_what_is_hidden_is_not_in_repr() -> None:
    shown = headers((b"authorization", SECRET))
    assert "nobody" not in repr(hide(shown, REQUEST))
    assert "nobody" not in repr(shown)


def test_revealing_makes_a_copy() -> None:
    shown = headers((b"authorization", SECRET))
    hidden = hide(shown, REQUEST)
    revealed = hidden.reveal(shown)
    revealed["x"] = "y"
    assert shown.fields == ((b"authorization", MARK),)
    assert hidden.reveal(shown)["authorization"] == SECRET.decode()  # as often as there are attempts


@pytest.mark.parametrize("name", [b"content-type", b"chatgpt-account-id", b"authorization-x", b"x-authorization"])
def test_all_else_stays_in_sight(name: bytes) -> None:
    shown = headers((name, b"value"))
    assert not hide(shown, REQUEST).secrets
    assert shown.fields == ((name, b"value"),)


def test_a_value_that_somebody_changed_stays_changed() -> None:
    shown = headers((b"authorization", SECRET))
    hidden = hide(shown, REQUEST)
    shown["authorization"] = "Bearer of-another-addon"
    assert hidden.reveal(shown)["authorization"] == "Bearer of-another-addon"


def test_a_secret_that_somebody_took_out_stays_out() -> None:
    shown = headers((b"authorization", SECRET), (b"accept", b"*/*"))
    hidden = hide(shown, REQUEST)
    del shown["authorization"]
    assert hidden.reveal(shown).fields == ((b"accept", b"*/*"),)


def test_a_mark_that_stands_elsewhere_reveals_nothing() -> None:
    shown = headers((b"authorization", SECRET))
    hidden = hide(shown, REQUEST)
    shown["x-note"] = MARKED
    shown["cookie"] = MARKED
    revealed = hidden.reveal(shown)
    assert (revealed["x-note"], revealed["cookie"]) == (MARKED, MARKED)


def test_each_secret_comes_back_in_its_own_place() -> None:
    """HTTP/2 clients send one `cookie` field per cookie."""
    shown = headers((b"cookie", b"first=1"), (b"cookie", b"second=2"))
    hidden = hide(shown, REQUEST)
    shown.fields = ((b"cookie", b"first=changed"), shown.fields[1])
    assert hidden.reveal(shown).get_all("cookie") == ["first=changed", "second=2"]


def test_without_redaction_everything_passes_as_it_is() -> None:
    shown = headers((b"authorization", SECRET), (b"cookie", MARK))
    assert AS_IS.reveal(shown) == shown
    assert (AS_IS.redacted, hide(shown, REQUEST).redacted) == (False, True)


NAMES = st.sampled_from([*REQUEST, *(name.title() for name in REQUEST), b"accept", b"x-a", b"Host"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=12) | st.just(MARK)), max_size=8)


@given(FIELDS)
@settings(deadline=None)
def test_what_was_hidden_comes_back_exactly(fields: list[tuple[bytes, bytes]]) -> None:
    shown = headers(*fields)
    hidden = hide(shown, REQUEST)
    assert all(value == MARK for name, value in shown.fields if name.lower() in REQUEST)
    assert hidden.reveal(shown).fields == tuple(fields)
