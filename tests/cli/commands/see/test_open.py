"""`open` leads a browser to the page, with a code that is good once."""

import os

import pytest

from cli.commands.see.open import NoPage, open_in_browser
from config.page import token as page_token
from config.proxy_files import ProxyInfo
from tests.builders import NOW


def proxy(page: str = "http://127.0.0.1:8119/") -> ProxyInfo:
    return ProxyInfo(url="http://127.0.0.1:8118", pid=1, home="/h", certificate="/c", version="1", page=page)


def test_the_browser_gets_a_code_and_never_the_token() -> None:
    token, opened = page_token.own_token(), list[str]()

    def opens(address: str) -> bool:
        opened.append(address)
        return True

    result = open_in_browser([proxy(""), proxy()], os.environ, NOW, opens)
    assert token not in opened[0]
    assert opened[0].startswith("http://127.0.0.1:8119/?token=")
    assert page_token.read_code(token, opened[0].partition("token=")[2]) is not None
    assert result.message == "http://127.0.0.1:8119/ is open in your browser."


def test_without_a_browser_the_address_is_printed() -> None:
    page_token.own_token()
    result = open_in_browser([proxy()], os.environ, NOW, lambda _: False)
    assert "http://127.0.0.1:8119/?token=" in result.message
    assert isinstance(result.data, dict)
    assert result.data["opened"] is False


@pytest.mark.parametrize(
    ("running", "said"),
    [
        ((), "No proxy of this pool runs."),
        ((proxy(""),), "has no page"),
        ((proxy(""), proxy("")), "that runs has a page"),
    ],
)
def test_where_there_is_no_page_it_says_what_starts_one(running: tuple[ProxyInfo, ...], said: str) -> None:
    page_token.own_token()
    with pytest.raises(NoPage, match=said) as raised:
        open_in_browser(running, os.environ, NOW, lambda _: True)
    assert "codex-rotate serve" in str(raised.value)
    assert raised.value.exit_code == 3
