"""What an exchange and the stream that serves it say to each other. Values only; what is done then is in driver.py."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mitmproxy import http
from mitmproxy.proxy import commands

from addons.redaction import replay_check


class Signal(enum.Enum):
    WAIT = enum.auto()
    """Hold what has arrived and wait for more."""
    DELIVER = enum.auto()
    """Give the client what has arrived, and all that follows."""
    CONTINUE = enum.auto()
    """Give the client the body of what has arrived, and all that follows, behind what it has got already."""
    AWAIT = enum.auto()
    """Something must be awaited first: the `upstream_decision` hook calls `Exchange.decide`."""
    ABORT = enum.auto()
    """Break off an answer that is already under way."""


@dataclass(frozen=True, slots=True)
class Send:
    """Make an attempt. Not with the key of the attempt that has just ended, unless after AWAIT: its connection is not
    free yet. Connections are shared only among attempts with the same `key`. The request is a copy that never
    becomes part of a flow; its host, port and scheme say where it goes."""

    request: http.Request = field(repr=False)
    key: str

    def __post_init__(self) -> None:
        """Nothing that is masked can be sent: raises MarkLeft."""
        replay_check.refuse_marked(self.request)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the client ourselves."""

    response: http.Response


type Talk = Callable[[bytes], Sequence[bytes]]
"""What a client is told in return for a message; nothing, and it may go on."""


@dataclass(frozen=True, slots=True)
class Accept(Answer):
    """Answer a WebSocket upgrade with a 101 of ours, and inside the socket with what `talk` says. Once it has said
    something, the socket is closed."""

    talk: Talk


@dataclass(frozen=True, slots=True)
class Conclude:
    """End the stream that the client is getting, with these last words."""

    data: bytes = field(repr=False)


Step = Send | Answer | Conclude | Signal


class Loss(enum.Enum):
    """How an attempt can end without an answer."""

    CONNECT = enum.auto()
    PROXY = enum.auto()
    """The proxy between us and the internet gave no connection: no account's trouble, and none would fare better."""
    SCARCE = enum.auto()
    """This machine lets us open no more connections: no account's trouble either."""
    BROKEN = enum.auto()
    STALE = enum.auto()
    """A connection that was kept from an earlier request ended before anything of an answer came."""


class Exchange(Protocol):
    """Decides for one request of the client.

    Called in this order: `start`, then per attempt `head`, `body` and `end` until a verdict, or `lost`;
    after delivery `passed` and `stopped`, then `finished`, `gone` or `broke`. A Send after delivery makes an attempt
    that goes on with the stream that the client is getting: nothing but CONTINUE, Conclude and ABORT ends it.
    """

    def streaming(self) -> None:
        """The request's body is not kept: what is sent cannot be sent a second time. Said before `start`."""

    def start(self) -> Step: ...
    def head(self, response: http.Response) -> Step: ...
    def body(self, data: bytes) -> Step: ...
    def end(self) -> Step: ...
    def lost(self, loss: Loss, message: str) -> Step: ...
    def patience(self) -> float:
        """Seconds until `overdue` shall be asked if nothing decisive happens; 0 for never."""

    def overdue(self) -> Step: ...
    def delivering(self, response: http.Response) -> None:
        """This response is about to become the flow's: take out what flows must not show, and have it streamed."""

    def reveal(self, response: http.Response) -> http.Response:
        """The response as the client shall get it."""

    def reveal_data(self, data: bytes) -> bytes:
        """Of its body, what the client shall get."""

    def passed(self) -> Step:
        """A piece of a stream has passed. WAIT: it goes on."""

    def stopped(self, message: str) -> Step:
        """Upstream has come to the end of a stream, or has broken off, as the message says. WAIT: so be it."""

    def finished(self) -> None:
        """The client has, or is about to get, the whole answer."""

    def gone(self) -> None:
        """The client left before it had everything. May be said more than once."""

    def broke(self, message: str) -> None:
        """An answer that was being delivered came to an early end upstream."""

    async def decide(self) -> None:
        """Await what has to be awaited. Whatever it raises is logged, and the request is refused."""

    def decided(self) -> Step:
        """What to do after that. Said also when `decide` has failed."""


@dataclass
class UpstreamDecisionHook(commands.StartHook):
    """An attempt needs something awaited, such as a refreshed token, before the next step is known."""

    exchange: Exchange


Find = Callable[[http.HTTPFlow], Exchange | None]
