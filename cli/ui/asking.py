"""Who answers a question: the person at the terminal, the command line, or nobody."""

import sys
from typing import Final, Protocol

from accounts.errors import InputNeeded
from cli.ui.lines import fitted, terminal_width


class Asker(Protocol):
    @property
    def there(self) -> bool:
        """Whether a person sees what is asked, so that a question may be asked again or need no answer."""

    def confirm(self, question: str, option: str) -> bool:
        """Whether to go on. `option` is what would have answered on the command line."""

    def line(self, question: str, option: str) -> str:
        """One line of text; `option` is what needs none. Raises InputNeeded when there is no line."""

    def answer(self, question: str) -> str:
        """One line from whoever is `there`, "" for nothing but Enter; from anybody else "", without a question."""


class TerminalAsker:
    """Asks on stderr, so that stdout holds the answer of the command only. Anything but yes is no."""

    there: Final = True

    def confirm(self, question: str, option: str) -> bool:
        _ask(f"{question} [y/N]")
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def line(self, question: str, option: str) -> str:
        _ask(question)
        return _line(question, option)

    def answer(self, question: str) -> str:
        _ask(question)
        return sys.stdin.readline().strip()


class NoAsking:
    """Nobody is there: the command line has to answer, or what was piped in."""

    there: Final = False

    def confirm(self, question: str, option: str) -> bool:
        raise InputNeeded(question, option)

    def line(self, question: str, option: str) -> str:
        if sys.stdin.isatty():  # somebody is there, but would not see the question
            raise InputNeeded(question, option)
        return _line(question, option)

    def answer(self, question: str) -> str:
        return ""


class SaidYes:
    """The command line already answered."""

    there: Final = False

    def confirm(self, question: str, option: str) -> bool:
        return True

    def line(self, question: str, option: str) -> str:
        raise InputNeeded(question, option)

    def answer(self, question: str) -> str:
        return ""


def _ask(question: str) -> None:
    sys.stderr.write(f"{fitted(question, terminal_width(sys.stderr))} ")
    sys.stderr.flush()


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
