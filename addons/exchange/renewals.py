"""Tokens of the pool's accounts, renewed when a request asks for it and, in the background, before one does."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mitmproxy.utils import asyncio_utils

from accounts.choice.clock_sense import SensibleSource
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.codex_files.client_files import Writer, places
from accounts.codex_files.home_login import HomeLogin
from accounts.errors import StoreError
from accounts.model import Credentials, Event, Standing
from accounts.store.store import Store
from accounts.tokens.asides import Asides
from accounts.tokens.endings import in_words, is_providers
from accounts.tokens.oauth import Renewal
from accounts.tokens.refresh import Post, Refresher
from accounts.tokens.renewal_queue import RenewalWait
from accounts.tokens.schedule import Retries, at_their_end, next_due
from accounts.tokens.unsaved import RememberingVault
from accounts.turn.events import NotRenewed, Renewed, Waited
from accounts.turn.steps import Pause, Renew
from addons.exchange.notices import AccountNotices
from config.clock import pause
from config.errors import RotateError

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
        self.outcomes = Counter[tuple[str, ...]]()
        """How often the tokens of an account, by its key, were "renewed", "failed" to be, or have "ended" for good."""
        self._retries = Retries()
        self._asides = Asides()
        self._home_login = HomeLogin(store, places(), Writer(pause=pause), clock)
        vault = RememberingVault(store, self._remembered)
        self._refresher = Refresher(vault, locks, clock, post, self._home_login)

    def close(self) -> None:
        self._refresher.close()

    def save_again(self) -> bool:
        """Offer the disk once more the tokens that it has refused. False when there are none."""
        if not self._refresher.unsaved:
            return False
        self._refresher.save_again()
        return True

    def offer_newer(self) -> None:
        """The file of the pool is another one: of an account whose login is older in it than here, it gets this one."""
        stored = self.store.all_credentials()
        for key, mine in self.pool.tokens.items():
            theirs = stored.get(key)
            if theirs is not None and theirs.refresh != mine.refresh and theirs.refreshed_at < mine.refreshed_at:
                self.store.save_credentials(key, mine, replaces=theirs.refresh).result()

    def clock_was_set(self) -> None:
        """No pause ends at a time that may be far away now."""
        self._retries, self._asides = Retries(), Asides()

    def wait_for(self, key: str) -> RenewalWait:
        """What a newer token of this account would have to wait for now."""
        return self._refresher.wait_for(key, self.clock())

    async def renew(self, lease: Lease, reason: str) -> Renewal:
        """Newer tokens for the lease's account, if there are any to be had soon. What comes later is not lost."""
        patience = PATIENCE - (self.wait_for(lease.key).sent_for or 0.0)
        renewing = asyncio_utils.create_task(
            self.renew_patiently(lease.key, lease.credentials, reason),
            name=f"refresh {lease.account.label}",
            keep_ref=True,
        )
        try:
            return await asyncio.wait_for(asyncio.shield(renewing), max(0.0, patience))
        except TimeoutError:
            return Renewal(detail="the token endpoint has not answered yet")

    async def for_turn(self, step: Renew | Pause) -> Renewed | NotRenewed | Waited:
        """What a turn waits for: a moment, or a newer token."""
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Waited()
        lease, now = step.lease, self.clock()
        aside = None if step.ahead else self._asides.refused(lease.key, lease.credentials, now)
        if aside is not None:
            detail = "401 again, with a renewed token"
            return NotRenewed(Outcome(kind=Kind.TOKEN_EXPIRED, until=aside, detail=detail))
        needed = not step.ahead or lease.expired(now)
        if lease.credentials.renewable and self._retries.must_wait(lease.key, now, needed=needed):
            return NotRenewed(Outcome(kind=Kind.REFRESH_FAILED, detail="the last renewal failed a moment ago"))
        renewal = await self.renew(lease, "proactive_expiry" if step.ahead else "unauthorized_recovery")
        if renewal.credentials is None:
            return NotRenewed(await self._without(step, renewal))
        if not step.ahead:
            self._asides.renewed(lease.key, renewal.credentials)
        return Renewed(renewal.credentials)

    async def look_at_client(self) -> bool:
        """The official client may hold a login of the pool as well: whoever was first, the other one follows. Whether
        the store has something new by it."""
        renewed = await asyncio.to_thread(self._home_login.look)
        if renewed:
            logger.info("codex-rotate: took over %d renewed logins from the client", len(renewed))
        return bool(renewed)

    async def keep(self) -> bool:
        """Renew the one token that is due next, before a request needs it. True when there was one."""
        now = self.clock()
        file_is_away = bool(self.store.file.trouble)
        for key in () if file_is_away else at_their_end(self.pool.candidates.values(), self.pool.tokens, now):
            await self._needs_login(key, self.pool.tokens[key].ended)
        due = next_due(self.pool.candidates.values(), self.pool.tokens, self._retries.not_before, now)
        if due is None:
            return False
        await self.renew_patiently(due, self.pool.tokens[due], "proactive_expiry")
        return True

    async def renew_patiently(self, key: str, stale: Credentials, reason: str) -> Renewal:
        """Newer tokens than these, however long it takes, and what follows from there being none."""
        renewal = await self._refresher.renew(key, stale, reason)
        now, candidate = self.clock(), self.pool.candidates.get(key)
        if candidate is None:  # removed meanwhile
            return renewal
        label = candidate.account.label
        self.outcomes[key, "renewed" if renewal.credentials else "ended" if renewal.ended else "failed"] += 1
        if renewal.credentials is not None:
            self._retries.worked(key, renewal.credentials, now)
            self.pool.renewed(key, renewal.credentials)
            if key in self._refresher.unsaved:
                logger.error(
                    "codex-rotate: the new tokens of %s are %s. Mend that and keep the proxy running meanwhile.",
                    label,
                    renewal.detail,
                )
            self.store.record(Event(at=now, kind="refreshed", key=key, detail=renewal.detail or reason))
        if renewal.ended:
            self._tell_end(key, renewal, now)
        elif renewal.credentials is None:
            self._retries.failed(key, now)
            why = renewal.detail.rstrip(".")
            logger.warning("codex-rotate: no new token for %s: %s. It is tried again later.", label, why)
        return renewal

    def _remembered(self, key: str) -> Credentials | None:
        return self.pool.tokens.get(key)

    def _load(self) -> None:
        """Take over what the store knows now; a file that cannot be read changes nothing."""
        try:
            self.pool.load(SensibleSource(self.store, self.clock()))
        except StoreError as e:
            logger.debug("codex-rotate: the pool goes on from memory: %s", e)

    def _tell_end(self, key: str, renewal: Renewal, now: float) -> None:
        """An account's login cannot be renewed any more: say so once, and until when it serves."""
        known = self.pool.tokens[key].ended if key in self.pool.tokens and renewal.credentials is None else ""
        if known:
            return
        self.store.record(Event(at=now, kind="renewal_ended", key=key, detail=renewal.detail))
        self._load()
        candidate = self.pool.candidates.get(key)
        if candidate is not None:
            self.notices.ends(candidate.account, self.pool.tokens.get(key), renewal.ended, now)

    async def _without(self, step: Renew, renewal: Renewal) -> Outcome:
        """What it comes to that there is no new token. Being signed out is news only once: afterwards it is no sign
        that others will be."""
        lease, now = step.lease, self.clock()
        if not renewal.ended or (step.ahead and not lease.expired(now)):
            return Outcome(kind=Kind.REFRESH_FAILED, detail=renewal.detail)
        if is_providers(renewal.ended) and not (step.ahead and lease.credentials.ended):
            return Outcome(kind=Kind.TOKEN_INVALIDATED, detail=renewal.detail)
        await self._needs_login(lease.key, renewal.ended)
        return Outcome(kind=Kind.REFRESH_FAILED, detail=renewal.detail)

    async def _needs_login(self, key: str, reason: str) -> None:
        """An account's token is over, and nothing renews it."""
        try:
            await asyncio.wrap_future(self.store.set_standing(key, Standing.NEEDS_LOGIN, reason))
        except RotateError as e:
            logger.warning("codex-rotate: that an account needs a login could not be stored: %s", e)
            return
        self.store.record(Event(at=self.clock(), kind="login_ended", key=key, detail=in_words(reason)))
        self._load()
        candidate = self.pool.candidates.get(key)
        if candidate is not None:
            self.notices.needs_owner(candidate.account, Standing.NEEDS_LOGIN, reason)
