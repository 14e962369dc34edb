"""A browser is opened only where the person would see it."""

import io
import webbrowser

import pytest

from cli.login.browser import has_browser, open_page


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "platform", "there"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"DISPLAY": ""}, "linux", False),
        ({"BROWSER": "w3m"}, "linux", True),
        ({}, "darwin", True),
        ({}, "win32", True),
        ({"SSH_CONNECTION": "x"}, "darwin", False),
        ({"SSH_TTY": "x"}, "win32", False),
    ],
)
def test_where_there_is_one(environ: dict[str, str], platform: str, there: bool) -> None:
    assert has_browser(environ, platform) is there


def test_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not without a terminal, where nobody asked for a window; and one that does not start is no failure."""
    opened: list[str] = []
    monkeypatch.setenv("BROWSER", "x")

    def starts(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", starts)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert open_page("http://127.0.0.1/1") is False
    monkeypatch.setattr("sys.stderr", Terminal())
    assert open_page("http://127.0.0.1/2") is True
    assert opened == ["http://127.0.0.1/2"]

    def broken(url: str) -> bool:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "open", broken)
    assert open_page("http://127.0.0.1/3") is False
