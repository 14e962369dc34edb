"""Where the screen can be shown, and a sentence where it cannot."""

import sys

import pytest

from cli.top.terminal import NoTerminal, check, only_ascii, without_colours
from tests.cli.ui.test_render import Terminal


def sit_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())


def test_a_pipe_is_no_terminal() -> None:
    with pytest.raises(NoTerminal, match="input or output goes elsewhere"):
        check({"TERM": "xterm-256color"})


@pytest.mark.skipif(sys.platform == "win32", reason="terminals have no kind there")
@pytest.mark.parametrize("kind", ["", "dumb", "unknown"])
def test_one_that_only_prints_lines_will_not_do(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sit_at_a_terminal(monkeypatch)
    with pytest.raises(NoTerminal, match="can only print lines"):
        check({"TERM": kind})


def test_any_other_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    sit_at_a_terminal(monkeypatch)
    check({"TERM": "vt100"})
    assert not only_ascii({"LANG": "en_GB.UTF-8"})
    assert only_ascii({"LANG": "en_GB.UTF-8", "LC_ALL": "C"})
    assert without_colours({"NO_COLOR": "1"})
    assert not without_colours({})
