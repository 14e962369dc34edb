"""The bar is for a person who watches, and for nobody else."""

import io
import sys

import pytest

from cli.ui.progress import progress


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def watched(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """From now on stderr is a terminal. Not a fixture: pytest takes stderr for itself between set-up and test."""
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On stderr, which leaves stdout to the result."""
    terminal = watched(monkeypatch)
    with progress("Asking", 2) as done:
        done()
        done()
    assert "Asking" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
    assert capsys.readouterr().out == ""


def test_colours_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = watched(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    with progress("Asking", 1) as done:
        done()
    assert "\x1b[3" not in terminal.getvalue()


@pytest.mark.parametrize(("total", "quiet"), [(2, True), (0, False)])
def test_nothing_is_drawn_for_programs_or_for_nothing(monkeypatch: pytest.MonkeyPatch, total: int, quiet: bool) -> None:
    terminal = watched(monkeypatch)
    with progress("Asking", total, quiet=quiet) as done:
        done()
    assert terminal.getvalue() == ""


def test_nothing_is_drawn_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Asking", 1) as done:
        done()
    assert capsys.readouterr() == ("", "")


def test_an_error_passes_and_the_bar_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor that was hidden is shown again."""
    terminal = watched(monkeypatch)
    with pytest.raises(ZeroDivisionError), progress("Asking", 2):
        raise ZeroDivisionError
    assert terminal.getvalue().rindex("\x1b[?25h") > terminal.getvalue().rindex("\x1b[?25l")
