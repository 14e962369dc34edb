"""Where the page is, and by which names it may be asked."""

import pytest

from config.page.address import PageAddress, read_address
from tests.rows import all_rows


@all_rows(
    ("text", "host", "port", "named"),
    [
        ("127.0.0.1:8119", "127.0.0.1", 8119, True),
        ("auto", "127.0.0.1", 8119, False),
        (" AUTO ", "127.0.0.1", 8119, False),
        ("[::1]:9", "::1", 9, True),
        ("localhost:0", "localhost", 0, True),
        ("0.0.0.0:80", "0.0.0.0", 80, True),
    ],
)
def test_an_address_is_read(text: str, host: str, port: int, named: bool) -> None:
    assert read_address(text) == PageAddress(host=host, port=port, named=named)


@all_rows("text", ["", "off", "OFF", " "])
def test_no_page_is_wanted(text: str) -> None:
    assert read_address(text) is None


@all_rows(
    "text", ["8119", ":8119", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "127.0.0.1:-1", "page.test:80", "1:²"]
)
def test_what_is_no_address_says_what_one_is(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"needs (an address and a port|a number as its address), such as 127\.0\.0\.1"
    ):
        read_address(text)


@all_rows(
    ("host", "said", "own"),
    [
        ("127.0.0.1", "127.0.0.1:8119", True),
        ("127.0.0.1", "localhost:8119", True),
        ("127.0.0.1", "[::1]:8119", True),
        ("127.0.0.1", "127.0.0.1:8118", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "evil.test:8119", False),
        ("127.0.0.1", "127.0.0.1.evil.test:8119", False),
        ("127.0.0.1", "10.0.0.7:8119", False),
        ("0.0.0.0", "10.0.0.7:8119", True),
        ("0.0.0.0", "evil.test:8119", False),
        ("::", "[fd00::7]:8119", True),
        ("10.0.0.7", "10.0.0.7:8119", True),
        ("10.0.0.7", "10.0.0.8:8119", False),
    ],
)
def test_a_name_that_somebody_else_has_led_here_is_not_ours(host: str, said: str, own: bool) -> None:
    """DNS rebinding: only numbers, and names that mean this machine everywhere."""
    assert PageAddress(host=host, port=8119).is_own(said) is own


@all_rows(
    ("host", "url", "private"),
    [
        ("127.0.0.1", "http://127.0.0.1:8119", True),
        ("::1", "http://[::1]:8119", True),
        ("0.0.0.0", "http://127.0.0.1:8119", False),
        ("::", "http://[::1]:8119", False),
        ("10.0.0.7", "http://10.0.0.7:8119", False),
    ],
)
def test_it_is_opened_on_this_machine(host: str, url: str, private: bool) -> None:
    at = PageAddress(host=host, port=8119)
    assert (at.url, at.is_private) == (url, private)
