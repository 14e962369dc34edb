"""Reads the pool's file and the ledger for the page, each in a thread of its own: no turn ever waits for a disk, a lock
or somebody who looks."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from accounts.errors import StoreError, StoreLost
from accounts.store.store import Store
from config import access


class PageReader:
    """Has the pool's file open as a command has. What it changes is news to the proxy, as if a command did it."""

    def __init__(self, pool_file: Path) -> None:
        self._path = pool_file
        self._store: Store | None = None
        self._generation = 0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page pool")
        self._rest = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page ledger")

    def close(self) -> None:
        """Nothing is waited for but what is being read; what waits is dropped."""
        self._pool.submit(self._let_go)
        self._pool.shutdown(cancel_futures=False)
        self._rest.shutdown(wait=False, cancel_futures=True)

    async def pool[T](self, question: Callable[[Store], T]) -> T:
        """What the pool's file says to this. Raises StoreError, and what the question does."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._asked, question)

    async def aside[T](self, question: Callable[[], T]) -> T:
        """What may take its time: nothing of the pool waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._rest, question)

    # In the thread of the pool

    def generation(self, store: Store) -> int:
        """Another number whenever somebody has written since it was asked for last."""
        if store.changed_by_others():
            self._generation += 1
        return self._generation

    def _asked[T](self, question: Callable[[Store], T]) -> T:
        try:
            return question(self._opened())
        except StoreError:
            self._let_go()  # the next one finds what is there then
            raise

    def _opened(self) -> Store:
        if self._store is not None:
            self._store.file.check(with_accounts=True)
        else:
            if not access.there(self._path):  # opening would make a new one
                raise StoreLost(self._path, "is gone")
            self._store = Store(self._path)
            self._generation += 1
        return self._store

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
