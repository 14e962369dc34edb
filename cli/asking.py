"""Who answers a question: the person at the terminal, the command line, or nobody."""

import sys
from typing import Protocol

from accounts.errors import InputNeeded


class Asker(Protocol):
    def confirm(self, question: str, option: str) -> bool:
        """Whether to go on. `option` is what would have answered on the command line."""

    def line(self, question: str, option: str) -> str:
        """One line of text; `option` is what needs none. Raises InputNeeded when there is no line."""


class TerminalAsker:
    """Asks on stderr, so that stdout holds the answer of the command only. Anything but yes is no."""

    def confirm(self, question: str, option: str) -> bool:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def line(self, question: str, option: str) -> str:
        sys.stderr.write(f"{question} ")
        sys.stderr.flush()
        return _line(question, option)


class NoAsking:
    """Nobody is there: the command line has to answer, or what was piped in."""

    def confirm(self, question: str, option: str) -> bool:
        raise InputNeeded(question, option)

    def line(self, question: str, option: str) -> str:
        if sys.stdin.isatty():  # somebody is there, but would not see the question
            raise InputNeeded(question, option)
        return _line(question, option)


class SaidYes:
    """The command line already answered."""

    def confirm(self, question: str, option: str) -> bool:
        return True

    def line(self, question: str, option: str) -> str:
        raise InputNeeded(question, option)


def _line(question: str, option: str) -> str:
    line = sys.stdin.readline().strip()
    if not line:
        raise InputNeeded(question, option)
    return line


def asker(*, yes: bool) -> Asker:
    """The one for this run."""
    if yes:
        return SaidYes()
    return TerminalAsker() if sys.stdin.isatty() and sys.stderr.isatty() else NoAsking()
