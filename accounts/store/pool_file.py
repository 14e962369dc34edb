"""The file of the pool while it is open: reading on the caller's thread, writing behind it."""

import os
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

from accounts.errors import StoreClosed
from accounts.store import schema
from accounts.store.change_watch import ChangeWatch

CHANGES_KEPT = 512


class PoolFile:
    """One connection that reads, and one that writes, which a thread of its own has. The file must be in shape."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._id = os.urandom(8).hex()
        self._reading = threading.Lock()
        self._closed = False
        self._patient = True
        with schema.explained(path), ExitStack() as undo:
            self._reader = undo.enter_context(closing(schema.connect(path, "ro", own_thread=False)))
            self._watch = ChangeWatch(self._reader, self._id)
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pool-writer")
            undo.callback(self._executor.shutdown)
            self._writer: sqlite3.Connection = self._executor.submit(self._open_writer).result()
            undo.pop_all()

    def close(self) -> None:
        """Finish what is queued and close the file. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        with self._reading:
            self._reader.close()  # first: the last connection tidies up, and only the writer's may
        self._executor.submit(self._writer.close)
        self._executor.shutdown()

    def read(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Every row that a query finds."""
        with self._reading, schema.explained(self.path):
            return self._reader.execute(query, values).fetchall()

    def changed_by_others(self, now: float, within: float) -> bool:
        """As ChangeWatch has it."""
        with self._reading, schema.explained(self.path):
            return self._watch.changed(now, within)

    def write[T](self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Queue a transaction. Its Future has what `work` returns, or what kept it from the disk."""
        try:
            return self._executor.submit(self._transaction, work)
        except RuntimeError:  # the executor was shut down
            refused: Future[T] = Future()
            refused.set_exception(StoreClosed(self.path))
            return refused

    def flush(self) -> None:
        """Wait until everything queued so far is on disk."""
        if not self._closed:
            self._executor.submit(lambda: None).result()

    def _open_writer(self) -> sqlite3.Connection:
        writer = schema.connect(self.path, "rw")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            writer.execute(f"PRAGMA {pragma}")
        return writer

    def _be_patient(self, patient: bool) -> None:
        if patient is not self._patient:
            self._patient = patient
            self._writer.execute(f"PRAGMA busy_timeout = {schema.BUSY_SECONDS * 1000 if patient else 100:.0f}")

    def _transaction[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._writer
        with schema.explained(self.path):
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                self._be_patient(False)  # the queue behind this one must not add up the waiting
                raise
            self._be_patient(True)
            try:
                answer = work(db)
                added = db.execute("INSERT INTO change (writer) VALUES (?)", (self._id,))
                db.execute("DELETE FROM change WHERE seq <= ?", ((added.lastrowid or 0) - CHANGES_KEPT,))
                db.execute("COMMIT")
            finally:
                if db.in_transaction:  # the work failed, or the commit did
                    db.execute("ROLLBACK")
        return answer
