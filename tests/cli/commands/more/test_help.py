"""`help` shows what `--help` shows, of whatever command."""

from collections.abc import Callable
from typing import Any

import pytest

type Run = Callable[..., Any]


@pytest.mark.parametrize("words", [(), ("list",), ("keys",), ("backup", "restore"), ("run",), ("help",)])
def test_help_is_that_of_the_command(run: Run, words: tuple[str, ...]) -> None:
    """Of the program without one, of a group, of a command in it."""
    ran = run("help", *words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == run(*words, "--help").out
    assert "Usage: " in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lst",), "Did you mean `codex-rotate list`?"),
        (("keys", "rm"), "Did you mean `codex-rotate keys remove`?"),
        (("run", "codex"), "`run` has no commands of its own"),
    ],
)
def test_help_about_what_there_is_not(run: Run, words: tuple[str, ...], said: str) -> None:
    """Nothing is started: `help run codex` is not the client's help."""
    ran = run("help", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err


@pytest.mark.parametrize("words", [("help", "list"), ("list", "--help"), ("-h",), ("help",), ("keys", "-h")])
def test_programs_get_one_value(run: Run, words: tuple[str, ...]) -> None:
    """The text, without the boxes that are for eyes."""
    told = run(*words, "--json").json
    assert told.keys() == {"help"}
    assert told["help"].startswith("Usage: codex-rotate ")
    assert told["help"].isascii()


def test_help_is_no_word_of_the_clients(run: Run) -> None:
    """After the client's name everything is its own, `--help` too."""
    ran = run("run", "no-such-client", "--help", "--json")
    assert (ran.code, "no-such-client was not found" in ran.err) == (127, True)
