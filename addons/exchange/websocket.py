"""The in-band side of an open WebSocket: limits and refusals arrive as messages, long after the upgrade.

Each `response.create` is a request of its own: a turn on the account that the socket belongs to. What follows from its
failure is decided as for any other; here "another account" is told to the client as the error on which it reconnects at
once and in silence, with its whole history (docs/codex-wire.md section 1.2).
"""

import json
import math
from dataclasses import dataclass, replace
from typing import Final

from accounts.choice import request_identity
from accounts.choice.outcomes import Action, Kind, Outcome, classify_failure
from accounts.choice.pool import Lease
from accounts.choice.selection import Ask, Exhausted
from accounts.choice.turn import Turn
from addons.exchange import observe
from addons.exchange.service import PoolService
from addons.recording import turn_line
from addons.recording.turn_log import Ended, Noted, unheard
from addons.wire import answers, events
from addons.wire.events import Meaning

FRESH_SECONDS: Final = 300.0

RECONNECT: Final = json.dumps(
    {
        "type": "error",
        "status": 400,
        "error": {
            "type": "invalid_request_error",
            "code": "websocket_connection_limit_reached",
            "message": "codex-rotate: please reconnect; another account takes over.",
        },
    }
).encode()


@dataclass(frozen=True, slots=True)
class Tell:
    """The client gets this instead of having its message passed on."""

    content: bytes


class Socket:
    """One upgraded connection: which account it belongs to, and whether a turn on it has shown output yet."""

    def __init__(self, service: PoolService, lease: Lease, noted: Noted = unheard) -> None:
        self.service = service
        self.noted = noted
        """Told of every turn that is over."""
        self.lease = lease
        self.turn: Turn | None = None
        self.output = False
        self.asked = b""
        """What the client has asked for, until there is output."""
        self.purpose = ""
        """What the turn is for if it is none of the user's."""
        self.heard = 0
        """How many messages of turns have come from the server."""

    @property
    def active(self) -> bool:
        return self.turn is not None

    def silent_since(self, heard: int) -> bytes | None:
        """Asked some time after a turn began, when `heard` was so many: what the client gets if nothing has come."""
        if self.turn is None or self.heard != heard:
            return None
        return self._failed(Outcome(kind=Kind.HEAD_TIMEOUT, detail="no word in time"))

    def from_client(self, content: bytes) -> bytes | Tell:
        """What upstream gets: the message, or one without what the account cannot read; or what to tell instead."""
        if events.event_type(content) != "response.create":
            return content
        now = self.service.clock()
        if not self.lease.thread:
            self.lease = replace(self.lease, thread=request_identity.thread_in(content))
        turn = self.service.turn(Ask(thread=self.lease.thread, model=self.lease.model, pin=self.lease.pin))
        if self.turn is None and not turn.stays(self.lease, now):
            return Tell(RECONNECT)
        if self.turn is None:
            turn.go_on(self.lease, now)
            self.turn = turn
        self.output = False
        self.asked = content
        self.purpose = turn_line.purpose_in(content)
        return self.service.unsealing.readable(content, self.service.pool.reader(self.lease, now))

    def from_server(self, content: bytes) -> bytes | None:
        """None to let the message pass; else what the client gets in its place."""
        if self.turn is None:
            return None
        self.heard += 1
        kind = events.event_type(content)
        match events.meaning(kind):
            case Meaning.OUTPUT:
                self.output, self.asked = True, b""
                observe.from_output(self.service, self.lease, kind, content)
            case Meaning.PRELUDE:
                observe.from_prelude(self.service, self.lease, kind, content)
            case Meaning.ENDING:
                self._over(Outcome(kind=Kind.OK), "delivered", content)
            case Meaning.FAILURE:
                reply, now = events.reply_of(content), self.service.clock()
                return self._failed(classify_failure(reply, now, after_output=self.output), content)
        return None

    def closed(self, *, by_client: bool) -> None:
        """The socket is gone; a turn that was under way has come to an early end."""
        kind = Kind.CLIENT_GONE if by_client else Kind.TRUNCATED
        self._over(Outcome(kind=kind, detail="socket closed"), "the socket was closed")

    def _failed(self, outcome: Outcome, content: bytes = b"") -> bytes | None:
        """The turn has failed: what the client gets, None for upstream's own words."""
        output, turn = self.output, self.turn
        assert turn is not None
        action = self._end(outcome)
        told = None if output else self._instead(turn, action, outcome, content)
        self.service.failed(self.lease.account, outcome)
        done = "told to reconnect" if told is RECONNECT else "passed on" if told is None else "answered by the proxy"
        self._decided(turn, done)
        return told

    def _instead(self, turn: Turn, action: Action | None, outcome: Outcome, content: bytes) -> bytes | None:
        now = self.service.clock()
        if action is Action.RETRY_SAME:
            return answers.paced(content, math.ceil(turn.pause))
        left = turn.peek(now)
        if self._wants_reconnect(action, outcome, left, now):
            return RECONNECT
        if action is Action.RETRY_OTHER and outcome.rule.bars and isinstance(left, Exhausted):
            return answers.in_band(self.service.nothing_usable(left, now))
        if not outcome.rule.private:
            return None
        return answers.in_band(answers.signed_out() if turn.alarmed else answers.unreachable(outcome.detail))

    def _wants_reconnect(self, action: Action | None, outcome: Outcome, left: Lease | Exhausted, now: float) -> bool:
        """Whether a new upgrade can do better: with a new token, with less that is sealed, or on another account."""
        match action:
            case Action.REFRESH:
                self._distrust(outcome, now)
                return True
            case Action.UNSEAL:
                return self.service.unseal(self.asked, self.lease, now)
        return action is Action.RETRY_OTHER and not isinstance(left, Exhausted)

    def _distrust(self, outcome: Outcome, now: float) -> None:
        """Have the token renewed before the next upgrade. One that is quite new and refused again rests the account."""
        if now - self.lease.credentials.refreshed_at < FRESH_SECONDS:
            self.service.pool.report(self.lease, outcome, now)
        else:
            self.service.pool.distrust(self.lease.key)

    def _end(self, outcome: Outcome) -> Action | None:
        """Give the turn's lease back."""
        turn, self.turn = self.turn, None
        if turn is None:
            return None
        return turn.report(
            replace(self.lease, at=turn.began, why="the socket's account"), outcome, self.service.clock()
        )

    def _over(self, outcome: Outcome, done: str, ending: bytes = b"") -> None:
        turn = self.turn
        if turn is not None:
            self._end(outcome)
            self._decided(turn, done, ending)

    def _decided(self, turn: Turn, done: str, ending: bytes = b"") -> None:
        record = turn.record(done, self.service.clock())
        self.service.decided(record)
        self.noted(Ended(record, ending, self.purpose))
