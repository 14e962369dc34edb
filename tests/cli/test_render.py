"""One place prints: text or JSON, on any width, in any encoding."""

import io
import json

import pytest

from cli.render import render, render_error, say, tolerate_any_text
from cli.result import Result, Table

ROWS = (
    ("1", "a-rather-long-label-for-it", "somebody.with.a.long.address@example.com", "team", "ready"),
    ("2", "[red]x", "x@example.com", "pro", "resting until 14:05 (usage limit reached)"),
)
TABLE = Table(
    columns=("#", "label", "e-mail", "plan", "state"),
    rows=ROWS,
    clipped=frozenset({"label", "e-mail"}),
    wrapped=frozenset({"state"}),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_is_one_value_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """Notes go to stderr, text and table are left out."""
    render(Result("text", {"a": [1, "ü"]}, table=TABLE, notes=("mind this",)), as_json=True)
    said = capsys.readouterr()
    assert json.loads(said.out) == {"a": [1, "ü"]}
    assert said.err == "codex-rotate: mind this\n"


def test_errors(capsys: pytest.CaptureFixture[str]) -> None:
    """For people on stderr, for programs on stdout."""
    render_error("It broke.", 1, as_json=False)
    assert capsys.readouterr() == ("", "codex-rotate: It broke.\n")
    render_error("It broke.", 1, as_json=True)
    said = capsys.readouterr()
    assert (json.loads(said.out), said.err) == ({"error": "It broke.", "exit_code": 1}, "")


def test_what_is_said_before_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """It does not mix with the result on stdout."""
    say("Open this.")
    assert capsys.readouterr() == ("", "Open this.\n")


def test_a_pipe_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is cut, coloured or taken for markup where no screen limits it."""
    render(Result("after it", table=TABLE), as_json=False)
    out = capsys.readouterr().out
    assert all(cell in out for row in ROWS for cell in row)
    assert "\x1b" not in out
    assert out.endswith("after it\n")


@pytest.mark.parametrize("width", [40, 60, 100])
def test_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Every line fits, every number and plan is whole, and the whole state can be read."""
    monkeypatch.setenv("COLUMNS", str(width))
    render(Result("", table=TABLE), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert [line[0] for line in lines if line[0].isdigit()] == ["1", "2"]
    words = " ".join(lines).split()
    assert {"team", "pro", "ready", "resting", "14:05", "(usage", "reached)"} <= set(words)


@pytest.mark.parametrize("no_colour", [True, False])
def test_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch, no_colour: bool) -> None:
    """States are coloured on a terminal, unless NO_COLOR is set."""
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_colour:
        monkeypatch.setenv("NO_COLOR", "1")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    render(Result("", table=TABLE), as_json=False)
    assert ("\x1b[32mready" in screen.getvalue()) is not no_colour


def test_an_encoding_that_lacks_a_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label the terminal cannot show is escaped; it does not end in a traceback."""
    raw = io.BytesIO()
    screen = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    monkeypatch.setattr("sys.stdout", screen)
    tolerate_any_text()
    render(Result("日本", table=Table(columns=("label",), rows=(("日本",),))), as_json=False)
    assert raw.getvalue().count(b"\\u65e5\\u672c") == 2
