"""The bounded history of a store, and its counters, which outlive what they count."""

import sqlite3
import threading
from concurrent.futures import Future

from accounts.model import Event
from accounts.store.pool_file import PoolFile
from accounts.store.stored_tokens import StoredTokens

EVENTS_KEPT = 5_000


class EventLog:
    """What Store says of them, it does. `tokens` are those that must not be in it."""

    def __init__(self, file: PoolFile, tokens: StoredTokens) -> None:
        self._file = file
        self._tokens = tokens
        self._recording = threading.Lock()
        self._news: list[Event] = []
        self._recorded: Future[None] | None = None

    def events(self, limit: int) -> tuple[Event, ...]:
        found = self._file.read("SELECT at, kind, key, thread, detail FROM event ORDER BY seq DESC LIMIT ?", limit)
        return tuple(Event(**dict(row)) for row in found)

    def events_after(self, seq: int) -> tuple[tuple[Event, ...], int]:
        found = self._file.read("SELECT seq, at, kind, key, thread, detail FROM event WHERE seq > ? ORDER BY seq", seq)
        last = found[-1]["seq"] if found else seq
        return tuple(Event(**dict(zip(row.keys()[1:], tuple(row)[1:], strict=True))) for row in found), last

    def counters(self) -> dict[str, int]:
        return {row["name"]: row["value"] for row in self._file.read("SELECT name, value FROM counter ORDER BY name")}

    def record(self, *events: Event) -> Future[None]:
        with self._recording:
            self._news = [*self._news, *events][-EVENTS_KEPT:]
            if self._recorded is None or self._recorded.done():  # done, and still here: it never reached the disk
                self._recorded = self._file.write(self._save, may_wait=True)
            return self._recorded

    def count(self, name: str, by: int) -> Future[None]:
        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO counter (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, by),
            )

        return self._file.write(work, may_wait=True)

    def _save(self, db: sqlite3.Connection) -> None:
        with self._recording:
            news, self._news, self._recorded = self._news, [], None
        masked = self._tokens.masker(db)
        for event in news:
            db.execute(
                "INSERT INTO event (at, kind, key, thread, detail) VALUES (?, ?, ?, ?, ?)",
                (event.at, event.kind, event.key, event.thread, masked(event.detail)),
            )
        db.execute("DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?", (EVENTS_KEPT,))
