"""An authority reads as mitmproxy reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http

from addons.attempts.patches import authority_lookups
from addons.attempts.patches.authority_lookups import LONGEST, MOST_KEPT, quicken_authorities

THEIRS = authority_lookups._THEIRS


def request(authority: bytes) -> http.Request:
    made = http.Request.make("GET", "https://example.com/")
    made.data.authority = authority
    return made


@given(
    st.binary(max_size=300) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.sampled_from([b"", b"chatgpt.com", b"chatgpt.com:443", b"xn--bcher-kva.example", b"[::1]:8080", b"." * 400])
)  # fmt: skip
def test_it_is_the_same_text(authority: bytes) -> None:
    quicken_authorities()
    asked = request(authority)
    assert asked.authority == asked.authority == THEIRS.fget(asked)


def test_what_is_set_is_read() -> None:
    quicken_authorities()
    asked = request(b"one.example")
    assert asked.authority == "one.example"
    asked.authority = "bücher.example"
    assert (asked.authority, asked.data.authority) == ("bücher.example", b"xn--bcher-kva.example")


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1])
def test_what_is_no_name_is_not_kept(length: int) -> None:
    quicken_authorities()
    assert request(b"a" * length).authority
    assert (b"a" * length in authority_lookups._KEPT) is (length == LONGEST)


def test_no_more_are_kept_than_it_says() -> None:
    quicken_authorities()
    for number in range(2 * MOST_KEPT + 1):
        assert request(b"%d.example" % number).authority == f"{number}.example"
        assert len(authority_lookups._KEPT) <= MOST_KEPT
