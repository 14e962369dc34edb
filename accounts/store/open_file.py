"""The two connections to the pool's file. To be made, written with and closed by one thread, the writer's."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from accounts.store import schema
from accounts.store.change_watch import ChangeWatch
from accounts.store.file_watch import FileWatch

CHANGES_KEPT = 512


class OpenFile:
    """`own` marks this opener's transactions. Raises what SQLite and the disk do."""

    def __init__(self, path: Path, own: str) -> None:
        self._own = own
        self._patient = True
        with ExitStack() as undo:
            self.reader = undo.enter_context(closing(schema.connect(path, "ro", own_thread=False)))
            self.changes = ChangeWatch(self.reader, own)
            self._writer = undo.enter_context(closing(schema.connect(path, "rw")))
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self._writer.execute(f"PRAGMA {pragma}")
            self.file = FileWatch(path)
            undo.pop_all()

    def close(self) -> None:
        """In this order: the last connection tidies up, and only the writer's may."""
        self.reader.close()
        self._writer.close()

    def abandon(self, *, whole: bool) -> None:
        """Close a file that is not at its place any more, or damaged, and touch nothing that is there now.

        `whole`: what is in the log beside it belongs into it, wherever it is."""
        if whole:
            with suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for connection in (self.reader, self._writer):
            with suppress(sqlite3.Error):
                connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
                connection.close()

    def transaction[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        """All of it, or nothing."""
        db = self._writer
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            self._be_patient(False)  # the queue behind this one must not add up the waiting
            raise
        self._be_patient(True)
        try:
            answer = work(db)
            added = db.execute("INSERT INTO change (writer) VALUES (?)", (self._own,))
            db.execute("DELETE FROM change WHERE seq <= ?", ((added.lastrowid or 0) - CHANGES_KEPT,))
            db.execute("COMMIT")
        finally:
            if db.in_transaction:  # the work failed, or the commit did
                db.execute("ROLLBACK")
        return answer

    def _be_patient(self, patient: bool) -> None:
        if patient is not self._patient:
            self._patient = patient
            self._writer.execute(f"PRAGMA busy_timeout = {schema.BUSY_SECONDS * 1000 if patient else 100:.0f}")
