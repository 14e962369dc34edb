"""Writes the ledger behind the answers: several turns at once, in a thread of its own, whatever the disk does.

What cannot be written is kept and tried again; when there is too much of it the oldest is lost, which is counted and
said. No turn ever waits for it.
"""

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from accounts.ledger.records import TurnRecord
from accounts.ledger.usage_db import DAY, HOUR, UsageDb
from config import clock

WRITE_SECONDS: Final = 0.5
"""So late at most a turn is in the ledger."""
RETRY_SECONDS: Final = 5.0
MOST_KEPT: Final = 10_000
"""Turns that wait for a disk that takes nothing."""
LAST_SECONDS: Final = 5.0
"""What the last writing gets when the proxy ends."""
KEPT_DAYS: Final = 90

logger = logging.getLogger(__name__)


class LedgerWriter:
    """An addon: the ledger of its proxy, in the file that `path` names. `days` says, once the proxy runs, how long rows
    of turns are kept."""

    def __init__(
        self,
        path: Callable[[], Path],
        days: Callable[[], int] = lambda: KEPT_DAYS,
        now: Callable[[], float] = clock.now,
    ) -> None:
        self._path = path
        self._days = days
        self._keeps: int | None = None
        self._now = now
        self._waiting: deque[TurnRecord] = deque()
        self._lost = 0
        """Turns that nobody will ever write, and that the file does not know of yet."""
        self._news = threading.Condition()
        self._ends = False
        self._thread: threading.Thread | None = None
        self._said = ""
        """Why nothing can be written, as the log has it; "" while all is well."""

    def running(self) -> None:
        self._keeps = self._days()

    def add(self, record: TurnRecord) -> None:
        with self._news:
            self._waiting.append(record)
            self._drop()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
                self._thread.start()
            elif len(self._waiting) == 1:
                self._news.notify()

    def done(self) -> None:
        """The proxy ends: what is left is written now, if the disk takes it in time."""
        with self._news:
            self._ends = True
            thread, self._thread = self._thread, None
            self._news.notify()
        if thread is not None:
            thread.join(LAST_SECONDS)
        with self._news:
            missing = self._lost + len(self._waiting)
        if missing:
            logger.warning("codex-rotate: %d turns are missing in the ledger of this proxy", missing)

    def _drop(self) -> None:
        while len(self._waiting) > MOST_KEPT:
            self._waiting.popleft()
            self._lost += 1

    # In the thread

    def _run(self) -> None:
        db, swept_at = UsageDb(self._path()), float("-inf")
        try:
            while self._awaits_news():
                if self._write(db) and self._now() - swept_at >= HOUR:
                    swept_at = self._now()
                    self._sweep(db)
        finally:
            db.close()

    def _awaits_news(self) -> bool:
        """Wait for turns, and a bit for more of them. False at the end, when there are none."""
        with self._news:
            if not self._ends and not self._waiting:
                self._news.wait_for(lambda: self._ends or self._waiting)
            if not self._ends:
                self._news.wait_for(lambda: self._ends, RETRY_SECONDS if self._said else WRITE_SECONDS)
            return bool(self._waiting)

    def _write(self, db: UsageDb) -> bool:
        """Whether all that waits is written now."""
        with self._news:
            batch, lost = list(self._waiting), self._lost
            self._waiting.clear()
            self._lost = 0
        try:
            db.write(batch, lost, self._said)
        except (sqlite3.Error, OSError) as e:
            db.close()
            self._say(db.path, e)
            with self._news:
                self._lost += lost
                if self._ends:
                    self._lost += len(batch)  # there is no next time
                else:
                    self._waiting.extendleft(reversed(batch))
                    self._drop()
            return False
        if self._said:
            logger.warning("codex-rotate: turns are written to the ledger again; %d are missing", lost)
            self._said = ""
        return True

    def _say(self, path: Path, error: Exception) -> None:
        """Once, until all is well again."""
        if not self._said:
            self._said = getattr(error, "strerror", None) or str(error)
            logger.warning(
                "codex-rotate: turns cannot be written to the ledger, %s (%s). Turns go on, and what waits is written "
                "when it can be. `codex-rotate doctor` tells what to do.",
                path,
                self._said,
            )

    def _sweep(self, db: UsageDb) -> None:
        """Let go of what is too old; a disk that refuses that now is asked again in an hour."""
        if self._keeps is None:
            return
        try:
            db.forget_before(self._now() - self._keeps * DAY)
        except (sqlite3.Error, OSError) as e:
            logger.debug("codex-rotate: old turns stay in the ledger for now: %s", e)
