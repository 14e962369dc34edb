"""What the client asks before its first model request, and must hear of its own account: where that is served.

It is asked with the client's own login, which may be revoked, or out of money, while the pool could serve: then the
client would give up after 18 s without having asked for a model (docs/codex-wire.md section 1.1). So what its login is
refused is answered here: it goes on to the model, which accounts of the pool serve.
"""

import logging
from typing import Final

from mitmproxy import http

from addons.attempts.protocol import Answer, Step
from addons.exchange.account_cookies import AccountCookies
from addons.exchange.answering import client_answers
from addons.exchange.passthrough import Passthrough
from addons.redaction import flows

logger = logging.getLogger(__name__)

MOST_TOLD: Final = 1_000


def is_discovery(request: http.Request) -> bool:
    path = request.path.partition("?")[0]
    return request.method == "GET" and path == client_answers.ROUTING and client_answers.OWN_ID in request.headers


class RefusedLogins:
    """The accounts of clients whose own login was refused, as the log says once of each: of so many."""

    def __init__(self) -> None:
        self._told: set[bytes] = set()

    def tell(self, own: bytes, status: int) -> None:
        if own in self._told or len(self._told) >= MOST_TOLD:
            return
        self._told.add(own)
        logger.warning(
            "codex-rotate: the client's own login was refused (%d) where it asks how to reach its workspace. Its "
            "turns are served by the pool all the same; `codex login` renews it.",
            status,
        )


class RoutingDiscovery(Passthrough):
    """One such request: the client's own, as long as its login is good for it."""

    def __init__(
        self,
        flow: http.HTTPFlow,
        shown: flows.FlowRedactor,
        cookies: AccountCookies | None,
        capture_bytes: int,
        refused: RefusedLogins,
    ) -> None:
        super().__init__(flow, shown, cookies, capture_bytes)
        self.refused = refused

    def head(self, response: http.Response) -> Step:
        step = super().head(response)
        if response.status_code < 400:
            return step
        own: str = self.shown.wire(self.flow.request).headers.get(client_answers.OWN_ID, "")
        self.refused.tell(own.encode("utf-8", "surrogateescape"), response.status_code)
        answer = client_answers.routing(own)
        self.shown.answer_head(answer)
        return Answer(answer)
