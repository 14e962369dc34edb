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


@dataclass(frozen=True, slots=True)
class Say:
    """In a WebSocket: the client gets this, which upstream has not said."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Put:
    """In a WebSocket: upstream gets this."""

    content: bytes = field(repr=False)


SocketStep = Send | Say | Put | Signal
"""Send opens another socket upstream in the place of the one there is."""


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


class SocketExchange(Protocol):
    """Decides for one WebSocket of a client. Which messages pass, and as what, is said in the hook of each; what has to
    be done beside that is here."""

    def take(self) -> SocketStep | None:
        """What follows from the message that has just been judged, in its place; None: it passes. Said once."""

    def head(self, response: http.Response) -> SocketStep:
        """Of the socket that is to be opened; WAIT for its body, or its end."""

    def body(self, data: bytes) -> SocketStep: ...
    def end(self) -> SocketStep: ...
    def lost(self, loss: Loss, message: str) -> SocketStep: ...
    def forbidden(self, response: http.Response) -> SocketStep:
        """There is a connection that must not be used; `response` says why."""

    def opened(self) -> SocketStep:
        """It is there."""

    def unwanted(self) -> SocketStep:
        """The socket upstream is not wanted any more, although nobody has asked for anything: Send for another one."""

    def closed_upstream(self, code: int) -> SocketStep | None:
        """Upstream has closed the socket; None: it is closed for the client, too."""

    def patience(self) -> float:
        """Seconds until `overdue` shall be asked; 0 for never."""

    def overdue(self) -> SocketStep: ...
    async def decide(self) -> None:
        """As that of an exchange."""

    def decided(self) -> SocketStep: ...


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

    def upgraded(self) -> SocketExchange | None:
        """The answer was a WebSocket: who decides in it; None if mitmproxy shall relay it as it is."""

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

    exchange: Exchange | SocketExchange


Find = Callable[[http.HTTPFlow], Exchange | None]
