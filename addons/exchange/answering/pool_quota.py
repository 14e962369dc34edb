"""What the client is told of limits: those of the account that has most left, of the ones that may serve it, instead of
those of the account which happens to serve it, or of its own login.

So it neither warns of limits that concern nobody, nor proposes a smaller model, while the pool can serve: the account
changes, and the client does not notice (docs/codex-wire.md section 8).
"""

import json
from collections.abc import Callable, Hashable
from typing import Final

from mitmproxy import http

from accounts.choice.quota import Window
from accounts.choice.selection import Ask
from accounts.views.capacity import pool_windows
from addons.exchange.account_cookies import AccountCookies
from addons.exchange.answering import client_answers
from addons.exchange.passthrough import Passthrough
from addons.exchange.service import PoolService
from addons.redaction import flows
from addons.wire import events, messages, rate_limits

type Look = Callable[[], tuple[Window, ...]]

HELD_SECONDS: Final = 0.001
"""So long for each account of the pool it holds what was found: about a hundred times what it takes to look at one."""
MOST_HELD: Final = 1_000


class HeldWindows:
    """What was found a moment ago, of one proxy: a large pool is not looked through for each answer."""

    def __init__(self) -> None:
        self._held: dict[Hashable, tuple[float, tuple[Window, ...]]] = {}

    def found(self, what: Hashable, now: float, accounts: int, look: Look) -> tuple[Window, ...]:
        """What `look` finds of `what`, in a pool of so many accounts. `now` is of a clock that nobody sets."""
        held = self._held.get(what)
        if held is None or now - held[0] >= accounts * HELD_SECONDS:
            if len(self._held) >= MOST_HELD:
                self._held.clear()
            held = self._held[what] = (now, look())
        return held[1]


class PoolQuota:
    """For one client, who asks so. `held` is what is shared with others."""

    def __init__(self, service: PoolService, ask: Ask, held: HeldWindows | None = None) -> None:
        self.service = service
        self.ask = ask
        self.held = held or HeldWindows()

    def windows(self, family: str) -> tuple[Window, ...]:
        pool, now = self.service.pool, self.service.clock()
        ask = self.service.permitted(self.ask, now)

        def look() -> tuple[Window, ...]:
            return pool_windows(pool.candidates.values(), pool.policy, now, ask=ask, family=family)

        what = (family, pool.policy, ask.pin, ask.only, ask.model)
        return self.held.found(what, self.service.steady(), len(pool.candidates), look)

    def in_head(self, response: http.Response) -> None:
        rate_limits.in_head(response.headers, self.windows)

    def in_stream(self, chunk: bytes) -> bytes:
        """Of whole events."""
        return rate_limits.in_stream(chunk, self.windows)

    def in_message(self, message: bytes) -> bytes:
        """Of a WebSocket; the very same bytes if it tells no limits."""
        return rate_limits.in_event(message, self.windows)


def asks_for_usage(request: http.Request) -> bool:
    return request.method == "GET" and request.path.partition("?")[0] == client_answers.USAGE


class PoolUsage(Passthrough):
    """The client asks with its own login what is used of its limits: the provider's answer about that login, with the
    limits of the pool. What is refused, or cannot be read, passes as it is."""

    def __init__(
        self,
        flow: http.HTTPFlow,
        shown: flows.FlowRedactor,
        cookies: AccountCookies | None,
        capture_bytes: int,
        quota: PoolQuota,
    ) -> None:
        super().__init__(flow, shown, cookies, capture_bytes)
        self.quota = quota

    def delivering(self, response: http.Response) -> None:
        """It is kept to its end, whether its length is known or not."""
        if response.status_code != 200 or messages.is_event_stream(response):
            super().delivering(response)
        else:
            self.shown.answer_head(response)

    def finished(self) -> None:
        """It has come whole, and the client gets it now."""
        response = self.flow.response
        if response is not None and response.status_code == 200 and response.raw_content:
            said = events.decoded(messages.plain(response, response.raw_content))
            if said:
                told = rate_limits.in_usage(said, self.quota.windows, self.quota.service.clock())
                response.headers.pop("content-encoding", None)
                response.content = json.dumps(told).encode()
        super().finished()
