"""What the screen learns from and changes, each looked at in a thread of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from accounts.ledger.queries import Grouping
from accounts.store.store import Store
from cli.top.away import away
from cli.top.watches.pool import PoolWatch
from cli.top.watches.proxies import ProxyWatch
from cli.top.watches.usage import UsageWatch
from config.errors import RotateError

type News = dict[str, Any]
"""Fields of Facts with what they are now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """`now` reads the clock."""

    store: Store
    pool: PoolWatch
    proxies: ProxyWatch
    usage: UsageWatch
    now: Callable[[], float]

    async def pool_news(self) -> News:
        """What the pool's file says, or why it cannot be read."""
        try:
            return {"pool": await away(lambda: self.pool.look(self.now())), "trouble": ""}
        except RotateError as e:
            return {"trouble": str(e)}

    async def proxy_news(self) -> News:
        """What the proxies that run say."""
        return {"proxies": await away(lambda: self.proxies.look(self.now()))}

    async def usage_news(self, by: Grouping) -> News:
        """What the ledger has of today, or why it cannot be read."""
        try:
            return {"usage": await away(lambda: self.usage.look(by, self.now())), "ledger": ""}
        except RotateError as e:
            return {"ledger": str(e)}
