"""A small gap between two refreshes that leave this machine, whoever sends them.

Siblings of one login that were renewed at the same instant have been revoked. What matters is the moment of sending:
nobody has to wait for another account's answer.
"""

import contextlib
from collections.abc import Callable
from typing import Final

from accounts.tokens.locks import AccountLocks
from config import clock
from config.files import write_private

SEND_GAP: Final = 0.5
"""Seconds between two refresh tokens that leave."""


class SendGap:
    """The queue of all processes that share a folder of locks. `now` gives seconds since the epoch."""

    def __init__(
        self, locks: AccountLocks, now: Callable[[], float], pause: Callable[[float], None] = clock.pause
    ) -> None:
        self._locks = locks
        self._now = now
        self._pause = pause
        self._file = locks.folder / "last.sent"

    def wait(self) -> None:
        """Until it is this caller's turn to send. Raises AccountBusy when the queue is too long, OSError or StoreError
        when the disk refuses; nothing may be sent then."""
        with self._locks.sending():
            left = self._last() + SEND_GAP - self._now()
            if 0 < left <= SEND_GAP:  # more: the clock was set back
                self._pause(left)
            write_private(self._file, repr(self._now()).encode())

    def _last(self) -> float:
        with contextlib.suppress(OSError, ValueError):
            return float(self._file.read_text("ascii"))
        return 0.0
