# ruff: noqa: INP001 - scripts/ holds programs
"""Somebody who uses the official CLI at a desk, and what is told of it meanwhile."""

import sys
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from config import clock
from tests.e2e.codex import FELL_BACK, Ran
from tests.e2e.desk import Desk

_LOCK: Final = Lock()


@dataclass
class User:
    """One user, and what went wrong in front of that user. `end` is when the time is up, by the monotonic clock."""

    name: str
    desk: Desk
    end: float
    began: float = field(default_factory=clock.monotonic)
    asked: int = 0
    faults: list[str] = field(default_factory=list)

    def tell(self, words: str, lines: list[str] | None = None) -> None:
        """With the time, and below it what is on the user's screen."""
        minutes, seconds = divmod(int(clock.monotonic() - self.began), 60)
        with _LOCK:
            sys.stdout.write(f"{minutes:2}:{seconds:02}  {self.name:9}  {words}\n")
            sys.stdout.writelines(f"                  | {line}\n" for line in lines or ())
            sys.stdout.flush()

    def next_question(self) -> tuple[str, str]:
        """A question, and what the model says to it."""
        self.asked += 1
        text = f"This is answer {self.asked}."
        for account in self.desk.accounts:
            self.desk.upstream.answer_with(account.account_id, text)
        return f"question {self.asked}", text

    def wrong(self, what: str) -> None:
        self.faults.append(what)
        self.tell(f"WRONG: {what}")


def beside(ran: Ran, *expected: str) -> list[str]:
    """The lines of a run that are part of neither the talk nor what is usual."""
    return [line for line in ran.said_beside(*expected) if not line.endswith(FELL_BACK)]
