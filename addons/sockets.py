"""The in-band side of an open WebSocket: limits and refusals arrive as messages, long after the upgrade.

A refusal before any output becomes the error that makes the client reconnect at once and in silence, with its whole
history; the new upgrade gets another account (docs/codex-wire.md section 1.2).
"""

import json
import logging
from typing import Final

from accounts.outcomes import Action, Kind, Outcome, Rest, classify_failure
from accounts.pool import Lease
from accounts.selection import Ask, Exhausted
from addons import answers, streams
from addons.service import PoolService
from addons.streams import Meaning

FRESH_SECONDS: Final = 300.0

logger = logging.getLogger(__name__)

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


class Socket:
    """One upgraded connection: which account it belongs to, and whether a turn on it has shown output yet."""

    def __init__(self, service: PoolService, lease: Lease) -> None:
        self.service = service
        self.lease = lease
        self.active = False
        self.output = False
        self.heard = 0
        """How many messages of turns have come from the server."""

    def silent_since(self, heard: int) -> bytes | None:
        """Asked some time after a turn began, when `heard` was so many: what the client gets if nothing has come."""
        if not self.active or self.heard != heard:
            return None
        return self._failed(Outcome(kind=Kind.HEAD_TIMEOUT, detail="no word in time"))

    def from_client(self, content: bytes) -> bytes | None:
        """None to let the message pass; else what to tell the client instead of passing it."""
        if streams.event_type(content) != "response.create":
            return None
        now = self.service.clock()
        self.service.sync()
        if not self.service.pool.usable(self.lease.key, now):
            others = self.service.pool.select(Ask(thread=self.lease.thread), now)
            if not isinstance(others, Exhausted):
                return RECONNECT
        if not self.active:
            self.active = True
            self.service.pool.enter(self.lease.key)
        self.output = False
        return None

    def from_server(self, content: bytes) -> bytes | None:
        """None to let the message pass; else what the client gets in its place."""
        if not self.active:
            return None
        self.heard += 1
        match streams.meaning(streams.event_type(content)):
            case Meaning.OUTPUT:
                self.output = True
            case Meaning.ENDING:
                self._end(Outcome(kind=Kind.OK))
            case Meaning.FAILURE:
                return self._failed(classify_failure(streams.reply_of(content), self.service.clock()))
        return None

    def closed(self, *, by_client: bool) -> None:
        """The socket is gone; a turn that was under way has come to an early end."""
        self._end(Outcome(kind=Kind.CLIENT_GONE if by_client else Kind.TRUNCATED, detail="socket closed"))

    def _failed(self, outcome: Outcome) -> bytes | None:
        output = self.output
        self._end(outcome)
        logger.info("codex-rotate: %s: %s (%s)", self.lease.account.label, outcome.kind, outcome.detail)
        if output or outcome.rule.action is Action.DELIVER:
            return None
        now = self.service.clock()
        if outcome.rule.action is Action.REFRESH:
            self._distrust(outcome, now)
            return RECONNECT
        left = self.service.pool.select(Ask(thread=self.lease.thread, tried=frozenset({self.lease.key})), now)
        if not isinstance(left, Exhausted):
            return RECONNECT
        if outcome.rule.rest is Rest.HARD and left.limited:
            error = answers.limit_error(left, now)
            return json.dumps({"type": "error", "status": 429, "error": error}).encode()
        return None

    def _distrust(self, outcome: Outcome, now: float) -> None:
        """Have the token renewed before the next upgrade. One that is quite new and refused again rests the account."""
        if now - self.lease.credentials.refreshed_at < FRESH_SECONDS:
            self.service.pool.report(self.lease, outcome, now)
        else:
            self.service.pool.distrust(self.lease.key)

    def _end(self, outcome: Outcome) -> None:
        if self.active:
            self.active = False
            self.service.pool.leave(self.lease.key)
            if outcome.rule.action is not Action.REFRESH:
                self.service.pool.report(self.lease, outcome, self.service.clock())
