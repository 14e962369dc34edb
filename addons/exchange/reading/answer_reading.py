"""Reads one attempt's answer as it comes, until it is clear what that means for the turn; and what the pool learns from
it on the way. From its delivery on it passes (passing_answer.py)."""

import itertools
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from mitmproxy import http

from accounts.choice.outcomes import Kind, Outcome, classify, classify_failure
from accounts.choice.pool import Lease
from accounts.turn.events import Answered, Failed
from addons.attempts.protocol import Loss
from addons.exchange import observe
from addons.exchange.reading.answer_events import AnswerEvents
from addons.exchange.reading.body_form import BodyReader, Form
from addons.exchange.reading.passing_answer import AnswerOwner, PassingAnswer
from addons.exchange.reading.stream_part import StreamPart
from addons.exchange.service import PoolService
from addons.recording.capture import Capture
from addons.wire import answers, events, messages
from addons.wire.events import Meaning

HOLD_BYTES: Final = 256 * 1024
"""An answer's beginning is held back up to this size: more is an answer, whatever it is."""

LOSSES: Final = {
    Loss.CONNECT: Kind.CONNECT_FAILED,
    Loss.PROXY: Kind.PROXY_FAILED,
    Loss.SCARCE: Kind.NO_DESCRIPTORS,
    Loss.BROKEN: Kind.RESET,
    Loss.STALE: Kind.STALE,
}

type Found = Answered | Failed | None
"""What the turn is to be told; None: more has to come first."""


class AnswerReading:
    """One attempt on the account of `lease`. If it is delivered, it is `part` of what the client gets."""

    def __init__(self, service: PoolService, lease: Lease, part: StreamPart) -> None:
        self.service = service
        self.lease = lease
        self.said = AnswerEvents(service, lease, part)
        self.collected = bytearray()
        """What is held back."""
        self.reader: BodyReader | None = None
        self.refused_as: int | None = None
        """Of a refusal that came as a success: the status that it is delivered with."""
        self.passing: PassingAnswer | None = None
        """Once it is delivered."""
        self.began_at = self.said.heard_at

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
            return self._judged() if self._is_none else Answered()
        return found

    @property
    def _is_none(self) -> bool:
        """Whether it can be no answer, whatever follows."""
        reader = self._reader
        text = reader.form is Form.DOCUMENT and not messages.may_be_answer(reader.request, reader.document)
        return text or reader.form is Form.REFUSAL

    def _found(self, told: Iterator[tuple[str, bytes]]) -> Found:
        for kind, event in told:
            match events.meaning_of(kind, event):
                case Meaning.FAILURE:
                    return Failed(self.said.failed(event, after_output=False), words=True)
                case Meaning.OUTPUT | Meaning.ENDING:
                    self.said.watch(self._reader, itertools.chain([(kind, event)], told))
                    return Answered()
                case _:
                    self.said.early(kind, event)
        return None

    def end(self) -> Found:
        if self._reader.form is Form.EVENTS:
            return Failed(Outcome(kind=Kind.TRUNCATED, detail="ended before any output"))
        return self._judged()

    def lost(self, loss: Loss, message: str) -> Found:
        if self.is_refusal:
            return self._judged()
        return Failed(Outcome(kind=LOSSES[loss], detail=message[:200]))

    def held_long_enough(self) -> Found:
        """What has come so far has to do."""
        return self._judged() if self.is_refusal else Answered()

    def _judged(self) -> Found:
        """A refusal as far as it came, or a success that is no stream: in that the client finds no words, unless it
        says that the request is to blame."""
        now, response, document = self.service.clock(), self._reader.response, self._reader.document
        if response.status_code >= 400:
            return Failed(classify(messages.read_reply(response, bytes(self.collected)), now), words=True)
        error = messages.error_in(response, document)
        if error is not None:
            return self._refused(classify_failure(error, now))
        if self._reader.form is Form.DOCUMENT and messages.is_answer(self._reader.request, document):
            return Answered()
        shown = f"{response.status_code} without an answer"
        return Failed(Outcome(kind=Kind.NO_ANSWER, detail=shown))

    def _refused(self, outcome: Outcome) -> Failed:
        """By the body of a success. The client asks again in silence after a 502, and is told the same each time: what
        will never be answered has to reach it as what it is."""
        status = answers.STATUS_OF.get(outcome.kind)
        self.refused_as = status if status == 400 else None
        return Failed(outcome, words=self.refused_as is not None)

    def deliver(self, capture: Capture, owner: AnswerOwner) -> PassingAnswer:
        """From now on it is the client's, with what was held of it."""
        self.said.part.begin(self.lease.account.account_id)
        held = len(self.collected)
        self.collected.clear()
        if self.refused_as is not None:
            self._reader.response.status_code = self.refused_as
            self._reader.response.reason = HTTPStatus(self.refused_as).phrase
        self.passing = PassingAnswer(self.said, self._reader, held, capture, owner)
        return self.passing

    @property
    def _reader(self) -> BodyReader:
        assert self.reader is not None
        return self.reader

    @property
    def response(self) -> http.Response | None:
        return self.reader.response if self.reader is not None else None

    @property
    def is_refusal(self) -> bool:
        return self.reader is not None and self.reader.form is Form.REFUSAL

    @property
    def is_stream(self) -> bool:
        return self.reader is not None and self.reader.is_stream

    @property
    def can_be_followed(self) -> bool:
        """Whether another account's events can come behind its own."""
        is_events = self.reader is not None and self.reader.form is Form.EVENTS
        return is_events and self._reader.is_plain and not self.said.part.is_torn

    @property
    def ending(self) -> tuple[Outcome, bytes] | None:
        """What it has said of its end, and in which event; None as long as the client has not got that."""
        return self.passing.ending if self.passing is not None else None

    @property
    def delivered(self) -> bool:
        return self.passing is not None

    @property
    def silent(self) -> float:
        """Seconds since something came; before its delivery, since it began."""
        return self.said.silent
