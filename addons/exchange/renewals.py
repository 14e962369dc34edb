"""Tokens of the pool's accounts, renewed when a request asks for it and, in the background, before one does."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mitmproxy.utils import asyncio_utils

from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.codex_files.client_files import Writer, places
from accounts.codex_files.home_login import HomeLogin
from accounts.model import Event, Standing
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from accounts.tokens.refresh import Post, Refresher
from accounts.tokens.schedule import next_due, next_look, retry_after
from accounts.turn.events import NotRenewed, Renewed, Waited
from accounts.turn.steps import Pause, Renew
from addons.exchange.notices import AccountNotices
from config.clock import pause

logger = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds a request waits for a new token before it goes to another account; a WebSocket's client gives up at 15."""


class Renewals:
    """One per proxy. `clock` tells epoch seconds; `post` asks the token endpoint."""

    def __init__(self, store: Store, pool: Pool, clock: Callable[[], float], post: Post, locks: Path) -> None:
        self.store = store
        self.pool = pool
        self.clock = clock
        self.notices = AccountNotices()
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._home_login = HomeLogin(store, places(), Writer(pause=pause), clock)
        self._refresher = Refresher(store, locks, clock, post, self._home_login)

    def close(self) -> None:
        self._refresher.close()

    def save_again(self) -> bool:
        """Offer the disk once more the tokens that it has refused. False when there are none."""
        if not self._refresher.unsaved:
            return False
        self._refresher.save_again()
        return True

    async def renew(self, lease: Lease, reason: str) -> Renewal:
        """Newer tokens for the lease's account, if there are any to be had soon. What comes later is not lost."""
        renewing = asyncio_utils.create_task(
            self._renew(lease, reason), name=f"refresh {lease.account.label}", keep_ref=True
        )
        try:
            return await asyncio.wait_for(asyncio.shield(renewing), PATIENCE)
        except TimeoutError:
            return Renewal(detail="the token endpoint has not answered yet")

    async def for_turn(self, step: Renew | Pause) -> Renewed | NotRenewed | Waited:
        """What a turn waits for: a moment, or a newer token."""
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Waited()
        renewal = await self.renew(step.lease, "proactive_expiry" if step.ahead else "unauthorized_recovery")
        if renewal.credentials is not None:
            return Renewed(renewal.credentials)
        kind = Kind.TOKEN_INVALIDATED if renewal.dead else Kind.REFRESH_FAILED
        return NotRenewed(Outcome(kind=kind, detail=renewal.detail))

    async def look_at_client(self) -> bool:
        """The official client may hold a login of the pool as well: whoever was first, the other one follows. Whether
        the store has something new by it."""
        renewed = await asyncio.to_thread(self._home_login.look)
        if renewed:
            logger.info("codex-rotate: took over %d renewed logins from the client", len(renewed))
        return bool(renewed)

    async def keep(self, chance: float) -> bool:
        """Renew the one token that is due next, before a request needs it. True when there was one."""
        now = self.clock()
        key = next_due(self.pool.candidates.values(), self.pool.tokens, self._not_before, now)
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
        elif renewal.dead:
            logger.debug("codex-rotate: no new token for %s: %s", lease.account.label, renewal.detail)
            self.notices.needs_owner(lease.account, Standing.NEEDS_LOGIN)
        else:
            logger.warning("codex-rotate: no new token for %s: %s", lease.account.label, renewal.detail)
        return renewal
