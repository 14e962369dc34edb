"""What the client gets for its request over HTTP: an answer as it passes, another account's behind it, and its end."""

from mitmproxy import http

from accounts.choice.decision_record import Done
from accounts.choice.outcomes import Kind, Outcome
from accounts.turn import events, steps
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from addons.attempts.protocol import Conclude, Signal
from addons.exchange import credentials
from addons.exchange.answering.pool_quota import PoolQuota
from addons.exchange.continuation import Asked, Continuation
from addons.exchange.reading.answer_reading import AnswerReading
from addons.exchange.reading.passing_answer import AnswerOwner, PassingAnswer
from addons.exchange.request_log import RequestLog
from addons.exchange.service import PoolService
from addons.recording.capture import Capture


class Delivery:
    """Of one request. A `reading` that it is given is that of the attempt that is under way, or was last. Of what
    passes, up to `capture_bytes` are kept for the flow."""

    def __init__(
        self, service: PoolService, turn: Turn, flow: http.HTTPFlow, log: RequestLog, capture_bytes: int
    ) -> None:
        self.service = service
        self.turn = turn
        self.flow = flow
        self.log = log
        self.capture = Capture(capture_bytes)
        self.carrying = Continuation(service, turn, flow)
        log.delivered = self.carrying.delivered
        self.quota: PoolQuota | None = None
        """What is told of limits; None: what the account says that serves."""
        self.ended: Done | None = None
        """What the client was told in the middle of an answer."""

    @property
    def begun(self) -> bool:
        """Whether the client has got a head: from then on all goes into the stream behind it."""
        return self.carrying.begun

    # It begins

    def begin(self, reading: AnswerReading, owner: AnswerOwner) -> Signal:
        """The client gets what was held, and all that follows."""
        passing = reading.deliver(self.capture, owner)
        passing.quota = self.quota
        if self.begun and self.flow.response is not None:
            self.flow.response.stream = passing.passing
            return Signal.CONTINUE
        if self.turn.phase is Phase.DELIVERING and reading.response is not None:
            issued = reading.response.headers.get(credentials.TURN_STATE)
            self.service.given.states.issued(issued, reading.lease.key)
        return Signal.DELIVER

    def follow(self, passing: PassingAnswer, response: http.Response) -> None:
        """The answer's head has become the flow's."""
        if self.quota is not None:
            self.quota.in_head(response)
        self.carrying.begun = self.turn.phase is Phase.DELIVERING
        passing.follow(response, catalogue=self.turn.ask.steady)

    def may_stall(self, passing: PassingAnswer) -> bool:
        """Whether more has to come of it."""
        return self.turn.phase is Phase.DELIVERING and passing.is_open

    # It dies

    def died(self, outcome: Outcome, reading: AnswerReading, asked: Asked) -> bytes | None:
        """The answer has failed after output: what the client gets in the place of that, None for the failure."""
        if self.carrying.failed(outcome, reading, asked) is not None:
            self.log.attempt_failed(reading)
        return b"" if self.carrying.step is not None else None

    def silenced(self, outcome: Outcome, reading: AnswerReading, asked: Asked) -> None:
        """The answer says no more."""
        if self.carrying.silenced(outcome, reading, asked) is not None:
            self.log.attempt_failed(reading)

    def take(self) -> steps.Step | None:
        """What is to be done about that, said once; None: nothing."""
        step, self.carrying.step = self.carrying.step, None
        return step

    def conclude(self, step: steps.Complete | steps.HandOver) -> Conclude:
        """It ends here, with words of ours."""
        self.ended = Done.COMPLETED if isinstance(step, steps.Complete) else Done.RECONNECTS
        return self.carrying.conclude(step, self.capture)

    # It is over

    def finished(self, reading: AnswerReading | None) -> None:
        """The client has the whole answer, upstream's or one of ours."""
        if reading is None or reading.passing is None:
            self.over(events.Left(Outcome(kind=Kind.CLIENT_GONE)), Done.OURS, reading)
        else:
            if self.turn.ask.steady:
                reading.passing.catalogue_over()
            usual = Kind.UPGRADED if self.turn.upgrade else Kind.OK
            outcome = self.turn.last if self.turn.phase is Phase.REFUSED else reading.passing.came_to(usual)
            done = Done.BROKEN_OFF if outcome.kind is Kind.TRUNCATED else Done.DELIVERED
            self.over(events.Ended(outcome), done, reading)
        self._keep()

    def cut(self, outcome: Outcome, done: Done, reading: AnswerReading | None) -> None:
        """One side has left before the end of the stream. An ending that has passed by then decides what that means:
        the official client leaves as soon as it has it."""
        ending = reading.ending if reading is not None else None
        self.over(events.Left(ending[0] if ending else outcome), Done.DELIVERED if ending else done, reading)
        self._keep()

    def over(self, event: events.Ended | events.Left, done: Done, reading: AnswerReading | None) -> None:
        """The request is over, however often that is said."""
        if self.turn.phase is not Phase.OVER:
            self.turn.next(event, self.service.clock())
            self.log.attempt_over(reading)
        ending = reading.said.ending if reading is not None else None
        self.log.close(self.ended or done, ending[1] if ending else b"")

    def _keep(self) -> None:
        """Give the flow what was kept of its body, and let go of it: together they would be a circle, which only the
        garbage collector ends."""
        if self.flow.response is not None and callable(self.flow.response.stream):
            self.capture.into(self.flow)
            self.flow.response.stream = True
