"""What the events of one attempt's answer say: of its end, to the pool, and to the stream that they are a part of."""

from collections.abc import Iterable

from accounts.choice.outcomes import Kind, Outcome, classify_failure
from accounts.choice.pool import Lease
from addons.exchange import observe
from addons.exchange.reading.body_form import BodyReader, Form
from addons.exchange.reading.stream_part import StreamPart
from addons.exchange.service import PoolService
from addons.wire import answers, events
from addons.wire.events import Meaning


class AnswerEvents:
    """Of an attempt on the account of `lease`. All but a failure is known to `part`."""

    def __init__(self, service: PoolService, lease: Lease, part: StreamPart) -> None:
        self.service = service
        self.lease = lease
        self.part = part
        self.ending: tuple[Outcome, bytes] | None = None
        """What the event says after which nothing of importance comes, and the event if it says that all is well: not
        yet to the client, while it is held."""
        self.heard_at = service.steady()
        """When something came last; before it is delivered, when the attempt began."""

    @property
    def silent(self) -> float:
        """Seconds since then."""
        return self.service.steady() - self.heard_at

    def early(self, kind: str, event: bytes) -> None:
        """One that comes before any output."""
        self.part.heard(kind, event)
        observe.from_prelude(self.service, self.lease, kind, event)

    def failed(self, event: bytes, *, after_output: bool) -> Outcome:
        """What the event means that says so."""
        outcome = classify_failure(events.reply_of(event), self.service.clock(), after_output=after_output)
        self.ending = outcome, b""
        return outcome

    def watch(self, reader: BodyReader, told: Iterable[tuple[str, bytes]]) -> None:
        """Those that `reader` finds in an answer that the client gets anyway. What cannot be made sense of ends that:
        it must not break what passes."""
        try:
            for kind, event in told:
                self._note(kind, event)
        except Exception as e:  # noqa: BLE001 - the border: see above
            answers.log_defect("an answer passes unread", e)
            reader.form = Form.OPAQUE

    def _note(self, kind: str, event: bytes) -> None:
        match events.meaning(kind):
            case Meaning.FAILURE:
                self.failed(event, after_output=True)
                self.part.delivered.ended(event)
                return
            case Meaning.ENDING:
                self.ending = Outcome(kind=Kind.OK), event
            case Meaning.OUTPUT | Meaning.SHELL:
                observe.from_output(self.service, self.lease, kind, event)
            case Meaning.PRELUDE:
                observe.from_prelude(self.service, self.lease, kind, event)
        self.part.heard(kind, event)
