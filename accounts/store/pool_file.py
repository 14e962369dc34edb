"""The file of the pool while it is open: reading on the caller's thread, writing behind it.

Who runs for long looks after it with `check`: a file that is taken away or damaged is let go of, and gone on with when
it is back. What may wait is written then.
"""

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from accounts.errors import StoreBusy, StoreClosed, StoreError, StoreLost
from accounts.store import schema
from accounts.store.file_watch import why_not
from accounts.store.open_file import CHANGES_KEPT, OpenFile

__all__ = ["CHANGES_KEPT", "MOST_WAITING", "PoolFile"]

MOST_WAITING: Final = 2_000
"""So many changes wait for a file that is away; the oldest are dropped."""

type _Work = Callable[[sqlite3.Connection], Any]


class PoolFile:
    """One connection that reads, and one that writes, which a thread of its own has. The file must be in shape.

    While it is away, reading raises StoreLost, and so do the Futures of writes whose answer counts; what was only
    learned waits for it, a bounded number of changes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """What is wrong with the file: the rest of a sentence about it, "" when it can be used."""
        self._id = os.urandom(8).hex()
        self._reading = threading.Lock()
        self._closed = False
        self._doubted = False
        self._waiting: deque[tuple[Future[Any], _Work]] = deque()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pool-writer")
        try:
            self._open = self._opened()
        except BaseException:
            self._executor.shutdown()
            raise

    def close(self) -> None:
        """Finish what is queued and close the file. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if not self.trouble:
            with self._reading:
                self._executor.submit(self._open.close).result()
        self._executor.shutdown()
        self._drop(0)

    def read(self, query: str, *values: object) -> list[sqlite3.Row]:
        """Every row that a query finds."""
        with self._reader() as opened:
            return opened.reader.execute(query, values).fetchall()

    def changed_by_others(self, now: float, within: float) -> bool:
        """As ChangeWatch has it; never of a file that is away."""
        if self.trouble:
            return False
        with self._reader() as opened:
            return opened.changes.changed(now, within)

    def write[T](self, work: Callable[[sqlite3.Connection], T], *, may_wait: bool = False) -> Future[T]:
        """Queue a transaction. Its Future has what `work` returns, or what kept it from the disk. `may_wait`: while the
        file is away, its Future waits for it as well."""
        try:
            if may_wait and self.trouble and not self._closed:
                return self._wait(work)
            return self._executor.submit(self._transaction, work)
        except RuntimeError:  # the executor was shut down
            refused: Future[T] = Future()
            refused.set_exception(StoreClosed(self.path))
            return refused

    def flush(self) -> None:
        """Wait until everything queued so far is on disk."""
        if not self._closed:
            self._executor.submit(lambda: None).result()

    def check(self, *, with_accounts: bool) -> bool:
        """See whether the file is still there and whole, or back again; whether that has changed. By one thread at a
        time. `with_accounts`: another file without any account in it is none to go on with."""
        if self._closed:
            return False
        before = self.trouble
        if before:
            self.trouble = why_not(self.path, len(schema.MIGRATIONS), with_accounts=with_accounts) or self._reopened()
        else:
            closely, self._doubted = self._doubted, False
            found = self._open.file.trouble(closely=closely)
            if found is not None:
                with self._reading:
                    self.trouble = found.what
                    self._executor.submit(self._open.abandon, whole=found.moved).result()
        return bool(self.trouble) != bool(before)

    # --- inside --------------------------------------------------------------------------------------------------

    def _opened(self) -> OpenFile:
        with schema.explained(self.path):
            return self._executor.submit(OpenFile, self.path, self._id).result()

    def _reopened(self) -> str:
        """Go on with the file that is there now. Why not, "" when that is done."""
        try:
            opened = self._opened()
        except StoreError:
            return "cannot be opened"
        with self._reading:
            self._open = opened
            self.trouble = ""
        while self._waiting:
            waited, work = self._waiting.popleft()
            self._executor.submit(self._late, waited, work)
        return ""

    @contextmanager
    def _reader(self) -> Iterator[OpenFile]:
        with self._reading:
            if self.trouble:
                raise StoreLost(self.path, self.trouble)
            try:
                with schema.explained(self.path):
                    yield self._open
            except StoreBusy:
                raise
            except StoreError:
                self._doubted = True
                raise

    def _transaction[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.trouble:
            raise StoreLost(self.path, self.trouble)
        try:
            with schema.explained(self.path):
                return self._open.transaction(work)
        except StoreBusy:
            raise
        except StoreError:
            self._doubted = True
            raise

    def _wait[T](self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        waiting: Future[T] = Future()
        self._waiting.append((waiting, work))
        self._drop(MOST_WAITING)
        return waiting

    def _late(self, waited: Future[Any], work: _Work) -> None:
        try:
            waited.set_result(self._transaction(work))
        except Exception as e:  # noqa: BLE001 - whoever asked for it gets it
            waited.set_exception(e)

    def _drop(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft()[0].set_exception(StoreLost(self.path, self.trouble))
