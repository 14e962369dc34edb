"""What the client is told of limits: those of the account that has most left, of the ones that may serve it, instead of
those of the account which happens to serve it, or of its own login.

So it neither warns of limits that concern nobody, nor proposes a smaller model, while the pool can serve: the account
changes, and the client does not notice (docs/codex-wire.md section 12).
"""

import json

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


class PoolQuota:
    """For one client, who asks so."""

    def __init__(self, service: PoolService, ask: Ask) -> None:
        self.service = service
        self.ask = ask

    def windows(self, family: str) -> tuple[Window, ...]:
        pool, now = self.service.pool, self.service.clock()
        ask = self.service.permitted(self.ask, now)
        return pool_windows(pool.candidates.values(), pool.policy, now, ask=ask, family=family)

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
