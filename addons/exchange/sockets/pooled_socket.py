"""The in-band side of an open WebSocket: what its messages, its connections and its silences mean for the turn.

Limits and refusals arrive as messages, long after the upgrade. Another account gets the request on another socket
upstream beneath the client's, which stays. Where the request cannot go alone, because it continues what only the server
of this socket knows, the client is told the error on which it reconnects with its whole history: once in a turn it does
so in silence (docs/codex-wire.md section 1.2). What follows is done in turns.py.
"""

import enum
from typing import Final

from mitmproxy import http

from accounts.choice.decision_record import Done
from accounts.choice.outcomes import Kind, Outcome, classify_failure
from accounts.choice.pool import Lease
from accounts.turn import events, steps
from accounts.turn.state import Phase
from addons.attempts.protocol import Loss, Put, Say, Signal, SocketStep
from addons.exchange import observe
from addons.exchange.answering.pool_quota import PoolQuota
from addons.exchange.patience import SLACK, UPGRADE_SECONDS, USUAL, Limits, left_after
from addons.exchange.service import PoolService
from addons.exchange.sockets.turns import SocketTurns
from addons.exchange.sockets.upgrades import Upgrades
from addons.wire import answers
from addons.wire import events as wire_events
from addons.wire.events import Meaning


class Held(enum.Enum):
    """The other side gets nothing of a message; what is done instead is the socket's next step."""

    HELD = enum.auto()


HELD: Final = Held.HELD

TOO_LARGE: Final = 1009
"""The close code for a message that is too large (RFC 6455, section 7.4.1)."""
AT_ONCE_SECONDS: Final = 10.0
"""A socket that is closed so soon, and has said nothing, was closed at once."""
_WAITING: Final = frozenset({Phase.QUEUED, Phase.PAUSED, Phase.RENEWING, Phase.RENEWING_FIRST})


class PooledSocket:
    """One socket of a client."""

    def __init__(self, service: PoolService, lease: Lease, upgrades: Upgrades, limits: Limits = USUAL) -> None:
        self.service = service
        self.limits = limits
        self.turns = SocketTurns(service, lease, upgrades, limits.chain_bytes)
        self.unhelped = False
        """Whether nobody could go on with an answer that is silent for too long."""
        self.step: SocketStep | None = None
        """What is done in the place of the message that was judged last."""
        self.quota: PoolQuota | None = None
        """What is told of limits; None: what the account says that serves."""

    @property
    def active(self) -> bool:
        return self.turns.turn is not None

    def take(self) -> SocketStep | None:
        step, self.step = self.step, None
        return step

    # Messages

    def from_client(self, content: bytes) -> bytes | Held:
        """What upstream gets: the message, or one that the account can read; held where something else comes first."""
        turns = self.turns
        if wire_events.event_type(content) != wire_events.CREATE:
            return content if turns.is_open else HELD
        if turns.turn is not None:
            more = turns.more(content)
            return HELD if more is None else more
        step = turns.begin(content)
        if isinstance(step, Put):
            return step.content
        self.step = step
        return HELD

    def from_server(self, said: bytes) -> bytes | Held | None:
        """None to let the message pass; else what the client gets in its place."""
        turns, now = self.turns, self.service.clock()
        turn = turns.turn
        if not turns.is_open:
            return HELD  # of a socket that is left
        if turn is None:
            return self._unasked(said, now)
        content, self.unhelped = turns.traffic.hears(said, self.service.steady()), False
        if turn.phase not in {Phase.ASKING, Phase.DELIVERING}:
            return HELD  # more of what has just failed
        kind = wire_events.event_type(content)
        delivering = turn.phase is Phase.DELIVERING
        match wire_events.meaning(kind) if delivering else wire_events.meaning_of(kind, content):
            case Meaning.OUTPUT | Meaning.SHELL:
                if not delivering:
                    turn.next(events.Answered(), now)
                turns.traffic.gives(kind, content)
                observe.from_output(self.service, turns.lease, kind, content)
            case Meaning.PRELUDE:
                turns.traffic.gives(kind, content)
                observe.from_prelude(self.service, turns.lease, kind, content)
                content = self._told(content)
            case Meaning.ENDING:
                turns.traffic.gives(kind, content)
                turns.traffic.chain.ends(content)
                turns.over(events.Ended(Outcome(kind=Kind.OK)), Done.DELIVERED, content)
            case Meaning.FAILURE:
                outcome = classify_failure(wire_events.reply_of(content), now, after_output=delivering)
                return self._instead(turns.failed(outcome, words=True, content=content))
        return None if content is said else content

    def _unasked(self, said: bytes, now: float) -> bytes | Held | None:
        """Between two turns: the client would take a failure for the answer to what it asks next."""
        if wire_events.meaning_of(wire_events.event_type(said), said) is Meaning.FAILURE:
            self.turns.fail_unasked(classify_failure(wire_events.reply_of(said), now, after_output=False))
            return HELD
        told = self._told(said)
        return None if told is said else told

    def _told(self, content: bytes) -> bytes:
        """The message as the client gets it, if it tells limits."""
        return content if self.quota is None else self.quota.in_message(content)

    def _instead(self, step: SocketStep) -> bytes | Held:
        """In the place of upstream's message."""
        if isinstance(step, Say):
            return step.content
        self.step = step
        return HELD

    # The socket upstream

    def head(self, response: http.Response) -> SocketStep:
        self.turns.upgrades.head(self.turns.lease, response)
        return Signal.WAIT

    def body(self, data: bytes) -> SocketStep:
        self.turns.upgrades.more(data)
        return Signal.WAIT

    def end(self) -> SocketStep:
        return self.turns.failed(self.turns.upgrades.refusal(), words=True)

    def lost(self, loss: Loss, message: str) -> SocketStep:
        return self.turns.failed(self.turns.upgrades.lost(loss, message))

    def forbidden(self, response: http.Response) -> SocketStep:
        return self.turns.answered(response) if self.active else Signal.WAIT

    def opened(self) -> SocketStep:
        return self.turns.opened()

    def unwanted(self) -> SocketStep:
        return self.turns.move()

    def closed_upstream(self, code: int) -> SocketStep | None:
        if not self.turns.may_fail_unheard():
            return None
        self.turns.is_open = False
        return self.turns.failed(self._came_to(by_client=False, code=code))

    # Time

    def patience(self) -> float:
        limit = self._limit
        return max(SLACK, limit - self._silent) if limit else 0

    @property
    def _silent(self) -> float:
        return self.turns.traffic.silent(self.service.steady())

    @property
    def _limit(self) -> float:
        """How long upstream may say nothing now; 0 for as long as it likes."""
        match self.turns.phase:
            case Phase.DELIVERING:
                return 0 if self.unhelped else self.limits.stall_seconds
            case Phase.ASKING if self.turns.is_open:
                return self.limits.head_seconds
            case Phase.ASKING:
                return min(self.limits.head_seconds, UPGRADE_SECONDS)
            case _:
                return 0

    def overdue(self) -> SocketStep:
        limit, silent = self._limit, self._silent
        if not limit or silent < limit - SLACK:
            return Signal.WAIT
        if self.turns.phase is Phase.ASKING:
            return self.turns.tell(events.Silent(Outcome(kind=Kind.HEAD_TIMEOUT, detail="no word in time")))
        if not self.turns.may_fail_unheard():
            self.unhelped = True
            return Signal.WAIT
        self.turns.is_open = False
        return self.turns.failed(Outcome(kind=Kind.STALLED, detail=f"silent for {silent:.0f} s"))

    async def decide(self) -> None:
        turns = self.turns
        awaited, turns.awaited = turns.awaited, None
        if isinstance(awaited, steps.Renew | steps.Pause):
            turns.awaited = await self.service.renewals.for_turn(awaited)

    def decided(self) -> SocketStep:
        turns = self.turns
        event, turns.awaited = turns.awaited, None
        if turns.phase not in _WAITING:
            return Signal.WAIT
        if not isinstance(event, events.Event):
            return turns.answered(answers.failed_closed())
        if isinstance(event, events.Renewed):
            turns.is_open = False  # the socket has the old token
        return turns.tell(event)

    def closed(self, *, by_client: bool, code: int | None = None) -> None:
        """The client's socket is gone; a turn that was under way has come to an early end."""
        outcome, lease = self._came_to(by_client=by_client, code=code), self.turns.lease
        if self.active:
            self.turns.over(events.Left(outcome), Done.SOCKET_CLOSED)
        elif outcome.kind is Kind.SOCKET_CLOSED and self.service.clock() - lease.at < AT_ONCE_SECONDS:
            self.service.pool.report(lease, outcome, self.service.clock())

    def _came_to(self, *, by_client: bool, code: int | None) -> Outcome:
        """What it means that the socket is closed now."""
        if by_client:
            return left_after(self._silent)
        traffic = self.turns.traffic
        if traffic.answered or (not self.active and traffic.heard):
            return Outcome(kind=Kind.TRUNCATED, detail="socket closed")
        kind = Kind.TOO_LARGE if code == TOO_LARGE else Kind.SOCKET_CLOSED
        return Outcome(kind=kind, detail=f"closed with {code} before it said anything" if code else "socket closed")
