"""The in-band side of an open WebSocket: a driver of the turn's state machine (accounts/turn/machine.py).

Limits and refusals arrive as messages, long after the upgrade, so each `response.create` is a request of its own: a
turn that begins on the account that the socket belongs to. Another account gets the request on another socket upstream
beneath the client's, which stays. Where the request cannot go alone, because it continues what only the server of this
socket knows, the client is told the error on which it reconnects with its whole history: once in a turn it does so in
silence (docs/codex-wire.md section 1.2). Nothing is decided here.
"""

import enum
from dataclasses import replace
from typing import Final

from mitmproxy import http

from accounts.choice.decision_record import Done
from accounts.choice.outcomes import Kind, Outcome, classify_failure
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.continuing.carry import Carry, completed
from accounts.requests import identity
from accounts.turn import events, steps
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from addons.attempts.protocol import Loss, Put, Say, Signal, SocketStep
from addons.exchange import credentials, local_answers, observe
from addons.exchange.patience import SLACK, UPGRADE_SECONDS, USUAL, Limits, left_after
from addons.exchange.service import PoolService
from addons.exchange.sockets.traffic import SocketTraffic
from addons.exchange.sockets.upgrades import Upgrades
from addons.recording.turn_log import EndedTurn, Noted, unheard
from addons.wire import answers
from addons.wire import events as wire_events
from addons.wire.answers import RECONNECT
from addons.wire.events import Meaning


class Held(enum.Enum):
    """The other side gets nothing of a message; what is done instead is the socket's next step."""

    HELD = enum.auto()


HELD: Final = Held.HELD

TOO_LARGE: Final = 1009
"""The close code for a message that is too large (RFC 6455, section 7.4.1)."""
MOST_BYTES: Final = 16 << 20
"""Upstream closes a socket on which more comes in one message, and the client then complains before it goes on."""
AT_ONCE_SECONDS: Final = 10.0
"""A socket that is closed so soon, and has said nothing, was closed at once."""


class PooledSocket:
    """One socket of a client: the account whose socket is behind it, and the turn that is under way."""

    def __init__(self, service: PoolService, lease: Lease, upgrades: Upgrades, limits: Limits = USUAL) -> None:
        self.service = service
        self.upgrades = upgrades
        self.limits = limits
        self.noted: Noted = unheard
        """Told of every turn that is over."""
        self.lease = lease
        self.is_open = True
        """Whether the socket of this lease is there."""
        self.turn: Turn | None = None
        self.traffic = SocketTraffic(service.clock(), limits.chain_bytes)
        self.step: SocketStep | None = None
        self.awaited: steps.Renew | steps.Pause | events.Event | None = None

    @property
    def active(self) -> bool:
        return self.turn is not None

    def take(self) -> SocketStep | None:
        step, self.step = self.step, None
        return step

    # Messages

    def from_client(self, content: bytes) -> bytes | Held:
        """What upstream gets: the message, or one that the account can read; held where something else comes first."""
        if wire_events.event_type(content) != wire_events.CREATE:
            return content if self.is_open else HELD
        now, traffic = self.service.clock(), self.traffic
        if not self.lease.thread:
            self.lease = replace(self.lease, thread=identity.thread_in(content))
        if self.turn is not None:
            traffic.asks(content, now)
            if self.turn.phase in {Phase.RENEWING, Phase.RENEWING_FIRST} or not self.is_open:
                return HELD  # it goes once there is somebody to take it
            self.turn.next(events.AskedAgain(), now)
            return self._readied()
        traffic.asks(content, now)
        turn = self.turn = self._begun(content)
        fits = len(content) <= MOST_BYTES
        begin = events.Begin(self.lease if self.is_open else None) if fits else events.BeginTooLarge(self.lease)
        step = self._done(turn, turn.next(begin, now))
        if isinstance(step, Put):
            return step.content
        self.step = step
        return HELD

    def _begun(self, content: bytes) -> Turn:
        lease = self.lease
        ask = Ask(thread=lease.thread, model=lease.model, pin=lease.pin, guest=lease.guest)
        turn = self.service.turn(ask, bound=True)
        turn.whole = self.traffic.chain.is_whole(content)
        return turn

    def from_server(self, said: bytes) -> bytes | Held | None:
        """None to let the message pass; else what the client gets in its place."""
        turn = self.turn
        if not self.is_open:
            return HELD  # of a socket that is left
        if turn is None:
            return None
        content = self.traffic.hears(said, self.service.clock())
        if turn.phase not in {Phase.ASKING, Phase.DELIVERING}:
            return HELD  # more of what has just failed
        kind = wire_events.event_type(content)
        delivering = turn.phase is Phase.DELIVERING
        match wire_events.meaning(kind) if delivering else wire_events.meaning_of(kind, content):
            case Meaning.OUTPUT | Meaning.SHELL:
                if not delivering:
                    turn.next(events.Answered(), self.service.clock())
                self.traffic.gives(kind, content)
                observe.from_output(self.service, self.lease, kind, content)
            case Meaning.PRELUDE:
                self.traffic.gives(kind, content)
                observe.from_prelude(self.service, self.lease, kind, content)
            case Meaning.ENDING:
                self.traffic.gives(kind, content)
                self.traffic.chain.ends(content)
                self._over(turn, events.Ended(Outcome(kind=Kind.OK)), Done.DELIVERED, content)
            case Meaning.FAILURE:
                return self._failure(turn, content)
        return None if content is said else content

    def _failure(self, turn: Turn, content: bytes) -> bytes | Held | None:
        now, after = self.service.clock(), turn.phase is Phase.DELIVERING
        outcome = classify_failure(wire_events.reply_of(content), now, after_output=after)
        event = self._died(outcome) if after else events.Failed(outcome, words=True)
        step = self._next(turn, event, content)
        if isinstance(step, Say):
            return step.content
        self.step = step
        return HELD

    # The socket upstream

    def head(self, response: http.Response) -> SocketStep:
        self.upgrades.head(self.lease, response)
        return Signal.WAIT

    def body(self, data: bytes) -> SocketStep:
        self.upgrades.more(data)
        return Signal.WAIT

    def end(self) -> SocketStep:
        return self._failed(self.upgrades.refusal(), words=True)

    def lost(self, loss: Loss, message: str) -> SocketStep:
        return self._failed(self.upgrades.lost(loss, message))

    def forbidden(self, response: http.Response) -> SocketStep:
        return self._answered(self.turn, response) if self.turn is not None else Signal.WAIT

    def opened(self) -> SocketStep:
        self.is_open = True
        self.lease = replace(self.lease, at=self.service.clock())
        self.traffic.chain.moved()
        if self.turn is None:
            return Signal.WAIT
        asked = self._readied()
        return Put(asked) if len(asked) <= MOST_BYTES else self._reconnecting(self.turn)

    def closed_upstream(self, code: int) -> SocketStep | None:
        turn = self.turn
        if turn is None or (turn.phase is Phase.DELIVERING and not self._may_carry_on(turn)):
            return None
        self.is_open = False
        return self._failed(self._came_to(by_client=False, code=code))

    def _failed(self, outcome: Outcome, *, words: bool = False) -> SocketStep:
        if self.turn is not None and self.turn.phase is Phase.DELIVERING:
            return self._next(self.turn, self._died(outcome))
        if self.turn is None or self.turn.phase is not Phase.ASKING:
            return Signal.WAIT
        return self._next(self.turn, events.Failed(outcome, words=words))

    def _died(self, outcome: Outcome) -> events.Died:
        return events.Died(outcome, self._way, self.traffic.delivered.events)

    @property
    def _way(self) -> Carry:
        """What can be done with the answer if it has died now."""
        return self.traffic.carry() if self.service.settings.mid_answer == "continue" else Carry.CLIENT

    def _may_carry_on(self, turn: Turn) -> bool:
        """Whether the client need not hear of it that the answer it is getting has died without a word."""
        way = self._way
        return way is Carry.COMPLETE or (way is Carry.CONTINUE and turn.others_left(self.service.clock()))

    # Time

    def patience(self) -> float:
        limit = self._limit
        return max(SLACK, limit - self.traffic.silent(self.service.clock())) if limit else 0

    @property
    def _limit(self) -> float:
        """How long upstream may say nothing now; 0 for as long as it likes."""
        if self.turn is None or self.turn.phase not in {Phase.ASKING, Phase.DELIVERING}:
            return 0
        if not self.is_open:
            return min(self.limits.head_seconds, UPGRADE_SECONDS)
        return self.limits.stall_seconds if self.turn.phase is Phase.DELIVERING else self.limits.head_seconds

    def overdue(self) -> SocketStep:
        turn, silent = self.turn, self.traffic.silent(self.service.clock())
        if turn is None or not self._limit or silent < self._limit - SLACK:
            return Signal.WAIT
        if turn.phase is Phase.ASKING:
            return self._next(turn, events.Silent(Outcome(kind=Kind.HEAD_TIMEOUT, detail="no word in time")))
        if not self._may_carry_on(turn):
            return Signal.WAIT
        self.is_open = False
        return self._failed(Outcome(kind=Kind.STALLED, detail=f"silent for {silent:.0f} s"))

    async def decide(self) -> None:
        awaited, self.awaited = self.awaited, None
        if isinstance(awaited, steps.Renew | steps.Pause):
            self.awaited = await self.service.renewals.for_turn(awaited)

    def decided(self) -> SocketStep:
        event, self.awaited = self.awaited, None
        if self.turn is None or self.turn.phase not in {Phase.PAUSED, Phase.RENEWING, Phase.RENEWING_FIRST}:
            return Signal.WAIT
        if not isinstance(event, events.Event):
            self._over(self.turn, events.Left(Outcome(kind=Kind.CLIENT_GONE)), Done.OURS)
            return Say(answers.in_band_defect())
        if isinstance(event, events.Renewed):
            self.is_open = False  # the socket has the old token
        return self._next(self.turn, event)

    def closed(self, *, by_client: bool, code: int | None = None) -> None:
        """The client's socket is gone; a turn that was under way has come to an early end."""
        turn, outcome = self.turn, self._came_to(by_client=by_client, code=code)
        if turn is not None:
            self._over(turn, events.Left(outcome), Done.SOCKET_CLOSED)
        elif outcome.kind is Kind.SOCKET_CLOSED and self.service.clock() - self.lease.at < AT_ONCE_SECONDS:
            self.service.pool.report(self.lease, outcome, self.service.clock())

    def _came_to(self, *, by_client: bool, code: int | None) -> Outcome:
        """What it means that the socket is closed now."""
        if by_client:
            return left_after(self.traffic.silent(self.service.clock()))
        if self.traffic.answered or (self.turn is None and self.traffic.heard):
            return Outcome(kind=Kind.TRUNCATED, detail="socket closed")
        kind = Kind.TOO_LARGE if code == TOO_LARGE else Kind.SOCKET_CLOSED
        return Outcome(kind=kind, detail=f"closed with {code} before it said anything" if code else "socket closed")

    # Inside

    def _readied(self) -> bytes:
        """What the client has asked for, as the server of now can read it; of an answer that has died, what is
        missing."""
        asked = self.traffic.request(self.lease.account.account_id, continuing=self._continuing)
        return self.service.readable(asked, self.lease)

    @property
    def _continuing(self) -> bool:
        return self.turn is not None and self.turn.tally.continued > 0

    def _next(self, turn: Turn, event: events.Event, content: bytes = b"") -> SocketStep:
        """Tell the turn, and do what it says. `content` is the message with which upstream has refused."""
        known = len(turn.log.outcomes)
        step = turn.next(event, self.service.clock())
        if len(turn.log.outcomes) > known:
            self.service.failed(turn.log.leases[-1].account, turn.last)
        return self._done(turn, step, content)

    def _done(self, turn: Turn, step: steps.Step, content: bytes = b"") -> SocketStep:
        match step:
            case steps.Attempt():
                return self._attempt(turn, step.lease)
            case steps.Wait():
                return Signal.WAIT
            case steps.Pause() | steps.Renew():
                self.awaited = step
                return Signal.AWAIT
            case steps.StripAndRetry():
                stripped = self.service.unseal(self._readied(), self.lease, self.service.clock())
                return self._next(turn, events.Stripped() if stripped else events.NothingStripped(), content)
        told, done = self._told(turn, step, content)
        if isinstance(step, steps.HandOver) and turn.verdict is None:
            self.turn = None  # nobody was asked: the turn begins on the next socket
        else:
            self._over(turn, events.Left(turn.last if turn.verdict else Outcome(kind=Kind.CLIENT_GONE)), done)
        return Say(told)

    def _attempt(self, turn: Turn, lease: Lease) -> SocketStep:
        self.traffic.attempt(lease.account.account_id, continuing=self._continuing, now=self.service.clock())
        here = self.is_open and lease.key == self.lease.key
        self.lease = lease
        if here:
            return Put(self._readied())
        self.is_open = False
        if turn.stays(self.service.clock()):
            return self._reconnecting(turn)
        try:
            return self.upgrades.ask(lease)
        except credentials.OffItsRoute:
            return self._answered(turn, answers.off_its_route())

    def _answered(self, turn: Turn, response: http.Response) -> SocketStep:
        """Nothing may be sent: an answer of ours ends the turn."""
        self._over(turn, events.Left(Outcome(kind=Kind.CLIENT_GONE)), Done.OURS)
        return Say(answers.in_band(response))

    def _reconnecting(self, turn: Turn) -> SocketStep:
        """The request cannot go to the socket that there is: the client comes with all of it."""
        self._over(turn, events.Left(Outcome(kind=Kind.CLIENT_GONE)), Done.RECONNECTS)
        return Say(RECONNECT)

    def _told(self, turn: Turn, step: steps.Step, content: bytes) -> tuple[bytes, Done]:
        match step:
            case steps.HandOver():
                return RECONNECT, Done.RECONNECTS
            case steps.Complete():
                whole = completed(self.traffic.delivered)
                self.traffic.chain.ends(b"")
                self.is_open = False
                return whole, Done.COMPLETED
            case steps.Refuse():
                return answers.in_band(local_answers.response_to(step, self.service)), Done.OURS
            case steps.Deliver() | steps.Finish():
                refused = self.upgrades.words() if not content else None
                if refused is not None:
                    return answers.in_band(refused), Done.PASSED_ON
                return answers.with_status(content, turn.last.kind) or content, Done.PASSED_ON
            case _:
                raise AssertionError(f"{step} is not for an open socket")

    def _over(self, turn: Turn, event: events.Ended | events.Left, done: Done, ending: bytes = b"") -> None:
        now = self.service.clock()
        if done is Done.DELIVERED and turn.tally.continued:
            done = Done.CONTINUED
        turn.next(event, now)
        self.turn = None
        record = turn.record(done, now)
        self.service.decided(record)
        self.noted(EndedTurn(record, ending, self.traffic.purpose))
        self.traffic.forget()
