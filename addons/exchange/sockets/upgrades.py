"""Further sockets for a client's WebSocket: the upgrade as the client has sent it, for another account."""

from mitmproxy import http

from accounts.choice.outcomes import Kind, Outcome, classify, classify_failure
from accounts.choice.pool import Lease
from addons.attempts.protocol import Loss, Send
from addons.exchange import credentials, observe
from addons.exchange.reading.answer_reading import LOSSES
from addons.exchange.service import PoolService
from addons.redaction import flows
from addons.wire import messages

MOST_BYTES = 64 * 1024
"""Of a refusal."""


class Upgrades:
    """For one client's socket: asks for the next one, and reads what the answer to that means."""

    def __init__(self, service: PoolService, request: http.Request, shown: flows.FlowRedactor) -> None:
        self.service = service
        self.request = request
        self.shown = shown
        self.response: http.Response | None = None
        self.body = bytearray()

    def ask(self, lease: Lease) -> Send:
        """Raises OffItsRoute."""
        self.response = None
        self.body.clear()
        request = credentials.managed(self.request, self.shown, lease, self.service.given)
        return Send(request, key=lease.key)

    def head(self, lease: Lease, response: http.Response) -> None:
        observe.from_head(self.service, lease, response)
        self.response = response

    def more(self, data: bytes) -> None:
        if len(self.body) < MOST_BYTES:
            self.body += data

    def refusal(self) -> Outcome:
        """What it means that the answer was no socket."""
        assert self.response is not None
        body, now = bytes(self.body), self.service.clock()
        if self.response.status_code >= 400:
            return classify(messages.read_reply(self.response, body), now)
        error = messages.error_in(self.response, messages.plain(self.response, body))
        if error is not None:
            return classify_failure(error, now)
        return Outcome(kind=Kind.NO_ANSWER, detail=f"{self.response.status_code} instead of a socket")

    def lost(self, loss: Loss, message: str) -> Outcome:
        """What it means that there was no answer."""
        return Outcome(kind=LOSSES[loss], detail=message[:200])

    def words(self) -> http.Response | None:
        """The refusal, with its body. What was none by its status is a bad gateway's."""
        if self.response is None:
            return None
        status = self.response.status_code
        return http.Response.make(status if status >= 400 else 502, bytes(self.body), self.response.headers)
