"""File operations on Windows, where a virus scanner or an indexer may hold a file for a moment."""

from collections.abc import Callable
from typing import Final

from config import clock

WAITS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds before each further try."""
_PASSING: Final = {5, 32, 33}
"""Access denied, sharing violation, lock violation: what Windows says of a file that is being looked at."""


def patiently[T](work: Callable[[], T], pause: Callable[[float], None] = clock.pause) -> T:
    """Do `work`, again and again for a second and a half while Windows says that somebody else has the file.

    Elsewhere a refusal is final and raised at once.
    """
    for wait in WAITS:
        try:
            return work()
        except OSError as e:
            if getattr(e, "winerror", None) not in _PASSING:
                raise
            pause(wait)
    return work()
