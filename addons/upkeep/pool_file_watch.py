"""Looks after the pool's file while the proxy runs: says once that it is gone or damaged, and goes on with it when it
is back. Meanwhile the accounts in memory serve."""

import asyncio
import logging
import os

from accounts.errors import StoreError
from accounts.store import trouble_notes
from accounts.store.trouble_notes import TroubleNote
from addons.exchange.service import PoolService
from config import proxy_files

logger = logging.getLogger(__name__)


class PoolFileWatch:
    """One per proxy."""

    def __init__(self, service: PoolService) -> None:
        self.service = service
        self._told = False

    async def look(self) -> None:
        """What there is to say of the file, and to the commands that look at it."""
        file = self.service.store.file
        changed = await asyncio.to_thread(file.check, with_accounts=bool(self.service.pool.candidates))
        if file.trouble:
            self._lost(file.trouble)
        elif changed:
            self._back()

    def close(self) -> None:
        """The proxy ends, and so does what it says."""
        trouble_notes.take_away(proxy_files.folder(), os.getpid())

    def _lost(self, trouble: str) -> None:
        trouble_notes.leave(proxy_files.folder(), TroubleNote(os.getpid(), trouble))
        if self._told:
            return
        self._told = True
        logger.error(
            "codex-rotate: %s %s. The proxy goes on from memory (accounts: %d), and what it learns waits. Keep it "
            "running and put the file back, or bring a backup back: `codex-rotate backup list`, `codex-rotate backup "
            "restore NAME`.",
            self.service.store.path,
            trouble,
            len(self.service.pool.candidates),
        )

    def _back(self) -> None:
        self._told = False
        trouble_notes.take_away(proxy_files.folder(), os.getpid())
        try:
            self.service.renewals.offer_newer()
            self.service.reload()
        except StoreError as e:
            logger.warning("codex-rotate: the pool's file is back, and cannot be read yet: %s", e)
            return
        path, accounts = self.service.store.path, len(self.service.pool.candidates)
        logger.warning("codex-rotate: %s is back and is gone on with (accounts: %d).", path, accounts)
