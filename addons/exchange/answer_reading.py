"""Reads one attempt's answer as it comes: what it means for the turn, and what the pool learns from it on the way.

What is found out before anything is delivered is an event for the turn. After that the answer is only watched: every
chunk passes unchanged and at once.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from mitmproxy import http

from accounts.choice.outcomes import Kind, Outcome, classify, classify_failure
from accounts.choice.pool import Lease
from accounts.turn.events import Answered, Failed
from addons.attempts.protocol import Loss
from addons.exchange import observe
from addons.exchange.service import PoolService
from addons.recording.capture import Capture
from addons.wire import answers, events, messages
from addons.wire.events import Meaning

HOLD_BYTES: Final = 256 * 1024
"""An answer's beginning is held back up to this size: more is an answer, whatever it is. In time, it is held until the
account's patience for the head is over."""
MOST_CATALOGUE: Final = 4 * 1024 * 1024

LOSSES: Final = {
    Loss.CONNECT: Kind.CONNECT_FAILED,
    Loss.PROXY: Kind.PROXY_FAILED,
    Loss.BROKEN: Kind.RESET,
    Loss.OVERDUE: Kind.HEAD_TIMEOUT,
}

type Found = Answered | Failed | None
"""What the turn is to be told; None: more has to come first."""


class AnswerReading:
    """One attempt on the account of `lease`. What passes is kept in `capture`."""

    def __init__(self, service: PoolService, lease: Lease, capture: Capture) -> None:
        self.service = service
        self.lease = lease
        self.capture = capture
        self.response: http.Response | None = None
        self.collected = bytearray()
        """What is held back; of a catalogue that is delivered, a copy of what has passed."""
        self.events: events.Events | None = None
        self.blind = False
        """Its events could not be made sense of; they pass unread."""
        self.ending: tuple[Outcome, bytes] | None = None
        """What the event says after which nothing of importance comes, and the event if it says that all is well: not
        yet to the client, while it is held."""
        self.unpassed: int | None = None
        """Once it is delivered: how many bytes of it were read before, and pass by once more."""
        self.heard_at = service.clock()

    # Before delivery

    def head(self, response: http.Response) -> Found:
        self.response = response
        observe.from_head(self.service, self.lease, response)
        if response.status_code >= 400:
            return None
        if messages.is_event_stream(response):
            self.events = events.Events()
            return None
        return Answered()

    def body(self, data: bytes) -> Found:
        self.collected += data
        found = self._found(self.events.feed(data)) if self.events is not None else None
        if found is None and len(self.collected) > HOLD_BYTES:
            return self._refused() if self.events is None else Answered()
        return found

    def _found(self, told: Iterator[tuple[str, bytes]]) -> Found:
        for kind, event in told:
            match events.meaning(kind):
                case Meaning.FAILURE:
                    outcome = self._failure(event, after_output=False)
                    self.ending = outcome, b""
                    return Failed(outcome, words=True)
                case Meaning.OUTPUT | Meaning.ENDING:
                    self._watch(itertools.chain([(kind, event)], told))
                    return Answered()
                case Meaning.PRELUDE:
                    observe.from_prelude(self.service, self.lease, kind, event)
        return None

    def end(self) -> Failed:
        if self.events is not None:
            return Failed(Outcome(kind=Kind.TRUNCATED, detail="ended before any output"), words=True)
        return self._refused()

    def lost(self, loss: Loss, message: str) -> Failed:
        if self.response is not None and self.events is None:
            return self._refused()
        return Failed(Outcome(kind=LOSSES[loss], detail=message[:200]), words=self.response is not None)

    def overdue(self) -> Found:
        """The account's patience is over."""
        if self.response is None:
            return self.lost(Loss.OVERDUE, "no answer in time")
        return self._refused() if self.events is None else Answered()

    def _refused(self) -> Failed:
        """An answer of 400 or more, as far as it came."""
        assert self.response is not None
        reply = messages.read_reply(self.response, bytes(self.collected))
        return Failed(classify(reply, self.service.clock()), words=True)

    def _failure(self, event: bytes, *, after_output: bool) -> Outcome:
        return classify_failure(events.reply_of(event), self.service.clock(), after_output=after_output)

    # After delivery

    def deliver(self) -> None:
        """From now on it is the client's, with what was held of it."""
        self.unpassed = len(self.collected)
        self.collected.clear()

    @property
    def delivered(self) -> bool:
        return self.unpassed is not None

    @property
    def passed(self) -> bool:
        """Whether the client has got all that was held back."""
        return self.unpassed is not None and self.unpassed <= 0

    @property
    def is_open(self) -> bool:
        """Whether a stream has not said yet how it ends."""
        return self.events is not None and not self.blind and self.ending is None

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
        """Sees every chunk on its way; never changes or delays one, and never raises."""
        self.heard_at = self.service.clock()
        self.capture.keep(data)
        if self.unpassed:
            self.unpassed = max(0, self.unpassed - len(data))
        elif self.events is not None and self.is_open and not self.events.quiet(data):
            self._watch(self.events.feed(data))
        return data

    def collecting(self, data: bytes) -> bytes:
        """Keeps a copy of a catalogue that passes."""
        if len(self.collected) <= MOST_CATALOGUE:
            self.collected += data
        self.capture.keep(data)
        return data

    def keep(self, flow: http.HTTPFlow) -> None:
        """Give the flow what was kept of its body, and let go of it: together they would be a circle, which only the
        garbage collector ends."""
        self.capture.into(flow)
        if flow.response is not None and callable(flow.response.stream):
            flow.response.stream = True

    def _watch(self, told: Iterable[tuple[str, bytes]]) -> None:
        """What the events of an answer that the client gets anyway mean."""
        try:
            for kind, event in told:
                self._note(kind, event)
        except Exception as e:  # noqa: BLE001 - watching must not break what passes
            answers.log_defect("an answer passes unread", e)
            self.blind = True

    def _note(self, kind: str, event: bytes) -> None:
        match events.meaning(kind):
            case Meaning.FAILURE:
                self.ending = self._failure(event, after_output=True), b""
            case Meaning.ENDING:
                self.ending = Outcome(kind=Kind.OK), event
            case Meaning.OUTPUT:
                observe.from_output(self.service, self.lease, kind, event)
            case Meaning.PRELUDE:
                observe.from_prelude(self.service, self.lease, kind, event)
