"""Requests that no account of the pool serves: the client's own, sent once and unchanged, and those answered here."""

from mitmproxy import http

from addons.attempts.protocol import Answer, Loss, Send, Signal, SocketExchange, Step
from addons.exchange.account_cookies import AccountCookies
from addons.recording.capture import Capture
from addons.redaction import flows, replay_check
from addons.wire import answers, messages


def refusal_of_masked(flow: http.HTTPFlow, shown: flows.FlowRedactor, *, pooled: bool) -> Answer | None:
    """The refusal of a request of which something would leave masked; None for one that can be sent."""
    again = flow.is_replay == "request"
    what = replay_check.left_in(flow.request, shown, again=again, pooled=pooled)
    return Answer(answers.masked(what, again=again)) if what else None


def _account_of(wire: http.Request) -> bytes:
    """Whose login the client has sent; empty for none, or one that does not say."""
    said: str = wire.headers.get(flows.ACCOUNT.decode(), "")
    return said.encode("utf-8", "surrogateescape")


def _has_no_length(request: http.Request, response: http.Response) -> bool:
    """Whether nothing says how long an answer's body is, or it is a stream of events."""
    if request.method == "HEAD" or response.status_code in {101, 204, 304}:
        return False
    return "content-length" not in response.headers or messages.is_event_stream(response)


class Passthrough:
    """A request that is the client's own: sent once, unchanged, delivered as it comes. Only cookies of the edge that
    were set for an account of the pool, which the client keeps in the same jar, are left out.

    What has no length may go on for ever, as a stream of events does: it passes piece by piece, and `capture_bytes` of
    it are kept for its flow. All else is delivered at its end, so that addons of the user's can change it.
    """

    complete = False

    def __init__(
        self,
        flow: http.HTTPFlow,
        shown: flows.FlowRedactor,
        cookies: AccountCookies | None = None,
        capture_bytes: int = 0,
    ) -> None:
        self.flow = flow
        self.shown = shown
        self.cookies = cookies
        self.account_id = b""
        self.capture = Capture(capture_bytes)

    def streaming(self) -> None: ...

    def start(self) -> Step:
        self.shown.request_body(self.flow.request)
        masked = refusal_of_masked(self.flow, self.shown, pooled=False)
        return masked or Send(self._wire(), key="")

    def _wire(self) -> http.Request:
        wire = self.shown.wire(self.flow.request)
        if self.cookies is not None:
            fields, self.account_id = wire.headers.fields, _account_of(wire)
            left = self.cookies.without_managed(fields, self.account_id)
            if left is not fields:
                wire.headers = http.Headers(left)
        return wire

    def head(self, response: http.Response) -> Step:
        if self.cookies is not None and self.account_id:
            self.cookies.answered(self.account_id, response)
        return Signal.DELIVER

    def body(self, data: bytes) -> Step:
        return Signal.DELIVER

    def end(self) -> Step:
        return Signal.DELIVER

    def lost(self, loss: Loss, message: str) -> Step:
        return Signal.DELIVER

    def patience(self) -> float:
        return 0

    def overdue(self) -> Step:
        return Signal.WAIT

    def delivering(self, response: http.Response) -> None:
        self.shown.answer_head(response)
        if _has_no_length(self.flow.request, response):
            response.stream = self.capture.passing

    def reveal(self, response: http.Response) -> http.Response:
        return self.shown.revealed(response)

    def reveal_data(self, data: bytes) -> bytes:
        return self.shown.revealed_data(data)

    def passed(self) -> Step:
        return Signal.WAIT

    def stopped(self, message: str) -> Step:
        return Signal.WAIT

    def gone(self) -> None:
        self._keep()

    def broke(self, message: str) -> None:
        self._keep()

    def finished(self) -> None:
        self._keep()

    def upgraded(self) -> SocketExchange | None:
        """The client's own socket is relayed as it is."""
        return None

    def _keep(self) -> None:
        """Give the flow what was kept of a body that has streamed past."""
        response = self.flow.response
        if response is not None and callable(response.stream):
            self.capture.into(self.flow)
            response.stream = True

    async def decide(self) -> None: ...

    def decided(self) -> Step:
        return Answer(answers.failed_closed())


class FailClosed(Passthrough):
    """A request that nobody may send: it has an answer already, or something of ours went wrong."""

    def start(self) -> Step:
        return Answer(answers.failed_closed())


class LocalAnswer(Passthrough):
    """A request that is answered here."""

    def __init__(self, flow: http.HTTPFlow, shown: flows.FlowRedactor, answer: Answer) -> None:
        super().__init__(flow, shown)
        self.answer = answer

    def start(self) -> Step:
        self.shown.answer_head(self.answer.response)
        return self.answer
