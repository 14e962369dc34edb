"""Looks again at accounts out of service, as `check` does, so that a mark that is not true any more goes by itself."""

import asyncio
import logging

from accounts.choice.pool import Pool
from accounts.model import Credentials
from accounts.provider import usage
from accounts.provider.checking import Checker, Get, check_each
from accounts.provider.looking import next_look
from accounts.store.store import Store
from accounts.tokens.oauth import Renewal
from addons.exchange.renewals import Renewals
from config.errors import RotateError

logger = logging.getLogger(__name__)


class AccountLooks:
    """One per proxy. `base_url` is the backend, `get` asks it."""

    def __init__(self, store: Store, pool: Pool, renewals: Renewals, base_url: str, get: Get) -> None:
        self.store = store
        self.pool = pool
        self.renewals = renewals
        self.base_url = base_url
        self.get = get

    async def look(self) -> bool:
        """Ask about the one account whose turn it is, if any. Whether the store may have something new by it."""
        now = self.renewals.clock()
        found = next_look(self.pool.candidates.values(), self.pool.tokens, self.store.looks(), now)
        candidate = self.pool.candidates.get(found.key) if found is not None else None
        if found is None or candidate is None:
            return False
        try:
            mine = await asyncio.wrap_future(self.store.looked(found.key, found.before, now))
            if found.before is None or not mine:  # not its turn yet, or another proxy looks at it
                return False
            checker = Checker(
                store=self.store,
                url=usage.usage_url(self.base_url),
                get=self.get,
                renew=RenewInThread(self.renewals, asyncio.get_running_loop()),
                clock=self.renewals.clock,
            )
            checked = await asyncio.to_thread(check_each, checker, [candidate.account])
        except RotateError as e:
            logger.warning("codex-rotate: %s could not be looked at: %s", candidate.account.label, e)
            return True
        for each in checked:
            said = each.finding.detail or each.finding.verdict
            logger.info("codex-rotate: looked at %s again: %s", candidate.account.label, said)
        return True


class RenewInThread:
    """Renews for a thread in the queue that the requests have: no token is sent twice, and each keeps its distance."""

    def __init__(self, renewals: Renewals, loop: asyncio.AbstractEventLoop) -> None:
        self.renewals = renewals
        self.loop = loop

    def __call__(self, key: str, stale: Credentials, reason: str) -> Renewal:
        renewing = self.renewals.renew_patiently(key, stale, reason)
        return asyncio.run_coroutine_threadsafe(renewing, self.loop).result()
