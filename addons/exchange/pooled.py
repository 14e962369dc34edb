"""One request of the client, told by `attempts.py` what upstream does, telling it what to do next.

This translates: mitmproxy's heads and chunks into the pool's outcomes, the pool's verdicts into steps. What to do about
an outcome is decided in `accounts/`.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mitmproxy import http

from accounts.choice.outcomes import Action, Kind, Outcome, classify, classify_failure
from accounts.choice.pool import Lease
from accounts.choice.request_identity import thread_in
from accounts.choice.selection import Ask, Exhausted
from addons.attempts import local_websocket
from addons.attempts.protocol import Answer, Loss, Send, Signal, Step
from addons.exchange import credentials, observe
from addons.exchange.passthrough import Own
from addons.exchange.service import PoolService
from addons.recording import annotations, capture, turn_log
from addons.redaction import flows
from addons.wire import answers, events, messages
from addons.wire.events import Meaning

logger = logging.getLogger(__name__)

HOLD_BYTES: Final = 256 * 1024
"""An answer's beginning is held back up to this size: more is an answer, whatever it is. In time, it is held until the
account's patience for the head is over."""
MOST_CATALOGUE: Final = 4 * 1024 * 1024
UPGRADE_SECONDS: Final = 6.0
"""What an account gets to accept a WebSocket: the client waits 15 s in all (docs/codex-wire.md section 3)."""
STALL_SECONDS: Final = 280.0
"""A stream silent for so long is given up, just before the client would (300 s, docs/codex-wire.md section 3)."""

LOSSES: Final = {
    Loss.CONNECT: Kind.CONNECT_FAILED,
    Loss.PROXY: Kind.PROXY_FAILED,
    Loss.BROKEN: Kind.RESET,
    Loss.OVERDUE: Kind.HEAD_TIMEOUT,
}


class Pooled(Own):
    """A request that the pool serves: attempts on one account after another until one can be delivered."""

    head_seconds: float = 45.0
    """How long an account gets to begin its answer."""

    def __init__(self, service: PoolService, flow: http.HTTPFlow, shown: flows.Shown, ask: Ask) -> None:
        super().__init__(flow, shown)
        self.service = service
        self.turn = service.turn(ask)
        self.upgrade = messages.is_upgrade(flow.request)
        self.trail = annotations.Trail(flow, self.turn, shown, upgrade=self.upgrade, minor=ask.steady)
        self.noted: turn_log.Noted = turn_log.unheard
        """Told when the request is over."""
        self.ending = b""
        """The event that says how a stream ends."""
        self.capture = capture.Capture(0)
        self.catalogue = ask.steady
        self.lease: Lease | None = None
        self.replayable = True
        self.renewing: Lease | None = None
        self.paced: Lease | None = None
        self.served_by: Lease | None = None
        self.closed = False
        self._begin()

    def _begin(self) -> None:
        """A new attempt knows nothing yet."""
        self.response: http.Response | None = None
        self.collected = bytearray()
        self.heard = 0
        """How many bytes of the answer were read before it was delivered: they pass by once more."""
        self.events: events.Events | None = None
        self.blind = False
        """Its events could not be made sense of; they pass unread."""
        self.outcome: Outcome | None = None
        self.last_word = False
        """The event after which nothing of importance comes was seen: not yet by the client, while it is held."""
        self.delivered = False
        self.heard_at = self.service.clock()

    # Steps

    def streaming(self) -> None:
        self.replayable = False
        logger.info("codex-rotate: the body of this request is too large to keep: sent once, never retried")

    def start(self) -> Step:
        self.shown.request_body(self.flow.request)
        if not self.turn.ask.thread:
            self.turn.ask = replace(self.turn.ask, thread=thread_in(self._asked()))
        return self.masked(pooled=True) or self._take(None)

    def head(self, response: http.Response) -> Step:
        assert self.lease is not None
        self.response = response
        observe.from_head(self.service, self.lease, response)
        if response.status_code >= 400:
            return Signal.WAIT
        if messages.is_event_stream(response):
            self.events = events.Events()
            return Signal.WAIT
        return self._deliver()

    def body(self, data: bytes) -> Step:
        assert self.response is not None
        self.collected += data
        told = self.events.feed(data) if self.events is not None else iter(())
        for kind, event in told:
            match events.meaning(kind):
                case Meaning.FAILURE:
                    self.last_word = True
                    return self._failed(self._in_stream(event))
                case Meaning.OUTPUT | Meaning.ENDING:
                    deliver = self._deliver()
                    self._watch(itertools.chain([(kind, event)], told))
                    return deliver
                case Meaning.PRELUDE:
                    self._note(kind, event)
        if len(self.collected) > HOLD_BYTES:
            return self._refused() if self.events is None else self._deliver()
        return Signal.WAIT

    def end(self) -> Step:
        if self.events is not None:
            return self._failed(Outcome(kind=Kind.TRUNCATED, detail="ended before any output"))
        return self._refused()

    def lost(self, loss: Loss, message: str) -> Step:
        if self.response is not None and self.events is None:
            return self._refused()
        return self._failed(Outcome(kind=LOSSES[loss], detail=message[:200]))

    def patience(self) -> float:
        if self.delivered:
            silent = self.service.clock() - self.heard_at
            return max(1.0, STALL_SECONDS - silent) if self._is_open else 0
        return min(self.head_seconds, UPGRADE_SECONDS) if self.upgrade else self.head_seconds

    def overdue(self) -> Step:
        if self.delivered:
            silent = self.service.clock() - self.heard_at
            if self.lease is None or self.outcome is not None or silent < STALL_SECONDS - 1:
                return Signal.WAIT
            self._settle(Outcome(kind=Kind.STALLED, detail=f"silent for {silent:.0f} s"))
            self._close("given up after a long silence")
            return Signal.ABORT
        if self.response is None:
            return self.lost(Loss.OVERDUE, "no answer in time")
        return self._refused() if self.events is None else self._deliver()

    def gone(self) -> None:
        self._cut(Outcome(kind=Kind.CLIENT_GONE), "the client left")

    def broke(self, message: str) -> None:
        self._cut(Outcome(kind=Kind.TRUNCATED, detail=message[:200]), "broken off by upstream")

    @property
    def complete(self) -> bool:
        return self.delivered and self.last_word and self.heard <= 0

    async def think(self) -> Step:
        """Wait a moment for an account, or renew its token; then go on: with it, or without it."""
        if self.paced is not None:
            again, self.paced = self.paced, None
            await asyncio.sleep(self.turn.pause)
            return self._take(again)
        lease = self.renewing
        assert lease is not None
        self.renewing = None
        held = self.lease is lease
        renewal = await self.service.renew(lease, "proactive_expiry" if held else "unauthorized_recovery")
        now = self.service.clock()
        refused = Outcome(kind=Kind.TOKEN_INVALIDATED if renewal.dead else Kind.REFRESH_FAILED, detail=renewal.detail)
        if not held:
            if renewal.credentials is not None:
                return self._take(lease)
            action = self.turn.refresh_failed(lease, refused, now)
            self.trail.follow(None, b"", delivered=False)
            return self._go_on(action, refused, now)
        if renewal.credentials is not None:
            self.lease = replace(lease, credentials=renewal.credentials)
        elif lease.expired(now):
            return self._failed(refused)  # until then the old token still serves
        return self._send()

    # After delivery

    def delivering(self, response: http.Response) -> None:
        super().delivering(response)
        if self.events is not None:
            response.stream = self._passing
        elif self.catalogue and response.status_code == 200:
            response.stream = self._collecting

    def _collecting(self, data: bytes) -> bytes:
        """Keeps a copy of a catalogue that passes."""
        if len(self.collected) <= MOST_CATALOGUE:
            self.collected += data
        self.capture.keep(data)
        return data

    def _passing(self, data: bytes) -> bytes:
        """Sees every chunk on its way; never changes or delays one, and never raises."""
        self.heard_at = self.service.clock()
        self.capture.keep(data)
        if self.heard > 0:
            self.heard -= len(data)
        elif self.events is not None and self._is_open and not self.events.quiet(data):
            self._watch(self.events.feed(data))
        return data

    def _watch(self, told: Iterable[tuple[str, bytes]]) -> None:
        """What the events of an answer that the client gets anyway mean."""
        try:
            for kind, event in told:
                self._note(kind, event)
        except Exception as e:  # noqa: BLE001 - watching must not break what passes
            answers.log_defect("an answer passes unread", e)
            self.blind = True

    def finished(self) -> None:
        if not self.delivered:
            self._settle(Outcome(kind=Kind.CLIENT_GONE))
            self._close(annotations.OURS)
            return
        if self.catalogue and self.response is not None and self.lease is not None:
            plain = messages.plain(self.response, bytes(self.collected))
            observe.from_catalogue(self.service, self.lease, plain)
        if self._is_open:
            self.outcome = Outcome(kind=Kind.TRUNCATED, detail="ended without response.completed")
        self._settle(self.outcome or Outcome(kind=Kind.UPGRADED if self.upgrade else Kind.OK))
        self._close("broken off by upstream" if self.outcome and self.outcome.kind is Kind.TRUNCATED else "delivered")
        if self.flow.response is not None and callable(self.flow.response.stream):
            self._show()

    def _show(self) -> None:
        """Give the flow what was kept of its body, and let go of it: together they would be a circle, which only the
        garbage collector ends."""
        self.capture.into(self.flow)
        if self.flow.response is not None and callable(self.flow.response.stream):
            self.flow.response.stream = True

    def _cut(self, outcome: Outcome, done: str) -> None:
        """One side has left before the end of the stream. An ending that has passed by then decides what that means:
        the official client leaves as soon as it has it."""
        ending = self.outcome if self.complete else None
        self._settle(ending or outcome)
        self._close("delivered" if ending else done)
        self._show()

    # Inside

    @property
    def _is_open(self) -> bool:
        """Whether a stream has not said yet how it ends."""
        return self.events is not None and not self.blind and self.outcome is None

    def _asked(self) -> bytes:
        """The client's request body without its coding; empty when there is none, or none that can be read."""
        return messages.plain(self.flow.request, self.shown.body(self.flow.request))

    def _take(self, again: Lease | None) -> Step:
        now = self.service.clock()
        taken = self.turn.take(now, again=again)
        if isinstance(taken, Exhausted):
            return self._exhausted(taken, now)
        self.lease = taken
        if self.turn.refresh_first(taken, now):
            self.renewing = taken
            return Signal.THINK
        return self._send()

    def _send(self) -> Step:
        assert self.lease is not None
        self._begin()
        request = credentials.managed(self.flow.request, self.shown, self.lease, self.service.turn_states)
        reader = self.service.pool.reader(self.lease, self.service.clock())
        if self.service.unsealing.concerns(reader) and self.replayable:
            body = self._asked()
            readable = self.service.unsealing.readable(body, reader)
            if readable is not body:
                request.headers.pop("content-encoding", None)
                request.content = readable
        return Send(request, key=self.lease.key)

    def _deliver(self) -> Step:
        assert self.lease is not None
        assert self.response is not None
        self.delivered = True
        self.served_by = self.lease
        self.heard = len(self.collected)
        self.collected.clear()
        self.service.turn_states.issued(self.response.headers.get(credentials.TURN_STATE), self.lease.key)
        return Signal.DELIVER

    def _refused(self) -> Step:
        """An answer of 400 or more, as far as it came."""
        response = self.response
        assert response is not None
        return self._failed(classify(messages.read_reply(response, bytes(self.collected)), self.service.clock()))

    def _in_stream(self, event: bytes) -> Outcome:
        return classify_failure(events.reply_of(event), self.service.clock(), after_output=self.delivered)

    def _failed(self, outcome: Outcome) -> Step:
        lease, now = self.lease, self.service.clock()
        assert lease is not None
        self.lease = None
        action = self.turn.report(lease, outcome, now)
        self.trail.follow(self.response, bytes(self.collected), delivered=False)
        self.service.failed(lease.account, outcome)
        if self.replayable:
            match action:
                case Action.REFRESH:
                    self.renewing = lease
                    return Signal.THINK
                case Action.RETRY_SAME:
                    self.paced = lease
                    return Signal.THINK
                case Action.UNSEAL if self.service.unseal(self._asked(), lease, now):
                    self.turn.pause = 0.0
                    self.paced = lease  # not at once: its connection is still busy with the answer that has just ended
                    return Signal.THINK
        return self._go_on(action, outcome, now)

    def _go_on(self, action: Action, outcome: Outcome, now: float) -> Step:
        """After an attempt that came to nothing: another account, or the end."""
        if action is not Action.RETRY_OTHER or not self.replayable:
            return self._give_up(outcome, now)
        taken = self._take(None)
        if isinstance(taken, Answer) and not outcome.rule.bars:
            return self._give_up(outcome, now)  # nobody else: what upstream said is truer than "all are resting"
        return taken

    def _give_up(self, outcome: Outcome, now: float) -> Step:
        """No further attempt: the client gets upstream's own words if there are any."""
        if self.replayable and (outcome.rule.bars or outcome.rule.private):
            left = self.turn.peek(now)
            if self.turn.alarmed:
                return self._answer(answers.signed_out())
            if not isinstance(left, Exhausted):
                return self._answer(answers.try_again(1, "Several accounts in a row could not serve; others are left."))
            if outcome.rule.bars:
                return self._exhausted(left, now)
        if self.response is not None and not outcome.rule.private:
            return self._deliver_refusal()
        return Answer(answers.unreachable(f"{outcome.kind} {outcome.detail}".strip()))

    def _deliver_refusal(self) -> Step:
        self.delivered = True
        self.heard = len(self.collected)
        self.outcome = self.turn.outcomes[-1]
        return Signal.DELIVER

    def _exhausted(self, exhausted: Exhausted, now: float) -> Step:
        self.trail.nobody(exhausted.reasons)
        if self.upgrade:  # the pool is asked once more when the client asks: an account may be back by then
            return local_websocket.while_exhausted(self.service, self.turn.ask, self.flow.request)
        return Answer(self.service.nothing_usable(exhausted, now))

    def _answer(self, response: http.Response) -> Step:
        """An answer of ours. A refused upgrade loses its body on the way; inside a socket the client reads it."""
        return local_websocket.saying(response, self.flow.request) if self.upgrade else Answer(response)

    def _note(self, kind: str, event: bytes) -> None:
        assert self.lease is not None
        match events.meaning(kind):
            case Meaning.FAILURE:
                self.last_word, self.outcome = True, self._in_stream(event)
            case Meaning.ENDING:
                self.last_word, self.outcome, self.ending = True, Outcome(kind=Kind.OK), event
            case Meaning.OUTPUT:
                observe.from_output(self.service, self.lease, kind, event)
            case Meaning.PRELUDE:
                observe.from_prelude(self.service, self.lease, kind, event)

    def _settle(self, outcome: Outcome) -> None:
        """Give the lease back, once."""
        lease, self.lease = self.lease, None
        if lease is not None:
            self.turn.report(lease, outcome, self.service.clock())
            self.trail.follow(self.response, b"", delivered=self.delivered)

    def _close(self, done: str) -> None:
        """The request is over: its decision record is complete."""
        if self.closed:
            return
        self.closed = True
        now = self.service.clock()
        record = self.turn.record(done, now)
        minor = (self.upgrade or self.catalogue) and len(self.turn.trail) == 1 and done == "delivered"
        if not minor:  # a socket's turns have records of their own
            self.service.decided(record)
        self.trail.over(done, now)
        self.noted(turn_log.Ended(record, self.ending))
