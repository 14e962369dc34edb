"""The pool as the proxy uses it: in memory, in step with the store, with tokens renewed when asked."""

import asyncio
import logging
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mitmproxy import http
from mitmproxy.utils import asyncio_utils

from accounts.choice.foreign_reasoning import Unsealing
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.quota_header_cache import Heads
from accounts.choice.selection import Ask, Exhausted
from accounts.codex_files.client_files import Writer, places
from accounts.codex_files.home_login import HomeLogin
from accounts.errors import LoginNeeded
from accounts.model import Account, Event, Standing
from accounts.policy import policy_of
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from accounts.tokens.refresh import Post, Refresher, post_json
from accounts.tokens.schedule import next_due, next_look, retry_after
from accounts.turn.machine import Turn
from addons.exchange.credentials import TurnStates
from addons.wire import answers
from config.clock import pause
from config.settings import Settings

logger = logging.getLogger(__name__)

RECORD_SECONDS: Final = 0.2
"""So late at most a decision is in the history."""
LOOK_SECONDS: Final = 0.005
"""So soon after a look whether somebody else has changed the pool there is no other: a request asks more than once, and
many come at a time. No command ends so soon after its change: what the owner decides counts from the next request on.
"""
PATIENCE: Final = 10.0
"""Seconds a request waits for a new token before it goes to another account; a WebSocket's client gives up at 15."""


class PoolService:
    """One per proxy. Raises StoreError on opening what is not a usable database."""

    def __init__(
        self,
        database: Path,
        clock: Callable[[], float],
        post: Post = post_json,
        settings: Settings | None = None,
    ) -> None:
        self.clock = clock
        self.settings = settings or Settings()
        self.store = Store(database)
        self.pool = Pool(self.store)
        self._out_of_service: dict[str, Standing] = {}
        self.reload()
        self.turn_states = TurnStates()
        self.heads = Heads()
        self.unsealing = Unsealing()
        self._decided: list[Event] = []
        self._failures: Counter[str] = Counter()
        self._not_before: dict[str, float] = {}
        self._home_login = HomeLogin(self.store, places(), Writer(pause=pause), clock)
        self._refresher = Refresher(self.store, database.parent / "locks", clock, post, self._home_login)

    def close(self) -> None:
        self._record()
        self._refresher.close()
        self.store.close()

    def sync(self, *, at_once: bool = False) -> None:
        """Take in what the CLI or another proxy has changed. Costs one pragma when nobody has: at most one each
        LOOK_SECONDS, unless what has changed has to be known at once."""
        if self._refresher.unsaved:
            self._refresher.save_again()
        elif self.store.changed_by_others(self.clock(), within=0.0 if at_once else LOOK_SECONDS):
            self.reload()

    def decided(self, record: Event) -> None:
        """Keep a decision record, behind the answer: those of a moment together, since each write costs as much as a
        tenth of a turn."""
        self._decided.append(record)
        if len(self._decided) == 1:
            try:
                asyncio.get_running_loop().call_later(RECORD_SECONDS, self._record)
            except RuntimeError:  # nothing runs that could come back to it
                self._record()

    def _record(self) -> None:
        decided, self._decided = self._decided, []
        if decided:
            self.store.record(*decided)

    def nothing_usable(self, exhausted: Exhausted, now: float) -> http.Response:
        """What a client gets when no account can serve; the log names a rule of the pool that is to blame."""
        if exhausted.rule:
            logger.debug("codex-rotate: nobody may serve this request: %s (%s)", exhausted.rule, exhausted.reasons)
        return answers.nothing_usable(exhausted, now, self.settings.park_seconds)

    def failed(self, account: Account, outcome: Outcome) -> None:
        """An attempt has failed: a line for who looks closely, and for the owner if the account is lost by it."""
        level = logging.WARNING if outcome.kind is Kind.PROXY_FAILED else logging.DEBUG  # no account can mend that
        logger.log(level, "codex-rotate: %s: %s (%s)", account.label, outcome.kind, outcome.detail)
        if outcome.rule.standing is not None:
            self._needs_owner(account, outcome.rule.standing)

    def _needs_owner(self, account: Account, standing: Standing) -> None:
        """An account is out of service until its owner does something: say what, once."""
        if self._out_of_service.get(account.key) is standing:
            return
        self._out_of_service[account.key] = standing
        closed = (
            f"{account.label} was closed by the provider, and no login opens that again. Run "
            f"`codex-rotate remove {shlex.quote(account.label)}` if it will not come back."
        )
        told = closed if standing is Standing.DEACTIVATED else str(LoginNeeded(account.label))
        logger.warning("codex-rotate: %s", told)

    def unseal(self, body: bytes, lease: Lease, now: float) -> bool:
        """Upstream could not read what another account had sealed: whether there is something to leave out."""
        drop = self.pool.policy.drop_compaction
        dropped = self.unsealing.refused(body, self.pool.reader(lease, now), compactions=drop)
        if dropped:
            detail = f"{dropped} sealed items that this account cannot read are left out from now on"
            self.store.record(Event(at=now, kind="unsealed", key=lease.key, thread=lease.thread, detail=detail))
        return dropped > 0

    def turn(self, ask: Ask, *, bound: bool = False) -> Turn:
        """A request begins: with the pool as it is now, whoever changed it. `bound`: on a socket of one account."""
        self.sync()
        return Turn(pool=self.pool, ask=ask, began=self.clock(), bound=bound)

    async def renew(self, lease: Lease, reason: str) -> Renewal:
        """Newer tokens for the lease's account, if there are any to be had soon. What comes later is not lost."""
        renewing = asyncio_utils.create_task(
            self._renew(lease, reason), name=f"refresh {lease.account.label}", keep_ref=True
        )
        try:
            return await asyncio.wait_for(asyncio.shield(renewing), PATIENCE)
        except TimeoutError:
            return Renewal(detail="the token endpoint has not answered yet")

    async def look_at_client(self) -> None:
        """The official client may hold a login of the pool as well: whoever was first, the other one follows."""
        renewed = await asyncio.to_thread(self._home_login.look)
        if renewed:
            self.reload()  # our own writes are not news to us
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

    def reload(self) -> None:
        """Take over what the store knows now."""
        self.pool.load(self.store)
        self.pool.policy = policy_of(self.settings, self.pool.seats, self.store.chosen_account())
        self.client_keys = self.store.client_keys()
        accounts = [seat.account for seat in self.pool.seats.values()]
        for each in accounts:
            if each.standing is Standing.GOOD:
                self._out_of_service.pop(each.key, None)
        ids = [each.account_id for each in accounts] + [each.user_id for each in accounts]
        self.account_ids = frozenset(each.encode() for each in ids)

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
            self._needs_owner(lease.account, Standing.NEEDS_LOGIN)
        else:
            logger.warning("codex-rotate: no new token for %s: %s", lease.account.label, renewal.detail)
        return renewal
