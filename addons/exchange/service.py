"""The pool as the proxy uses it: in memory, in step with the store, with tokens renewed when asked."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from mitmproxy import http

from accounts.choice.clock_sense import SensibleSource
from accounts.choice.outcomes import Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.selection import Ask, Exhausted
from accounts.continuing.delivered import DeliveredAnswer
from accounts.errors import StoreError
from accounts.model import Account, Event
from accounts.people.admission import Admission
from accounts.policy import policy_of
from accounts.provider.asking import get_over_http
from accounts.provider.checking import Get
from accounts.requests.foreign_reasoning import ReadingContext, Unsealing
from accounts.store.store import Store
from accounts.tokens.refresh import Post, post_json
from accounts.tokens.renewal_queue import RenewalWait
from accounts.turn.machine import Turn
from addons.exchange.account_cookies import AccountCookies
from addons.exchange.credentials import Belongings, TurnStates
from addons.exchange.known_clients import KnownClients
from addons.exchange.looks import AccountLooks
from addons.exchange.renewals import Renewals
from addons.recording.decisions import DecisionWriter
from addons.wire import answers
from config.settings import Settings
from config.times.time_zone import local_zone

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.005
"""So soon after a look whether somebody else has changed the pool there is no other: a request asks more than once, and
many come at a time. No command ends so soon after its change: what the owner decides counts from the next request on.
"""


class PoolService:
    """One per proxy. Raises StoreError on opening what is not a usable database."""

    def __init__(  # noqa: PLR0913 - its ways out, and its clocks
        self,
        database: Path,
        clock: Callable[[], float],
        post: Post = post_json,
        settings: Settings | None = None,
        get: Get = get_over_http,
        *,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self.clock = clock
        self.steady = steady or clock
        """Seconds of a clock that nobody sets, by which answers are waited for."""
        self.settings = settings or Settings()
        self.store = Store(database)
        self.pool = Pool(self.store)
        self.renewals = Renewals(self.store, self.pool, clock, post, database.parent / "locks")
        self.looks = AccountLooks(self.store, self.pool, self.renewals, self.settings.chatgpt_base_url, get)
        self.decisions = DecisionWriter(self.store)
        self.given = Belongings(TurnStates(), AccountCookies(), Unsealing())
        self.clients = KnownClients(self.store, self.pool, local_zone(), clock)
        self.reload()

    def close(self) -> None:
        self.decisions.flush()
        self.clients.close()
        self.renewals.close()
        self.store.close()

    # In step with the store

    def sync(self, *, at_once: bool = False) -> None:
        """Take in what the CLI or another proxy has changed. Costs one pragma when nobody has: at most one each
        LOOK_SECONDS, unless what has changed has to be known at once. A file that cannot be read changes nothing: the
        pool goes on as it is known here (PoolFileWatch says so).

        While the disk refuses newer tokens than it has, accounts are not read from it; who may use the proxy is."""
        try:
            if self.renewals.save_again():
                self.clients.load()
            elif self.store.changed_by_others(self.clock(), within=0.0 if at_once else LOOK_SECONDS):
                self.reload()
        except StoreError as e:
            logger.debug("codex-rotate: the pool goes on from memory: %s", e)

    def reload(self) -> None:
        """Take over what the store knows now."""
        self.pool.load(SensibleSource(self.store, self.clock()))
        self.pool.policy = policy_of(self.settings, self.pool.candidates, self.store.chosen_account())
        accounts = [candidate.account for candidate in self.pool.candidates.values()]
        self.renewals.notices.loaded(accounts)
        ids = [each.account_id for each in accounts] + [each.user_id for each in accounts]
        self.clients.account_ids = frozenset(each.encode() for each in ids)
        self.clients.load()

    @property
    def people(self) -> Admission:
        return self.clients.people

    @property
    def account_ids(self) -> frozenset[bytes]:
        return self.clients.account_ids

    def clock_was_set(self) -> None:
        """Judge anew what is remembered: nothing of it may lie in a time to come."""
        self.pool.clock_was_set(self.clock())
        self.renewals.clock_was_set()
        try:
            self.reload()
        except StoreError as e:
            logger.debug("codex-rotate: the pool goes on from memory: %s", e)

    # For requests

    def turn(self, ask: Ask, *, bound: bool = False, upgrade: bool = False) -> Turn:
        """A request begins: with the pool as it is now, whoever changed it. `bound`: on a socket of one account;
        `upgrade`: it asks for one."""
        self.sync()
        now = self.clock()
        permit = self.people.permit(ask.client, now)
        return Turn(
            pool=self.pool,
            ask=permit.applied(ask),
            began=now,
            permit=None if upgrade or ask.steady else permit,
            bound=bound,
            upgrade=upgrade,
            steady=self.steady,
            renewal_wait=self._renewal_seconds,
            mid_answer=self.settings.mid_answer == "continue",
        )

    def permitted(self, ask: Ask, now: float) -> Ask:
        """The same with what the owner has ruled about who asks."""
        return self.people.permit(ask.client, now).applied(ask)

    def _renewal_seconds(self, key: str) -> float:
        return self.renewal_wait(key).expected or 0.0

    def failed(self, account: Account, outcome: Outcome) -> None:
        """An attempt has failed."""
        self.renewals.notices.failed(account, outcome)

    def decided(self, record: Event) -> None:
        """A turn is over: its decision record is kept, behind the answer."""
        self.decisions.add(record)

    def nothing_usable(self, exhausted: Exhausted, now: float) -> http.Response:
        """What a client gets when no account can serve; the log names a rule of the pool that is to blame."""
        if exhausted.guest:
            logger.warning("codex-rotate: nobody may serve the request of a guest: %s", dict(exhausted.reasons))
        elif exhausted.rule:
            logger.debug("codex-rotate: nobody may serve this request: %s (%s)", exhausted.rule, exhausted.reasons)
        return answers.nothing_usable(exhausted, now, self.settings.park_seconds)

    def unseal(self, body: bytes, lease: Lease, now: float) -> bool:
        """Upstream could not read what another account had sealed: whether there is something to leave out."""
        drop = self.pool.policy.drop_compaction
        dropped = self.given.unsealing.refused(body, ReadingContext.of(lease, self.pool, now), compactions=drop)
        if dropped:
            detail = f"{dropped} sealed items that this account cannot read are left out from now on"
            self.store.record(Event(at=now, kind="unsealed", key=lease.key, thread=lease.thread, detail=detail))
        return dropped > 0

    def may_be_unreadable(self, lease: Lease) -> bool:
        """Whether a request of the lease's thread may hold something that its account cannot read."""
        return self.given.unsealing.concerns(ReadingContext.of(lease, self.pool, self.clock()))

    def readable(self, body: bytes, lease: Lease) -> bytes:
        """The request as the lease's account can read it; the very same bytes when nothing is known against it."""
        return self.given.unsealing.readable(body, ReadingContext.of(lease, self.pool, self.clock()))

    def carries_on(self, delivered: DeliveredAnswer, lease: Lease) -> None:
        """An answer goes on with the lease's account, which cannot read what others have sealed in it."""
        items = delivered.sealed_outside(lease.account.account_id)
        self.given.unsealing.came_from_elsewhere(items, ReadingContext.of(lease, self.pool, self.clock()))

    def renewal_wait(self, key: str) -> RenewalWait:
        """What a newer token of this account would have to wait for now: whether its renewal is under way, how many of
        other accounts leave before it, and about how long all of that takes."""
        return self.renewals.wait_for(key)

    # Upkeep

    async def look_at_client(self) -> None:
        """Follow what the official client has renewed of a login that it shares with the pool."""
        if await self.renewals.look_at_client():
            self.reload()  # our own writes are not news to us

    async def keep(self) -> bool:
        """Renew the one token that is due next, before a request needs it. True when there was one."""
        self.sync()
        return await self.renewals.keep()

    async def look_again(self) -> None:
        """Ask the provider about the account out of service whose turn it is, and believe the answer."""
        self.sync()
        if await self.looks.look():
            self.reload()  # our own writes are not news to us
