"""Reads one attempt's answer as it comes: what it means for the turn, and what the pool learns from it on the way.

What is found out before anything is delivered is an event for the turn. After that the answer is only watched: every
chunk passes at once, and unchanged, but for the end of an answer whose account has died.
"""

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from mitmproxy import http

from accounts.choice.outcomes import Kind, Outcome, classify, classify_failure
from accounts.choice.pool import Lease
from accounts.turn.events import Answered, Failed
from addons.attempts.protocol import Loss
from addons.exchange import observe
from addons.exchange.reading.body_form import BodyReader, Form
from addons.exchange.reading.stream_part import StreamPart
from addons.exchange.service import PoolService
from addons.recording.capture import Capture
from addons.wire import answers, events, messages
from addons.wire.events import Meaning

HOLD_BYTES: Final = 256 * 1024
"""An answer's beginning is held back up to this size: more is an answer, whatever it is."""
MOST_CATALOGUE: Final = 4 * 1024 * 1024

LOSSES: Final = {
    Loss.CONNECT: Kind.CONNECT_FAILED,
    Loss.PROXY: Kind.PROXY_FAILED,
    Loss.SCARCE: Kind.NO_DESCRIPTORS,
    Loss.BROKEN: Kind.RESET,
    Loss.STALE: Kind.STALE,
}

type Found = Answered | Failed | None
"""What the turn is to be told; None: more has to come first."""
type Dying = weakref.WeakMethod[Callable[[Outcome], bytes | None]]
"""Told that a delivered answer has failed: what the client gets instead of the event that says so, None for that. Who
that is holds the reading as well, and a circle would wait for the garbage collector with all bodies."""


class AnswerReading:
    """One attempt on the account of `lease`. What passes is kept in `capture`, and known to `part`."""

    def __init__(self, service: PoolService, lease: Lease, capture: Capture, dying: Dying, part: StreamPart) -> None:
        self.service = service
        self.lease = lease
        self.capture = capture
        self.dying = dying
        self.part = part
        self.collected = bytearray()
        """What is held back; of a catalogue that is delivered, a copy of what has passed."""
        self.reader: BodyReader | None = None
        self.ending: tuple[Outcome, bytes] | None = None
        """What the event says after which nothing of importance comes, and the event if it says that all is well: not
        yet to the client, while it is held."""
        self.unpassed: int | None = None
        """Once it is delivered: how many bytes of it were read before, and pass by once more."""
        self.began_at = self.heard_at = service.clock()

    # Before delivery

    def head(self, response: http.Response, request: http.Request, *, opaque: bool) -> Found:
        """`request` is the client's own. `opaque`: a success is an answer, whatever it holds."""
        observe.from_head(self.service, self.lease, response)
        self.reader = BodyReader(response, request, opaque=opaque)
        if self.reader.form is not Form.REFUSAL and not messages.can_read(request, response):
            return Failed(Outcome(kind=Kind.NO_ANSWER, detail="in a coding that the client cannot read"), words=True)
        return Answered() if self.reader.form is Form.OPAQUE else None

    def body(self, data: bytes) -> Found:
        self.collected += data
        reader = self._reader
        found = self._found(reader.events_in(data))
        if found is None and reader.form is Form.OPAQUE:
            return Answered()
        if found is None and len(self.collected) > HOLD_BYTES:
            return Answered() if reader.form is not Form.REFUSAL else self._judged()
        return found

    def _found(self, told: Iterator[tuple[str, bytes]]) -> Found:
        for kind, event in told:
            match events.meaning_of(kind, event):
                case Meaning.FAILURE:
                    outcome = self._failure(event, after_output=False)
                    self.ending = outcome, b""
                    return Failed(outcome, words=True)
                case Meaning.OUTPUT | Meaning.ENDING:
                    self._watch(itertools.chain([(kind, event)], told))
                    return Answered()
                case _:
                    self.part.heard(kind, event)
                    observe.from_prelude(self.service, self.lease, kind, event)
        return None

    def end(self) -> Found:
        if self._reader.form is Form.EVENTS:
            return Failed(Outcome(kind=Kind.TRUNCATED, detail="ended before any output"))
        return self._judged()

    def lost(self, loss: Loss, message: str) -> Found:
        if self.reader is not None and self.reader.form is Form.REFUSAL:
            return self._judged()
        return Failed(Outcome(kind=LOSSES[loss], detail=message[:200]))

    @property
    def response(self) -> http.Response | None:
        return self.reader.response if self.reader is not None else None

    @property
    def is_refusal(self) -> bool:
        return self.reader is not None and self.reader.form is Form.REFUSAL

    def held_long_enough(self) -> Found:
        """What has come so far has to do."""
        return self._judged() if self._reader.form is Form.REFUSAL else Answered()

    def _judged(self) -> Found:
        """A refusal as far as it came, or a success that is no stream: in that the client finds no words."""
        now, response, document = self.service.clock(), self._reader.response, self._reader.document
        if response.status_code >= 400:
            return Failed(classify(messages.read_reply(response, bytes(self.collected)), now), words=True)
        error = messages.error_in(response, document)
        if error is not None:
            return Failed(classify_failure(error, now))
        if self._reader.form is Form.DOCUMENT and messages.is_answer(self._reader.request, document):
            return Answered()
        shown = f"{response.status_code} without an answer"
        return Failed(Outcome(kind=Kind.NO_ANSWER, detail=shown))

    def _failure(self, event: bytes, *, after_output: bool) -> Outcome:
        return classify_failure(events.reply_of(event), self.service.clock(), after_output=after_output)

    @property
    def _reader(self) -> BodyReader:
        assert self.reader is not None
        return self.reader

    # After delivery

    def deliver(self) -> None:
        """From now on it is the client's, with what was held of it."""
        self.part.begin(self.lease.account.account_id)
        self.unpassed = len(self.collected)
        self.collected.clear()

    def follow(self, response: http.Response, *, catalogue: bool) -> None:
        """Have what is delivered seen on its way, if there is anything to be seen in it."""
        if self.is_stream:
            response.stream = self.passing
        elif catalogue and response.status_code == 200:
            response.stream = self.collecting

    @property
    def delivered(self) -> bool:
        return self.unpassed is not None

    @property
    def passed(self) -> bool:
        """Whether the client has got all that was held back."""
        return self.unpassed is not None and self.unpassed <= 0

    @property
    def is_stream(self) -> bool:
        return self.reader is not None and self.reader.is_stream

    @property
    def can_be_followed(self) -> bool:
        """Whether another account's events can come behind its own."""
        is_events = self.reader is not None and self.reader.form is Form.EVENTS
        return is_events and self._reader.is_plain and not self.part.is_torn

    @property
    def is_open(self) -> bool:
        """Whether a stream has not said yet how it ends."""
        return self.ending is None and self.reader is not None and self.reader.form is Form.EVENTS

    def came_to(self, usual: Kind) -> Outcome:
        """What it means now that it has come to its end; `usual` where it says nothing of that itself."""
        if self.is_open:
            return Outcome(kind=Kind.TRUNCATED, detail="ended without response.completed")
        return self.ending[0] if self.ending else Outcome(kind=usual)

    def catalogue_over(self) -> None:
        """It was a catalogue, and has come to its end."""
        if self.response is not None:
            observe.from_catalogue(self.service, self.lease, messages.plain(self.response, bytes(self.collected)))

    @property
    def silent(self) -> float:
        """Seconds since something came."""
        return self.service.clock() - self.heard_at

    def passing(self, data: bytes) -> bytes:
        """Sees every chunk on its way; delays no event, never raises, and changes only what says that its account died,
        and the numbers of a further part."""
        self.heard_at = self.service.clock()
        if self._reader.form is Form.CUT:
            return b""
        known = self.ending
        if self.unpassed:
            self.unpassed = max(0, self.unpassed - len(data))
            known = self.ending if self.unpassed else None  # the last of what was held is what has told
        elif self.is_open and self._reader.is_quiet(data):
            self.part.delivered.skimmed(data.count(b"\n\n"), data)
        elif self.is_open:
            self._watch(self._reader.events_in(data))
        if self._reader.is_plain:
            data = self.part.whole(data)
        if self.ending is not known:
            data = self._survived(data)
        self.capture.keep(data)
        return data

    def _survived(self, data: bytes) -> bytes:
        """What the client gets of a chunk that was read just now."""
        if self.ending is None or self.ending[1] or not self._reader.is_plain:
            return data
        told = self.dying()
        instead = told(self.ending[0]) if told is not None else None
        if instead is None:
            return data
        self._reader.form = Form.CUT
        return events.before_failure(data) + instead

    def collecting(self, data: bytes) -> bytes:
        """Keeps a copy of a catalogue that passes."""
        if len(self.collected) <= MOST_CATALOGUE:
            self.collected += data
        self.capture.keep(data)
        return data

    def _watch(self, told: Iterable[tuple[str, bytes]]) -> None:
        """What the events of an answer that the client gets anyway mean."""
        try:
            for kind, event in told:
                self._note(kind, event)
        except Exception as e:  # noqa: BLE001 - watching must not break what passes
            answers.log_defect("an answer passes unread", e)
            self._reader.form = Form.OPAQUE

    def _note(self, kind: str, event: bytes) -> None:
        match events.meaning(kind):
            case Meaning.FAILURE:
                self.ending = self._failure(event, after_output=True), b""
                self.part.delivered.ended(event)
                return
            case Meaning.ENDING:
                self.ending = Outcome(kind=Kind.OK), event
            case Meaning.OUTPUT | Meaning.SHELL:
                observe.from_output(self.service, self.lease, kind, event)
            case Meaning.PRELUDE:
                observe.from_prelude(self.service, self.lease, kind, event)
        self.part.heard(kind, event)
