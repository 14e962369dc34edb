"""What becomes of a request's answer when its account dies after output (accounts/continuing/), over HTTP."""

import math
from collections.abc import Callable

from mitmproxy import http

from accounts.choice.outcomes import Outcome
from accounts.choice.pool import Lease
from accounts.continuing import carry
from accounts.continuing.carry import Carry
from accounts.continuing.delivered import DeliveredAnswer
from accounts.turn import events, steps
from accounts.turn.carrying import goes_on
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from addons.attempts.protocol import Conclude
from addons.exchange.reading.answer_reading import AnswerReading
from addons.exchange.service import PoolService
from addons.recording.capture import Capture
from addons.wire import answers

type Asked = Callable[[], bytes]
"""The body of the client's request, without its coding: read only if it is needed."""


class Continuation:
    """Of one request."""

    def __init__(self, service: PoolService, turn: Turn, flow: http.HTTPFlow) -> None:
        self.service = service
        self.turn = turn
        self.flow = flow
        self.delivered = DeliveredAnswer()
        self.begun = False
        """Whether the client has got a head: from then on all goes into the stream behind it."""
        self.unhelped_at = -math.inf
        """When something had come last, as nobody could go on after a long silence."""
        self.step: steps.Step | None = None
        """What is to be done about a failure, once what came before it has passed."""

    def failed(self, outcome: Outcome, reading: AnswerReading, asked: Asked) -> steps.Step | None:
        """The answer that the client gets says that it has failed. None: that is not the turn's trouble any more."""
        if self.turn.phase is not Phase.DELIVERING:
            return None
        return self._told(outcome, self.way(reading, asked))

    def silenced(self, outcome: Outcome, reading: AnswerReading, asked: Asked) -> steps.Step | None:
        """It says nothing any more. None: nothing can be done about that, and the turn has not been told."""
        if self.turn.phase is not Phase.DELIVERING:
            return None
        way = self.way(reading, asked)
        return self._told(outcome, way) if goes_on(self.turn, way, self.service.clock()) else None

    def _told(self, outcome: Outcome, way: Carry) -> steps.Step:
        step = self.turn.next(events.Died(outcome, way, self.delivered.events), self.service.clock())
        self.step = None if isinstance(step, steps.Finish) else step
        return step

    def way(self, reading: AnswerReading, asked: Asked) -> Carry:
        """What can be done. A head that says how long the body is, or how it is coded, leaves no room for another."""
        response = self.flow.response
        fits = response is not None and "content-length" not in response.headers and reading.can_be_followed
        return carry.way_of(self.delivered, asked()) if fits and self.begun else Carry.CLIENT

    def body(self, asked: bytes, lease: Lease) -> bytes:
        """The request for what is missing."""
        self.service.carries_on(self.delivered, lease)
        body = carry.continued(asked, self.delivered, lease.account.account_id)
        assert body is not None, "it has been looked at"
        return body

    def conclude(self, step: steps.Step, capture: Capture) -> Conclude:
        """The stream ends with words of ours, which nobody has to read; they are kept in `capture`."""
        if self.flow.response is not None:
            self.flow.response.stream = capture.passing
        if isinstance(step, steps.HandOver):
            return Conclude(answers.RETRY_STREAM)
        return Conclude(b"event: response.completed\ndata: %b\n\n" % carry.completed(self.delivered))
