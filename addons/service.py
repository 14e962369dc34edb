"""The pool as the proxy uses it: in memory, in step with the store, with tokens renewed when asked."""

import logging
from collections.abc import Callable
from pathlib import Path

from accounts.model import Event
from accounts.oauth import Renewal
from accounts.pool import Lease, Pool
from accounts.refresh import Post, Refresher, post_json
from accounts.store import Store
from accounts.turn import Turn
from addons.credentials import TurnStates

logger = logging.getLogger(__name__)


class PoolService:
    """One per proxy. Raises StoreError on opening what is not a usable database."""

    def __init__(self, database: Path, clock: Callable[[], float], post: Post = post_json) -> None:
        self.clock = clock
        self.store = Store(database)
        self.pool = Pool(self.store)
        self.pool.load(self.store)
        self.turn_states = TurnStates()
        self._refresher = Refresher(self.store, database.parent / "locks", clock, post)

    def close(self) -> None:
        self._refresher.close()
        self.store.close()

    def sync(self) -> None:
        """Take in what the CLI or another proxy has changed. Costs one pragma when nobody has."""
        if self._refresher.unsaved:
            self._refresher.save_again()
        elif self.store.changed_by_others():
            self.pool.load(self.store)

    def turn(self, thread: str, *, steady: bool = False) -> Turn:
        """A request begins: with the pool as it is now, whoever changed it."""
        self.sync()
        return Turn(pool=self.pool, thread=thread, began=self.clock(), steady=steady)

    async def renew(self, lease: Lease, reason: str) -> Renewal:
        """Newer tokens for the lease's account, if there are any to be had."""
        renewal = await self._refresher.renew(lease.key, lease.credentials, reason)
        now = self.clock()
        if renewal.credentials is not None:
            self.pool.renewed(lease.key, renewal.credentials)
            if lease.key in self._refresher.unsaved:
                logger.error(
                    "codex-rotate: the new tokens of %s are %s. Mend that and keep the proxy running meanwhile.",
                    lease.account.label,
                    renewal.detail,
                )
            self.store.record(Event(at=now, kind="refreshed", key=lease.key, detail=renewal.detail or reason))
        else:
            logger.warning("codex-rotate: no new token for %s: %s", lease.account.label, renewal.detail)
        return renewal
