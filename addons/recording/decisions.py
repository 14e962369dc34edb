"""Puts decision records into the history, behind the answers."""

import asyncio
from typing import Final

from accounts.model import Event
from accounts.store.store import Store

RECORD_SECONDS: Final = 0.2
"""So late at most a decision is in the history."""


class DecisionWriter:
    """Writes those of a moment together, since each write costs as much as a tenth of a turn."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._decided: list[Event] = []

    def add(self, record: Event) -> None:
        self._decided.append(record)
        if len(self._decided) == 1:
            try:
                asyncio.get_running_loop().call_later(RECORD_SECONDS, self.flush)
            except RuntimeError:  # nothing runs that could come back to it
                self.flush()

    def flush(self) -> None:
        decided, self._decided = self._decided, []
        if decided:
            self.store.record(*decided)
