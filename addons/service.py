"""The pool as the proxy uses it: in memory, in step with the store, with tokens renewed when asked."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mitmproxy.utils import asyncio_utils

from accounts.codex_home import Watch, adopt
from accounts.errors import RotateError
from accounts.keeping import next_due, next_look, retry_after
from accounts.model import Event
from accounts.oauth import Renewal
from accounts.outcomes import Kind, Outcome
from accounts.pool import Lease, Pool
from accounts.refresh import Post, Refresher, post_json
from accounts.store import Store
from accounts.sync import switched_off
from accounts.turn import Turn
from addons.credentials import TurnStates

logger = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds a request waits for a new token before it goes to another account; a WebSocket's client gives up at 15."""


class PoolService:
    """One per proxy. Raises StoreError on opening what is not a usable database."""

    def __init__(self, database: Path, clock: Callable[[], float], post: Post = post_json) -> None:
        self.clock = clock
        self.store = Store(database)
        self.pool = Pool(self.store)
        self.pool.load(self.store)
        self.turn_states = TurnStates()
        self._watch = Watch()
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
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
        """Newer tokens for the lease's account, if there are any to be had soon. What comes later is not lost."""
        renewing = asyncio_utils.create_task(
            self._renew(lease, reason), name=f"refresh {lease.account.label}", keep_ref=True
        )
        try:
            return await asyncio.wait_for(asyncio.shield(renewing), PATIENCE)
        except TimeoutError:
            return Renewal(detail="the token endpoint has not answered yet")

    async def adopt(self, file: Path) -> None:
        """The official client may have renewed a login that the pool holds as well: whoever was first, we follow."""
        stat = await asyncio.to_thread(_stat, file)
        if switched_off(os.environ) or not self._watch.changed(stat):
            return
        self._watch = Watch.of(stat)
        if stat is not None:
            try:
                renewed = await asyncio.to_thread(adopt, self.store, file, self.clock())
            except RotateError as e:
                logger.warning("codex-rotate: %s", e)
                return
            if renewed:
                self.pool.load(self.store)  # our own writes are not news to us
                logger.info("codex-rotate: took over %d renewed logins from the client", len(renewed))

    async def keep(self, chance: float) -> bool:
        """Renew the one token that is due next, before a request needs it. True when there was one."""
        now = self.clock()
        self.sync()
        key = next_due(self.pool.seats.values(), self.pool.tokens, self._not_before, now)
        lease = self.pool.lease_of(key, now) if key is not None else None
        if lease is None:
            return False
        renewal = await self._renew(lease, "proactive_expiry")
        if renewal.credentials is not None:
            self._failures.pop(lease.key, None)
            self._not_before[lease.key] = next_look(renewal.credentials, now)
        elif renewal.dead and lease.expired(now):
            self.pool.report(lease, Outcome(kind=Kind.TOKEN_INVALIDATED, detail=renewal.detail), now)
        else:
            self._failures[lease.key] += 1
            self._not_before[lease.key] = now + retry_after(self._failures[lease.key], chance)
        return True

    async def _renew(self, lease: Lease, reason: str) -> Renewal:
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


def _stat(file: Path) -> os.stat_result | None:
    try:
        return file.stat()
    except OSError:
        return None
