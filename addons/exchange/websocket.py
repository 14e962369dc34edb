"""The in-band side of an open WebSocket: a driver of the turn's state machine (accounts/turn/machine.py).

Limits and refusals arrive as messages, long after the upgrade, so each `response.create` is a request of its own: a
turn on the account that the socket belongs to. "Another account" is told to the client as the error on which it
reconnects at once and in silence, with its whole history (docs/codex-wire.md section 1.2). Nothing is decided here.
"""

from dataclasses import dataclass, replace
from typing import Final

from accounts.choice.decision_record import Done
from accounts.choice.outcomes import Kind, Outcome, classify_failure
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from accounts.requests import identity
from accounts.turn import events, steps
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from addons.exchange import local_answers, observe
from addons.exchange.patience import left_after
from addons.exchange.service import PoolService
from addons.recording import turn_line
from addons.recording.turn_log import EndedTurn, Noted, unheard
from addons.wire import answers
from addons.wire import events as wire_events
from addons.wire.answers import RECONNECT
from addons.wire.events import Meaning


@dataclass(frozen=True, slots=True)
class Injected:
    """The client gets this instead of having its message passed on."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """The client gets nothing; after so many seconds `PooledSocket.resumed` says what goes on (None: that is asked for
    already)."""

    seconds: float | None = None


TOO_LARGE: Final = 1009
"""The close code for a message that is too large (RFC 6455, section 7.4.1)."""
MOST_BYTES: Final = 16 << 20
"""Upstream closes a socket on which more comes in one message, and the client then complains before it goes on."""
AT_ONCE_SECONDS: Final = 10.0
"""A socket that is closed so soon, and has said nothing, was closed at once."""


class PooledSocket:
    """One upgraded connection: which account it belongs to, and the turn that is under way on it."""

    def __init__(self, service: PoolService, lease: Lease, noted: Noted = unheard) -> None:
        self.service = service
        self.noted = noted
        """Told of every turn that is over."""
        self.lease = lease
        self.turn: Turn | None = None
        self.asked = b""
        """What the client has asked for, until there is output."""
        self.purpose = ""
        """What the turn is for if it is none of the user's."""
        self.heard = 0
        """How many messages of turns have come from the server."""
        self.heard_before = 0
        """How many had when the turn began."""
        self.heard_at = 0.0
        """When the last of them came, or the turn began (seconds since the epoch)."""

    @property
    def active(self) -> bool:
        return self.turn is not None

    def silent_since(self, heard: int) -> bytes | None:
        """Asked some time after a turn began, when `heard` was so many: what the client gets if nothing has come."""
        if self.turn is None or self.heard != heard or self.turn.phase is not Phase.ASKING:
            return None
        told = self._next(self.turn, events.Silent(Outcome(kind=Kind.HEAD_TIMEOUT, detail="no word in time")))
        return told if isinstance(told, bytes) else None

    def resumed(self) -> bytes | None:
        """A pause is over: what upstream gets now, None if the turn has gone on without that."""
        if self.turn is None or self.turn.phase is not Phase.PAUSED:
            return None
        self.turn.next(events.Waited(), self.service.clock())
        return self.service.readable(self.asked, self.lease)

    def from_client(self, content: bytes) -> bytes | Injected:
        """What upstream gets: the message, or one without what the account cannot read; or what to tell instead."""
        if wire_events.event_type(content) != wire_events.CREATE:
            return content
        now = self.service.clock()
        if not self.lease.thread:
            self.lease = replace(self.lease, thread=identity.thread_in(content))
        if self.turn is None:
            lease = self.lease
            ask = Ask(thread=lease.thread, model=lease.model, pin=lease.pin, guest=lease.guest)
            turn = self.service.turn(ask, bound=True)
            begin = events.Begin if len(content) <= MOST_BYTES else events.BeginTooLarge
            if isinstance(turn.next(begin(self.lease), now), steps.HandOver):
                return Injected(RECONNECT)
            self.turn, self.heard_before, self.heard_at = turn, self.heard, now
        else:
            self.turn.next(events.AskedAgain(), now)
        self.asked = content
        self.purpose = turn_line.purpose_in(content)
        return self.service.readable(content, self.lease)

    def from_server(self, content: bytes) -> bytes | Held | None:
        """None to let the message pass; else what the client gets in its place."""
        turn = self.turn
        if turn is None:
            return None
        self.heard, self.heard_at = self.heard + 1, self.service.clock()
        if turn.phase is Phase.PAUSED:
            return Held()  # more of what has just failed
        kind = wire_events.event_type(content)
        delivering = turn.phase is Phase.DELIVERING
        match wire_events.meaning(kind) if delivering else wire_events.meaning_of(kind, content):
            case Meaning.OUTPUT | Meaning.SHELL:
                self._output(turn)
                observe.from_output(self.service, self.lease, kind, content)
            case Meaning.PRELUDE:
                observe.from_prelude(self.service, self.lease, kind, content)
            case Meaning.ENDING:
                self._over(turn, events.Ended(Outcome(kind=Kind.OK)), Done.DELIVERED, content)
            case Meaning.FAILURE:
                return self._failure(turn, content)
        return None

    def closed(self, *, by_client: bool, code: int | None = None) -> None:
        """The socket is gone; a turn that was under way has come to an early end."""
        turn, outcome = self.turn, self._came_to(by_client=by_client, code=code)
        if turn is not None:
            self._over(turn, events.Left(outcome), Done.SOCKET_CLOSED)
        elif outcome.kind is Kind.SOCKET_CLOSED and self.service.clock() - self.lease.at < AT_ONCE_SECONDS:
            self.service.pool.report(self.lease, outcome, self.service.clock())

    def _came_to(self, *, by_client: bool, code: int | None) -> Outcome:
        """What it means that the socket is closed now."""
        if by_client:
            return left_after(self.service.clock() - self.heard_at)
        if self.heard > self.heard_before or (self.turn is None and self.heard):
            return Outcome(kind=Kind.TRUNCATED, detail="socket closed")
        kind = Kind.TOO_LARGE if code == TOO_LARGE else Kind.SOCKET_CLOSED
        return Outcome(kind=kind, detail=f"closed with {code} before it said anything" if code else "socket closed")

    def _output(self, turn: Turn) -> None:
        if turn.phase is not Phase.DELIVERING:
            turn.next(events.Answered(), self.service.clock())
        self.asked = b""

    def _failure(self, turn: Turn, content: bytes) -> bytes | Held | None:
        now, after = self.service.clock(), turn.phase is Phase.DELIVERING
        outcome = classify_failure(wire_events.reply_of(content), now, after_output=after)
        return self._next(turn, events.Died(outcome) if after else events.Failed(outcome, words=True), content)

    def _next(self, turn: Turn, event: events.Event, content: bytes = b"") -> bytes | Held | None:
        """Tell the turn, and do what it says: what the client gets, None for what upstream has sent."""
        step = turn.next(event, self.service.clock())
        match step:
            case steps.Wait():
                return None
            case steps.Pause():
                self.service.failed(self.lease.account, turn.last)
                return Held(step.seconds)
            case steps.StripAndRetry():
                stripped = self.service.unseal(self.asked, self.lease, self.service.clock())
                return self._next(turn, events.Stripped() if stripped else events.NothingStripped(), content)
        told, done = self._told(step, turn.last.kind, content)
        self.service.failed(self.lease.account, turn.last)
        self._over(turn, events.Left(turn.last), done)
        return told

    def _told(self, step: steps.Step, kind: Kind, content: bytes) -> tuple[bytes | None, Done]:
        match step:
            case steps.HandOver():
                return RECONNECT, Done.RECONNECTS
            case steps.Refuse():
                return answers.in_band(local_answers.response_to(step, self.service)), Done.OURS
            case steps.Deliver() | steps.Finish():
                return answers.with_status(content, kind), Done.PASSED_ON
            case _:
                raise AssertionError(f"{step} is not for an open socket")

    def _over(self, turn: Turn, event: events.Ended | events.Left, done: Done, ending: bytes = b"") -> None:
        now = self.service.clock()
        turn.next(event, now)
        self.turn, self.asked = None, b""
        record = turn.record(done, now)
        self.service.decided(record)
        self.noted(EndedTurn(record, ending, self.purpose))
