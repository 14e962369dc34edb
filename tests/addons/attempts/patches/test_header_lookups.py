"""Header fields are found as mitmproxy finds them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy.coretypes.multidict import MultiDict
from mitmproxy.http import Headers

from addons.attempts.patches import header_lookups

NAMES = st.sampled_from([b"Accept", b"accept", b"X-A", b"x-a", b"Set-Cookie", b"caf\xc3\xa9", b"\xff"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=4)), max_size=6)
WANTED = st.one_of(NAMES, st.sampled_from(["accept", "ACCEPT", "x-a", "set-cookie", "CAF\u00e9", "café", "\udcff", ""]))


def theirs(headers: Headers, name: Any) -> list[str]:
    """As mitmproxy's own class finds them."""
    wanted = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
    return [each.decode("utf-8", "surrogateescape") for each in MultiDict.get_all(headers, wanted)]


@given(FIELDS, WANTED)
def test_what_is_found_is_the_same(fields: list[tuple[bytes, bytes]], wanted: Any) -> None:
    header_lookups.quicken_headers()
    headers = Headers(fields)
    expected = theirs(headers, wanted)
    assert headers.get_all(wanted) == expected
    assert headers.get(wanted) == (", ".join(expected) if expected else None)
    assert headers.get(wanted, 7) == (", ".join(expected) if expected else 7)
    assert (wanted in headers) is bool(expected)


def test_what_is_no_name_is_not_there() -> None:
    header_lookups.quicken_headers()
    assert 7 not in Headers([(b"7", b"x")])


def test_a_change_is_seen_at_once() -> None:
    header_lookups.quicken_headers()
    headers = Headers(a="1")
    assert headers.get("A") == "1"
    headers["a"] = "2"
    assert headers.get("A") == "2"
    headers.add("A", "3")
    assert headers.get_all("a") == ["2", "3"]
    del headers["a"]
    assert "a" not in headers
    headers.fields = [(b"b", b"1")]  # type: ignore[assignment]
    assert headers.get("b") == "1"
    headers.fields.append((b"b", b"2"))  # type: ignore[attr-defined]
    assert headers.get("b") == "1, 2"


def test_headers_that_were_looked_at_are_equal_and_copied_as_before() -> None:
    header_lookups.quicken_headers()
    headers = Headers(a="1")
    assert headers.get("a") == "1"
    assert headers == Headers(a="1")
    other = headers.copy()
    other["a"] = "2"
    assert (headers.get("a"), other.get("a")) == ("1", "2")
    assert Headers.from_state(headers.get_state()) == headers
