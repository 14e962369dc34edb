"""What is told of a request while it is served: its flow's annotations, its decision record, a line for a failure."""

from accounts.choice.decision_record import Done
from accounts.choice.selection import Exhausted
from accounts.continuing.delivered import DeliveredAnswer
from accounts.turn.machine import Turn
from addons.exchange.reading.answer_reading import AnswerReading
from addons.exchange.reading.body_form import Form
from addons.exchange.service import PoolService
from addons.recording import ended_turn
from addons.recording.annotations import FlowAnnotations


class RequestLog:
    """Of one request. `minor`: one whose success is not worth a decision record."""

    def __init__(self, service: PoolService, turn: Turn, trail: FlowAnnotations, *, minor: bool) -> None:
        self.service = service
        self.turn = turn
        self.trail = trail
        self.minor = minor
        self.noted: ended_turn.Noted = ended_turn.unheard
        """Told when the request is over."""
        self.closed = False
        self.delivered: DeliveredAnswer | None = None
        """What the client has got of a stream."""
        self._document = b""

    def attempt_over(self, reading: AnswerReading | None) -> None:
        """An attempt has come to its end; `reading` is what it has brought."""
        reader = reading.reader if reading is not None else None
        self._document = reader.document if reader is not None and reader.form is Form.DOCUMENT else b""
        if reading is None:
            self.trail.follow(None, b"", delivered=False)
        else:
            held = b"" if reading.delivered else bytes(reading.collected)
            self.trail.follow(reading.response, held, delivered=reading.delivered)

    def attempt_failed(self, reading: AnswerReading | None) -> None:
        """It has come to nothing, and the turn goes on, or is refused."""
        self.attempt_over(reading)
        asked, outcome = self.turn.log.leases[-1], self.turn.log.outcomes[-1]
        self.service.failed(asked.account, outcome)

    def nobody(self, exhausted: Exhausted) -> None:
        """No account can serve, or no other one."""
        self.trail.nobody(exhausted.reasons)

    def close(self, done: Done, ending: bytes) -> None:
        """The request is over, once: its decision record is complete. `ending` is the event that says how a stream
        ended."""
        if self.closed:
            return
        self.closed = True
        now = self.service.clock()
        decided = self.turn.record(done, now)
        if not (self.minor and len(self.turn.log.attempts) == 1 and done is Done.DELIVERED):
            self.service.decided(decided.event)
        self.trail.over(done, now)
        told = ending or self._document
        self.noted(ended_turn.EndedTurn(decided, told, log=self.turn.log, delivered=self.delivered))
