"""Notices that somebody has set the clock: the one that tells the time and the one that only counts go apart."""

from typing import Final

NOTICED: Final = 5.0
"""Seconds that the two may differ between two looks. Less is an adjustment, or a slow look."""


class ClockJumps:
    """`told` is seconds since the epoch, `counted` seconds on a clock that never jumps."""

    def __init__(self, told: float, counted: float) -> None:
        self._apart = told - counted

    def since(self, told: float, counted: float) -> float:
        """By how many seconds the time was set ahead since the last look (below 0: back); 0 when it was not. A machine
        that has slept looks like one that was set ahead."""
        apart, before = told - counted, self._apart
        self._apart = apart
        return apart - before if abs(apart - before) > NOTICED else 0.0
