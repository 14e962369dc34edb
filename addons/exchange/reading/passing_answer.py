"""An attempt's answer from its delivery on: every chunk passes at once, and unchanged, but for the end of an answer
whose account has died."""

import weakref
from typing import Final, Protocol

from mitmproxy import http

from accounts.choice.outcomes import Kind, Outcome
from addons.exchange import observe
from addons.exchange.answering.pool_quota import PoolQuota
from addons.exchange.reading.answer_events import AnswerEvents
from addons.exchange.reading.body_form import BodyReader, Form
from addons.recording.capture import Capture
from addons.wire import events, messages

MOST_CATALOGUE: Final = 4 * 1024 * 1024


class AnswerOwner(Protocol):
    """Whose answer it is."""

    def died(self, outcome: Outcome) -> bytes | None:
        """It has failed after its delivery: what the client gets instead of the event that says so, None for that."""


class PassingAnswer:
    """Of which `reader` has read `held` bytes, and `said` knows the events so far. What passes is kept in `capture`."""

    def __init__(self, said: AnswerEvents, reader: BodyReader, held: int, capture: Capture, owner: AnswerOwner) -> None:
        self.said = said
        self.reader = reader
        self.capture = capture
        self.owner = weakref.ref(owner)
        """Weak, because it has the answer as well: a circle would wait for the garbage collector with all bodies."""
        self.unpassed = held
        """How many bytes of it were read before, and pass by once more."""
        self.catalogue = bytearray()
        """A copy of what has passed, if it is one."""
        self.quota: PoolQuota | None = None
        """What is told of limits; None: what it says."""

    def follow(self, response: http.Response, *, catalogue: bool) -> None:
        """Have it seen on its way, if there is anything to be seen in it."""
        if self.reader.is_stream:
            response.stream = self.passing
        elif catalogue and response.status_code == 200:
            response.stream = self.collecting

    @property
    def passed(self) -> bool:
        """Whether the client has got all that was held back."""
        return self.unpassed <= 0

    @property
    def is_open(self) -> bool:
        """Whether a stream has not said yet how it ends."""
        return self.said.ending is None and self.reader.form is Form.EVENTS

    @property
    def ending(self) -> tuple[Outcome, bytes] | None:
        """What it has said of its end, and in which event; None also while the client has not got that."""
        return self.said.ending if self.passed else None

    def came_to(self, usual: Kind) -> Outcome:
        """What it means now that it has come to its end; `usual` where it says nothing of that itself."""
        if self.is_open:
            return Outcome(kind=Kind.TRUNCATED, detail="ended without response.completed")
        return self.said.ending[0] if self.said.ending else Outcome(kind=usual)

    def catalogue_over(self) -> None:
        """It was a catalogue, and has come to its end."""
        body = messages.plain(self.reader.response, bytes(self.catalogue))
        observe.from_catalogue(self.said.service, self.said.lease, body)

    def passing(self, data: bytes) -> bytes:
        """Sees every chunk on its way; delays no event, never raises, and changes only what says that its account died,
        the numbers of a further part, and the limits that are told."""
        self.said.heard_at = self.said.service.steady()
        if self.reader.form is Form.CUT:
            return b""
        known = self.said.ending
        if self.unpassed:
            self.unpassed = max(0, self.unpassed - len(data))
            known = known if self.unpassed else None  # the last of what was held is what has told
        elif self.is_open and self.reader.is_quiet(data):
            self.said.part.delivered.skimmed(data.count(b"\n\n"), data)
        elif self.is_open:
            self.said.watch(self.reader, self.reader.events_in(data))
        if self.reader.is_plain:
            data = self.said.part.whole(data)
            if self.quota is not None:
                data = self.quota.in_stream(data)
        if self.said.ending is not known:
            data = self._survived(data)
        self.capture.keep(data)
        return data

    def _survived(self, data: bytes) -> bytes:
        """What the client gets of a chunk that was read just now."""
        ending = self.said.ending
        if ending is None or ending[1] or not self.reader.is_plain:
            return data
        owner = self.owner()
        instead = owner.died(ending[0]) if owner is not None else None
        if instead is None:
            return data
        self.reader.form = Form.CUT
        return events.before_failure(data) + instead

    def collecting(self, data: bytes) -> bytes:
        """Keeps a copy of a catalogue that passes."""
        if len(self.catalogue) <= MOST_CATALOGUE:
            self.catalogue += data
        self.capture.keep(data)
        return data
