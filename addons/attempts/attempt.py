"""One attempt upstream: how far it has come, what it has said so far, and what it is called on its connection."""

import enum
import itertools
from dataclasses import dataclass, field
from typing import Final, Self

from mitmproxy import http
from mitmproxy.connection import Client, Connection, Server
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers.http._base import HttpEvent

from addons.attempts.echoes import EchoFilter
from addons.attempts.timers import AttemptWakeup, Sleeper, Timers

type ResponseEvent = (
    h.ResponseHeaders | h.ResponseData | h.ResponseTrailers | h.ResponseEndOfMessage | h.ResponseProtocolError
)

_FRESH_IDS: Final = itertools.count(-1, -1)
"""Stream ids for further attempts: no client can use them, HTTP/2's are positive, and none is ever used twice."""


class AttemptPhase(enum.Enum):
    NONE = enum.auto()
    """Nothing was sent yet."""
    HELD = enum.auto()
    """Under way, and the client gets nothing of it: what comes is held."""
    DELIVERED = enum.auto()
    """What was held is the flow's, and so is all that follows."""
    ABANDONED = enum.auto()
    """It was left: what it still says means nothing."""


def takes_trailers(connection: Connection) -> bool:
    """mitmproxy's HTTP/1.1 towards a server knows no trailers, and fails on them; nothing there needs any."""
    return connection.alpn in {b"h2", b"h3"}


@dataclass(slots=True, eq=False)
class UpstreamAttempt:
    """One attempt for one request of the client."""

    stream_id: int
    """What the client, and mitmproxy's stream, call the request."""
    wire_id: int
    """What the attempt's connection calls it. A further attempt gets a fresh one: HTTP/2 connections never reuse an id,
    and whatever an earlier attempt still says can be told apart and ignored."""
    phase: AttemptPhase = AttemptPhase.NONE
    held: list[HttpEvent] = field(default_factory=list)
    connection: Server | None = None
    """Where the request was sent, as long as upstream has not come to its end."""
    retold: bool = False
    """mitmproxy tells once more what it has kept of the answer, and gives it the client's id."""
    on_kept_connection: bool = False
    """Whether its connection has served an earlier request: the other side may have closed it meanwhile."""
    echoes: EchoFilter | None = None
    """Takes the account's token out of what upstream says."""
    timer: AttemptWakeup | None = None
    """The one that means something; those that were scheduled before do not."""

    def successor(self) -> Self:
        """The attempt that takes this one's place. The first has the client's own stream id."""
        wire_id = self.stream_id if self.phase is AttemptPhase.NONE else next(_FRESH_IDS)
        return type(self)(self.stream_id, wire_id, AttemptPhase.HELD)

    def is_stale(self, event: ResponseEvent) -> bool:
        """Whether this comes from an attempt that was left, this one or an earlier one."""
        if self.retold:
            return False
        return event.stream_id != self.wire_id or self.phase is AttemptPhase.ABANDONED

    def send(self, request: http.Request, connection: Server, *, complete: bool) -> layer.CommandGenerator[None]:
        """Send the request; of one that is not `complete` only the head."""
        self.connection = connection
        content, trailers = (request.raw_content, request.trailers) if complete else (None, None)
        if not takes_trailers(connection):
            trailers = None
        if content and not {"content-length", "transfer-encoding"} & {k.lower() for k in request.headers}:
            request.headers["content-length"] = str(len(content))  # HTTP/2 may leave it out, HTTP/1 must not
        bare = complete and not (content or trailers)
        yield h.SendHttp(h.RequestHeaders(self.wire_id, request, bare), connection)
        if content:
            yield h.SendHttp(h.RequestData(self.wire_id, content), connection)
        if trailers:
            yield h.SendHttp(h.RequestTrailers(self.wire_id, trailers), connection)
        if complete:
            yield h.SendHttp(h.RequestEndOfMessage(self.wire_id), connection)

    def translated(self, handling: layer.CommandGenerator[None], client: Client) -> layer.CommandGenerator[None]:
        """What mitmproxy's own states send, with the attempt's id in what goes upstream."""
        reply = None
        while True:
            try:
                command = handling.send(reply)
            except StopIteration:
                return
            if isinstance(command, h.SendHttp):
                if command.connection is not client and command.event.stream_id == self.stream_id:
                    command.event.stream_id = self.wire_id
            elif isinstance(command, h.DropStream) and command.stream_id == self.stream_id != self.wire_id:
                yield h.DropStream(self.wire_id)
            reply = yield command

    def wake_after(self, seconds: float, stream: Sleeper, timers: Timers) -> layer.CommandGenerator[None]:
        """Have the stream woken about it in so many seconds, 0 for never; what was said before means nothing."""
        self.timer = None
        if seconds > 0:
            self.timer = AttemptWakeup(seconds, stream)
            yield from timers.schedule(self.timer)

    def take_held(self) -> list[HttpEvent]:
        """It is to be delivered, from its first event on."""
        self.phase = AttemptPhase.DELIVERED
        held, self.held = self.held, []
        return held

    def abandon(self) -> layer.CommandGenerator[None]:
        """Leave it: cancel what is still running upstream, and have its id forgotten."""
        self.timer = None
        if self.phase is not AttemptPhase.NONE:
            self.phase = AttemptPhase.ABANDONED
        if self.connection is not None:
            connection, self.connection = self.connection, None
            yield h.SendHttp(h.RequestProtocolError(self.wire_id, "attempt abandoned", h.ErrorCode.CANCEL), connection)
        if self.wire_id != self.stream_id:
            yield h.DropStream(self.wire_id)

    def end(self) -> None:
        """The request is over. Whatever has to be said about that to either side is said by mitmproxy."""
        self.timer = None
        if self.phase is AttemptPhase.HELD:
            self.phase = AttemptPhase.ABANDONED
