"""A request that is the client's own, and what every exchange has in common with it."""

from mitmproxy import http

from addons.attempts.protocol import Answer, Loss, Send, Signal, Step
from addons.redaction import flows, replay_check
from addons.wire import answers


class Own:
    """A request that is the client's own: sent once, unchanged, delivered as it comes."""

    def __init__(self, flow: http.HTTPFlow, shown: flows.Shown) -> None:
        self.flow = flow
        self.shown = shown
        self.step: Step | None = None

    def streaming(self) -> None: ...

    def start(self) -> Step:
        self.shown.request_body(self.flow.request)
        return self.masked(pooled=False) or Send(self.shown.wire(self.flow.request), key="")

    def masked(self, *, pooled: bool) -> Answer | None:
        """The refusal of a request of which something would leave masked; None for one that can be sent."""
        again = self.flow.is_replay == "request"
        what = replay_check.left_in(self.flow.request, self.shown, again=again, pooled=pooled)
        return Answer(answers.masked(what, again=again)) if what else None

    def head(self, response: http.Response) -> Step:
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

    def reveal(self, response: http.Response) -> http.Response:
        return self.shown.revealed(response)

    def reveal_data(self, data: bytes) -> bytes:
        return self.shown.revealed_data(data)

    @property
    def complete(self) -> bool:
        """Whether the client has all that matters of its answer, though the answer has not come to its end."""
        return False

    def gone(self) -> None: ...

    def broke(self, message: str) -> None: ...

    def finished(self) -> None: ...

    async def think(self) -> Step:
        return Answer(answers.failed_closed())


class Refused(Own):
    """A request that nobody may send: it has an answer already, or something of ours went wrong."""

    def start(self) -> Step:
        return Answer(answers.failed_closed())


class Told(Own):
    """A request that is answered here."""

    def __init__(self, flow: http.HTTPFlow, shown: flows.Shown, answer: Answer) -> None:
        super().__init__(flow, shown)
        self.answer = answer

    def start(self) -> Step:
        self.shown.answer_head(self.answer.response)
        return self.answer
