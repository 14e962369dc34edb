"""A request over HTTP that the pool serves: a driver of the turn's state machine (accounts/turn/machine.py).

It translates: mitmproxy's heads and chunks into events of the turn, the turn's steps into steps of the stream. Nothing
is decided here.
"""

import logging
from dataclasses import replace

from mitmproxy import http

from accounts.choice.decision_record import Done
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.requests.identity import thread_in
from accounts.turn import events, steps
from addons.attempts.protocol import Answer, Loss, Send, Signal, Step
from addons.exchange import catalogue_tag, credentials
from addons.exchange.answering import local_answers
from addons.exchange.delivery import Delivery
from addons.exchange.passthrough import refusal_of_masked
from addons.exchange.patience import USUAL, Limits, Patience, left_after
from addons.exchange.reading.answer_reading import AnswerReading, Found
from addons.exchange.reading.stream_part import StreamPart
from addons.exchange.request_log import RequestLog
from addons.exchange.service import PoolService
from addons.exchange.sockets.pooled_socket import PooledSocket
from addons.exchange.sockets.upgrades import Upgrades
from addons.recording.annotations import FlowAnnotations
from addons.redaction import flows
from addons.wire import answers, messages

logger = logging.getLogger(__name__)


class PooledRequest:
    """One request of the client, and what is under way for it."""

    def __init__(
        self, service: PoolService, flow: http.HTTPFlow, shown: flows.FlowRedactor, ask: Ask, limits: Limits = USUAL
    ) -> None:
        self.service = service
        self.flow = flow
        self.shown = shown
        self.turn = service.turn(ask, upgrade=messages.is_upgrade(flow.request))
        self.waiting = Patience(limits, self.turn.upgrade, self.service.steady())
        trail = FlowAnnotations(flow, self.turn, shown, upgrade=self.turn.upgrade, minor=ask.steady)
        self.log = RequestLog(service, self.turn, trail, minor=self.turn.upgrade or ask.steady)
        self.reading: AnswerReading | None = None
        """Of the attempt that is under way, or was last."""
        self.awaited: steps.Renew | steps.Pause | events.Event | None = None
        """What has to be waited for before the turn goes on; once it is over, what has come of it."""
        self.socket: PooledSocket | None = None
        """Once it has become one."""
        self.delivery = Delivery(service, self.turn, flow, self.log, limits.capture_bytes)

    # Steps

    def streaming(self) -> None:
        self.turn.replayable = False
        logger.info("codex-rotate: the body of this request is too large to keep: sent once, never retried")

    def start(self) -> Step:
        self.shown.request_body(self.flow.request)
        if not self.turn.ask.thread:
            self.turn.ask = replace(self.turn.ask, thread=thread_in(self.asked()))
        self.turn.named(self.asked, lambda: messages.plain_beginning(self.flow.request, self._body))
        return refusal_of_masked(self.flow, self.shown, pooled=True) or self._next(events.Begin())

    def head(self, response: http.Response) -> Step:
        return self._found(self._answer.head(response, self.flow.request, opaque=self.turn.ask.steady))

    def body(self, data: bytes) -> Step:
        return self._found(self._answer.body(data))

    def end(self) -> Step:
        return self._found(self._answer.end())

    def lost(self, loss: Loss, message: str) -> Step:
        return self._found(self._answer.lost(loss, message))

    def patience(self) -> float:
        reading = self._answer
        if reading.passing is not None and not self.delivery.may_stall(reading.passing):
            return 0
        unhelped = self.delivery.carrying.unhelped_at == reading.said.heard_at
        return self.waiting.left(reading, self.service.steady(), unhelped=unhelped)

    def overdue(self) -> Step:
        reading = self._answer
        if not self.patience():
            return Signal.WAIT
        if self.waiting.has_stalled(reading):
            step = self._dead(_stalled(reading))
            if step is not Signal.WAIT:
                return step
            self.delivery.carrying.unhelped_at = reading.said.heard_at
        if not self.waiting.is_over(reading, self.service.steady()):
            return Signal.WAIT
        if not reading.delivered:
            if reading.is_refusal or reading.is_stream:
                return self._found(reading.held_long_enough())
            return self._next(events.Silent(Outcome(kind=Kind.HEAD_TIMEOUT, detail="no answer in time")))
        self.delivery.over(events.Ended(_stalled(reading)), Done.STALLED, reading)
        return Signal.ABORT

    async def decide(self) -> None:
        awaited, self.awaited = self.awaited, None
        if isinstance(awaited, steps.Renew | steps.Pause):
            self.awaited = await self.service.renewals.for_turn(awaited)

    def decided(self) -> Step:
        event, self.awaited = self.awaited, None
        if not isinstance(event, events.Event):
            return Answer(answers.failed_closed())
        return self._next(event)

    # After delivery

    def delivering(self, response: http.Response) -> None:
        assert self._answer.passing is not None
        catalogue_tag.agree(self.service, self.turn.ask, self._answer.lease, response)
        self.shown.answer_head(response)
        self.delivery.follow(self._answer.passing, response)

    def reveal(self, response: http.Response) -> http.Response:
        return self.shown.revealed(response)

    def reveal_data(self, data: bytes) -> bytes:
        return self.shown.revealed_data(data)

    @property
    def served_by(self) -> Lease | None:
        """Of the account whose answer the client gets."""
        return self.reading.lease if self.reading is not None and self.reading.delivered else None

    @property
    def complete(self) -> bool:
        """Whether the client has all that matters of its answer, though the answer has not come to its end."""
        return self.reading is not None and self.reading.ending is not None

    def finished(self) -> None:
        self.delivery.finished(self.reading)

    def upgraded(self) -> PooledSocket | None:
        """Inside the socket each request is a turn of its own."""
        if self.served_by is not None:
            upgrades = Upgrades(self.service, self.flow.request, self.shown)
            self.socket = PooledSocket(self.service, self.served_by, upgrades, self.waiting.limits)
            self.socket.quota = self.delivery.quota
        return self.socket

    def gone(self) -> None:
        outcome = left_after(self.reading.silent if self.reading is not None else 0)
        self.delivery.cut(outcome, Done.CLIENT_LEFT, self.reading)

    def broke(self, message: str) -> None:
        self.delivery.cut(Outcome(kind=Kind.TRUNCATED, detail=message[:200]), Done.BROKEN_OFF, self.reading)

    def passed(self) -> Step:
        step = self.delivery.take()
        return Signal.WAIT if step is None else self._do(step)

    def stopped(self, message: str) -> Step:
        if self._answer.passing is None or not self._answer.passing.is_open:
            return Signal.WAIT
        return self._dead(Outcome(kind=Kind.TRUNCATED, detail=message[:200] or "ended without response.completed"))

    def died(self, outcome: Outcome) -> bytes | None:
        return self.delivery.died(outcome, self._answer, self.asked)

    def _dead(self, outcome: Outcome) -> Step:
        """The answer says no more. WAIT: nothing can be done about it."""
        self.delivery.silenced(outcome, self._answer, self.asked)
        return self.passed()

    # Inside

    @property
    def _answer(self) -> AnswerReading:
        assert self.reading is not None
        return self.reading

    def asked(self) -> bytes:
        """The client's request body without its coding; empty when there is none, or none that can be read."""
        return messages.plain(self.flow.request, self._body)

    @property
    def _body(self) -> bytes:
        return self.shown.body(self.flow.request)

    def _found(self, found: Found) -> Step:
        if isinstance(found, events.Answered) and self.delivery.begun and not self._answer.can_be_followed:
            found = events.Failed(Outcome(kind=Kind.NO_ANSWER, detail="nothing that an answer could go on with"))
        return Signal.WAIT if found is None else self._next(found)

    def _next(self, event: events.Event) -> Step:
        """Tell the turn, and do what it says."""
        known = len(self.turn.log.outcomes)
        if isinstance(event, events.Failed):
            self.turn.refused(event.outcome, self.asked)
        step = self.turn.next(event, self.service.clock())
        if len(self.turn.log.outcomes) > known:
            self.log.attempt_failed(self.reading)
        if isinstance(step, steps.Refuse | steps.Deliver) and step.nobody is not None:
            self.log.nobody(step.nobody)
        return self._do(step)

    def _do(self, step: steps.Step) -> Step:  # noqa: PLR0911 - one for each step
        match step:
            case steps.Attempt():
                return self._send(step)
            case steps.Wait():
                return Signal.WAIT
            case steps.Renew() | steps.Pause():
                self.reading, self.awaited = None, step
                return Signal.AWAIT
            case steps.StripAndRetry():
                stripped = self.service.unseal(self.asked_of(step.lease), step.lease, self.service.clock())
                return self._next(events.Stripped() if stripped else events.NothingStripped())
            case steps.Deliver():
                return self.delivery.begin(self._answer, self)
            case steps.Complete() | steps.HandOver() if self.delivery.begun:
                return self.delivery.conclude(step)
            case _:
                return local_answers.instead(step, self.service, self.turn.ask, self.flow.request)

    def _send(self, attempt: steps.Attempt) -> Step:
        part = StreamPart(self.delivery.carrying.delivered)
        self.reading = AnswerReading(self.service, attempt.lease, part)
        return _prepared(self, attempt.lease)

    def asked_of(self, lease: Lease) -> bytes:
        """The body of what this account is asked, without its coding."""
        return self.delivery.carrying.body(self.asked(), lease) if self.delivery.begun else self.asked()


def _stalled(reading: AnswerReading) -> Outcome:
    return Outcome(kind=Kind.STALLED, detail=f"silent for {reading.silent:.0f} s")


def _prepared(pooled: PooledRequest, lease: Lease) -> Send | Answer:
    """The client's request with the account's credentials, as far as the account can read it."""
    service = pooled.service
    try:
        request = credentials.managed(pooled.flow.request, pooled.shown, lease, service.given)
    except credentials.OffItsRoute:
        return Answer(answers.off_its_route())
    further = pooled.delivery.begun
    if further or (pooled.delivery.quota is not None and messages.wants_response(request)):
        request.headers["accept-encoding"] = "identity"  # its events stand in another's stream, or some are changed
    if pooled.turn.replayable and (further or service.may_be_unreadable(lease)):
        body = pooled.asked_of(lease)
        readable = service.readable(body, lease)
        if further or readable is not body:
            request.headers.pop("content-encoding", None)
            request.content = readable
    return Send(request, key=lease.key)
