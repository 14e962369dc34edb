"""Who answers a question: the person at the terminal, the command line, or nobody."""

import sys
from typing import Protocol

from accounts.errors import InputNeeded


class Asker(Protocol):
    def confirm(self, question: str, option: str) -> bool:
        """Whether to go on. `option` is what would have answered on the command line."""


class TerminalAsker:
    """Asks on stderr, so that stdout holds the answer of the command only. Anything but yes is no."""

    def confirm(self, question: str, option: str) -> bool:
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in {"y", "yes"}


class NoAsking:
    """Nobody is there: the command line has to answer."""

    def confirm(self, question: str, option: str) -> bool:
        raise InputNeeded(question, option)


class SaidYes:
    """The command line already answered."""

    def confirm(self, question: str, option: str) -> bool:
        return True


def asker(*, yes: bool) -> Asker:
    """The one for this run."""
    if yes:
        return SaidYes()
    return TerminalAsker() if sys.stdin.isatty() and sys.stderr.isatty() else NoAsking()
