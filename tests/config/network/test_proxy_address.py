"""A proxy's address as people write it: what is read, what is refused, and that its password is never repeated."""

import base64

import pytest

from config.network.proxy_address import ProxyAddress, read_proxy
from tests.rows import all_rows

SECRET = "s3cret-PASSWORD"


@all_rows(
    ("written", "shown"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        (" HTTP://Proxy.Example:3128/ \n", "http://proxy.example:3128"),
        ("https://10.0.0.1:8080", "https://10.0.0.1:8080"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("http://user:pass@my_proxy:80", "http://my_proxy:80"),
    ],
)
def test_an_address_is_shown_without_its_user(written: str, shown: str) -> None:
    assert str(read_proxy(written)) == shown


def test_user_and_password_are_percent_decoded_and_sent_as_basic_authentication() -> None:
    proxy = read_proxy("http://DOM%5Cann:p%40ss%3Aw%2F%C3%B6@proxy.example:3128")
    assert (proxy.username, proxy.password) == ("DOM\\ann", "p@ss:w/ö")
    scheme, _, encoded = proxy.authorization.partition(" ")
    assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", "DOM\\ann:p@ss:w/ö")


@all_rows(("written", "sent"), [("ann@", b"ann:"), (":x@", b":x"), ("", b""), ("@", b"")])
def test_a_user_without_a_password_and_no_user_at_all(written: str, sent: bytes) -> None:
    proxy = read_proxy(f"http://{written}h:1")
    assert base64.b64decode(proxy.authorization.removeprefix("Basic ")) == sent
    assert bool(proxy.authorization) is bool(sent)


def test_neither_user_nor_password_is_in_any_text_of_it() -> None:
    proxy = read_proxy(f"http://ann:{SECRET}@proxy.example:3128")
    for text in (repr(proxy), str(proxy), proxy.place, f"{proxy}", repr([proxy])):
        assert SECRET not in text
        assert "ann" not in text


@all_rows(
    "written",
    [
        "",
        "proxy.example:3128",
        "http://proxy.example",
        f"http://ann:{SECRET}@proxy.example",
        f"http://ann:{SECRET}@:3128",
        f"http://ann:{SECRET}@proxy.example:0",
        f"http://ann:{SECRET}@proxy.example:65536",
        f"http://ann:{SECRET}@proxy.example:port",
        f"http://ann:{SECRET}/1@proxy.example:3128",
        f"http://ann:{SECRET}#1@proxy.example:3128",
        f"http://ann:{SECRET}?1@proxy.example:3128",
        f"http://ann:1#{SECRET}@proxy.example:3128",
        f"http://ann:1/{SECRET}@proxy.example:3128",
        f"http://ann:1?{SECRET}@proxy.example:3128",
        f"http://ann:{SECRET}@proxy.example:3128/path",
        f"http://ann:{SECRET}@proxy.example:3128?",
        f"http://ann:{SECRET}@proxy example:3128",
        f"http://ann:{SECRET}@-proxy:3128",
        f"http://ann:{SECRET}@[::1:3128",
        f"http://ann:{SECRET}\u2100@proxy.example:3128",
        f"http://ann:{SECRET}@pröxy.example:3128",
        f"http://ann%3A:{SECRET}@proxy.example:3128",
        f"http://ann:{SECRET}%0d%0a@proxy.example:3128",
        f"socks5://ann:{SECRET}@proxy.example:1080",
        f"ftp://ann:{SECRET}@proxy.example:21",
        f"//ann:{SECRET}@proxy.example:21",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(written: str) -> None:
    with pytest.raises(ValueError, match=r"^must (be an address such as|name a host|have no colon)") as refused:
        read_proxy(written)
    assert SECRET not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_where_a_port_may_be_missing_the_scheme_says_which() -> None:
    ports = {"http": 80, "https": 443}
    assert read_proxy("http://h", ports) == ProxyAddress(scheme="http", host="h", port=80)
    assert read_proxy("https://h", ports).port == 443
    assert read_proxy("https://h:1", ports).port == 1
