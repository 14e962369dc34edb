"""One place prints: text or JSON, on any width, in any encoding."""

import io
import json
from dataclasses import replace

import pytest
from rich.cells import cell_len

from cli.ui.render import render, render_error, say, tolerate_any_text
from cli.ui.result import Result, Table

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


@pytest.fixture(autouse=True)
def any_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)


class Terminal(io.StringIO):
    encoding = "utf-8"

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


WIDE = Table(columns=("label", "one", "two"), rows=(("a long label with words", "x" * 20, "y" * 20),))
NARROW = Table(columns=("label", "both"), rows=(("a long label with words", "x\ny"),), clipped=frozenset({"label"}))
CHAIN = replace(WIDE, clipped=frozenset({"label"}), narrow=NARROW)


@pytest.mark.parametrize(("width", "heading"), [(100, "two"), (64, "two"), (63, "both"), (20, "both")])
def test_a_table_that_does_not_fit_has_a_narrow_form(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, heading: str
) -> None:
    """It is shown only when cutting would leave too little of a label; a label that is cut stays on its line."""
    monkeypatch.setenv("COLUMNS", str(width))
    render(Result("", table=CHAIN), as_json=False)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].endswith(heading)
    assert max(map(len, lines)) <= width
    assert len(lines) == (3 if heading == "two" else 4)
    assert lines[2].startswith("a long label")


def test_a_pipe_gets_the_wide_form_however_wide_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per row, nothing cut: that is what grep and awk want."""
    long = replace(CHAIN, rows=(("z" * 300, "x", "y"),))
    render(Result("", table=long), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["z" * 300, "x", "y"]


def test_wide_letters_keep_the_columns_straight(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    rows = (("日本語のラベル", "end"), ("plain", "end"))
    table = Table(columns=("label", "x"), rows=rows, clipped=frozenset({"label"}))
    render(Result("", table=table), as_json=False)
    assert {cell_len(line.partition("end")[0]) for line in capsys.readouterr().out.splitlines()[2:]} == {16}


@pytest.mark.parametrize("locale", [{"LC_ALL": "C"}, {"LANG": "POSIX"}, {"LC_CTYPE": "C", "LANG": "de_DE.UTF-8"}])
def test_a_terminal_that_may_have_ascii_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, locale: dict[str, str]
) -> None:
    """Nothing is drawn with other characters, not even the rule below the headings or the end of what is cut."""
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "18")
    table = Table(columns=("label", "bar"), rows=(("a long label", "██░░ ▸"),), clipped=frozenset({"label"}))
    render(Result("▸ a → b", table=table), as_json=False)
    out = capsys.readouterr().out
    assert out.isascii()
    assert "##.. >" in out
    assert out.endswith("> a -> b\n")


def test_the_locale_that_counts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """LC_ALL goes before LANG, and an empty variable is none."""
    for name, value in (("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8"), ("LANG", "C")):
        monkeypatch.setenv(name, value)
    render(Result("▸"), as_json=False)
    assert capsys.readouterr().out == "▸\n"


def test_names_that_the_encoding_lacks_keep_the_columns_straight(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    tolerate_any_text()
    render(Result("", table=Table(columns=("label", "x"), rows=(("日本", "end"), ("a", "end")))), as_json=False)
    lines = raw.getvalue().decode().splitlines()[2:]
    assert len({line.index("end") for line in lines}) == 1


def test_only_the_first_words_of_a_state_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    rows = (("ready, priority 5",), ("ready\nkeeps 5 %",))
    render(Result("", table=Table(columns=("state",), rows=rows)), as_json=False)
    assert screen.getvalue().count("\x1b[32mready\x1b[0m") == 2


LONG = "There is no account of that name in the pool. Run `codex-rotate list` to see the names of all."


@pytest.mark.parametrize("width", [30, 60, 80])
def test_on_a_terminal_lines_break_at_spaces(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Messages, notes, errors and what is said beforehand, each on its own stream. JSON is one line all the same."""
    monkeypatch.setenv("COLUMNS", str(width))
    out, err = Terminal(), Terminal()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    render(Result(LONG, notes=(LONG,)), as_json=False)
    render_error(LONG, 1, as_json=False)
    say(LONG)
    for screen, times in ((out, 1), (err, 3)):
        lines = screen.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        assert " ".join(lines).replace("codex-rotate: ", "").split() == LONG.split() * times
    render_error(LONG, 1, as_json=True)
    assert out.getvalue().splitlines()[-1].startswith('{"error": "There is no account of that name in the pool. Run')


def test_what_is_for_a_shell_is_never_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything where no terminal is."""
    monkeypatch.setenv("COLUMNS", "20")
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    line = "export NO_PROXY='localhost, 127.0.0.1 and others'"
    render(Result(line, verbatim=True), as_json=False)
    assert screen.getvalue() == f"{line}\n"


def test_a_pipe_gets_errors_in_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    render_error(LONG, 1, as_json=False)
    assert capsys.readouterr().err == f"codex-rotate: {LONG}\n"


WORDY = Table(
    columns=("#", "account", "why"),
    rows=(
        ("1", "a-label-that-is-long", "next: incomprehensibly little is left"),
        ("2", "日本語のアカウント名前です", "x"),
    ),
    clipped=frozenset({"account"}),
    wrapped=frozenset({"why"}),
)


@pytest.mark.parametrize("width", [8, 12, 16, 20, 30, 40, 60, 80])
def test_no_word_of_a_table_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """A label may be cut. What is too narrow for a table gets its rows below each other."""
    monkeypatch.setenv("COLUMNS", str(width))
    render(Result("", table=WORDY), as_json=False)
    out = capsys.readouterr().out
    assert {"next:", "incomprehensibly", "little", "is", "left"} <= set(out.split())
    if width >= 30:
        assert max(map(cell_len, out.splitlines())) <= width
    assert ("account: a-label-that-is-long" in " ".join(out.split())) is (width < 30)


def test_a_word_that_would_be_broken_asks_for_the_narrow_form(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    wide = Table(
        columns=("a", "b"),
        rows=(("x" * 25, "a-word-that-is-forty-columns-wide-or-more"),),
        wrapped=frozenset({"b"}),
        narrow=Table(columns=("both",), rows=(("short",),)),
    )
    render(Result("", table=wide), as_json=False)
    assert "short" in capsys.readouterr().out
