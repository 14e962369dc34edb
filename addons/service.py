"""The pool as the proxy uses it: in memory, in step with the store, with tokens renewed when asked."""

import logging
from collections.abc import Callable
from pathlib import Path

from accounts.model import Event, Standing
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
        self._refresher = Refresher.make(self.store, database.parent / "locks", clock, post)

    def close(self) -> None:
        self._refresher.close()
        self.store.close()

    def sync(self) -> None:
        """Take in what the CLI or another proxy has changed. Costs one pragma when nobody has."""
        if self.store.changed_by_others():
            self.pool.load(self.store)

    def turn(self, thread: str, *, steady: bool = False) -> Turn:
        """A request begins: with the pool as it is now, whoever changed it."""
        self.sync()
        return Turn(pool=self.pool, thread=thread, began=self.clock(), steady=steady)

    async def renew(self, lease: Lease, reason: str) -> Renewal:
        """Newer tokens for the lease's account; a dead refresh token takes the account out of service."""
        renewal = await self._refresher.renew(lease.key, lease.credentials, reason)
        now = self.clock()
        if renewal.credentials is not None:
            self.pool.renewed(lease.key, renewal.credentials)
            self.store.record(Event(at=now, kind="refreshed", key=lease.key, detail=renewal.detail or reason))
        elif renewal.dead:
            logger.warning(
                "codex-rotate: %s was signed out (%s). Run `codex login` with that account, then import it.",
                lease.account.label,
                renewal.detail,
            )
            self.pool.retire(lease.key, Standing.NEEDS_LOGIN)
            self.store.record(Event(at=now, kind="signed_out", key=lease.key, detail=renewal.detail))
        else:
            logger.warning("codex-rotate: no new token for %s: %s", lease.account.label, renewal.detail)
        return renewal
