"""What is under way on which account: turns, threads that have just come from elsewhere, moments of patience."""

from collections import Counter, deque
from collections.abc import Set as AbstractSet
from itertools import count
from typing import Final

from accounts.choice.selection import RAMP_SECONDS

PATIENCE_SECONDS: Final = 30.0
"""After a thread has waited for an account that was asked too often, it does not do so again for so long."""


class Load:
    """By the keys of accounts."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._followed: deque[tuple[float, str, str]] = deque()
        self._turns = count(1)
        self._paced: dict[tuple[str, str], float] = {}

    def begin(self, key: str) -> None:
        """A turn begins on this account."""
        self._in_flight[key] += 1

    def end(self, key: str) -> None:
        """A turn on this account is over."""
        self._in_flight[key] -= 1
        if self._in_flight[key] <= 0:
            del self._in_flight[key]

    def without_times(self) -> "Load":
        """The same without what was to be over at a certain time: the clock was set."""
        new = Load()
        new._in_flight, new._turns = self._in_flight, self._turns
        return new

    def in_flight(self, key: str) -> int:
        return self._in_flight[key]

    def follow(self, key: str, thread: str, now: float) -> None:
        """A thread comes here because the account that it lived on has failed."""
        self._followed.append((now, key, thread))

    def next_turn(self) -> int:
        """Turns are numbered, for those who take them in order."""
        return next(self._turns)

    def followed(self, now: float) -> Counter[str]:
        """How many threads have come lately."""
        while self._followed and self._followed[0][0] <= now - RAMP_SECONDS:
            self._followed.popleft()
        return Counter(key for key, _ in {(key, thread) for _, key, thread in self._followed})

    @property
    def busy(self) -> AbstractSet[str]:
        """The accounts on which something is under way."""
        return self._in_flight.keys()

    @property
    def is_empty(self) -> bool:
        return not (self._in_flight or self._followed)

    def may_pace(self, key: str, thread: str, now: float) -> bool:
        """The account asks for a moment; whether its thread waits for it. It does so once in PATIENCE_SECONDS."""
        at = self._paced.get((thread, key))
        return at is None or now - at >= PATIENCE_SECONDS

    def pace(self, key: str, thread: str, now: float) -> None:
        """The thread waits for the account."""
        self._paced = {mark: at for mark, at in self._paced.items() if now - at < PATIENCE_SECONDS}
        self._paced[thread, key] = now

    def earned(self, key: str, thread: str) -> None:
        """The account has served the thread: it may ask for a moment again."""
        self._paced.pop((thread, key), None)
