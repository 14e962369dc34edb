"""Upstream connections for attempts: never shared between accounts, never too few, forgotten when closed, and led
through another proxy where one is in between.

Leans on mitmproxy's internals as stream.py does; see there and docs/mitmproxy.md.
"""

import asyncio
import collections
import re
import socket
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

from mitmproxy import http
from mitmproxy.connection import Client, Connection, ConnectionState, Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.mode_specs import UpstreamMode
from mitmproxy.utils import human

from addons.attempts.patches.dialing import CONNECT_SECONDS, NO_DESCRIPTORS
from addons.attempts.protocol import Loss, Send
from addons.attempts.timers import AttemptWakeup, Timers
from config.network import outbound

_REFUSED: Final = re.compile(r"refused HTTP CONNECT request: (\d{3})")


@dataclass(eq=False)
class GetAccountConnection(h.GetHttpConnection):
    """Open a connection, or share one that serves the same account at the same origin and is sound."""

    key: str = ""
    http_layer: h.HttpLayer = field(default=None, repr=False)  # type: ignore[assignment]
    overdue: float = 0.0
    """After how many seconds it was given up."""

    __hash__ = h.GetHttpConnection.__hash__

    @classmethod
    def for_attempt(cls, attempt: Send, server: Server, http_layer: h.HttpLayer) -> Self:
        """To where the attempt goes: directly if that is on this machine, else by the way that `server` would take."""
        request = attempt.request
        return cls(
            address=(request.host, request.port),
            tls=request.scheme == "https",
            via=None if stays_here(http_layer, request.host) else server.via,
            transport_protocol=server.transport_protocol,
            key=attempt.key,
            http_layer=http_layer,
        )

    @property
    def spec(self) -> tuple[object, ...]:
        return self.key, self.address, self.tls, self.via

    @property
    def is_there(self) -> bool:
        """Whether a connection that is open can be shared."""
        return any(
            each not in self.http_layer.waiting_for_establishment and self.connection_spec_matches(each)
            for each in self.http_layer.connections
        )

    def took(self, connection: Server, request: http.Request) -> None:
        """This connection belongs to the account from now on, and `request` is the first to be sent on it."""
        _OWNERS[connection] = self.spec
        if self.via is None and not request.is_http2 and self.http_layer in _WAYS:
            request.authority = ""  # the form of a path alone, as in regular mode: some servers know no other
        if self.via and not self.tls:
            way = _WAYS.get(self.http_layer)
            authorization = way.proxy.authorization if way and way.proxy else ""
            if authorization:  # no tunnel: the request itself goes to the proxy
                request.headers["proxy-authorization"] = authorization

    def hurried(self, seconds: float, timers: Timers) -> layer.CommandGenerator[None]:
        """Give up a connection that takes longer, or than a sensible time: nobody else would."""
        yield from timers.schedule(AttemptWakeup(min(seconds or CONNECT_SECONDS, CONNECT_SECONDS), self))

    def handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        """The time is up. Not the stream is told, which sleeps until there is a reply."""
        for connection, waiting in tuple(self.http_layer.waiting_for_establishment.items()):
            if isinstance(event, events.Wakeup) and any(each is self for each in waiting):
                for each in waiting:
                    if isinstance(each, GetAccountConnection):
                        each.overdue = event.command.delay
                # what has to be closed is the connection to the proxy, not the one inside the tunnel
                outer = getattr(self.http_layer.connections[connection], "tunnel_connection", connection)
                yield commands.CloseConnection(outer)

    @staticmethod
    def loss(error: str, *, through: bool) -> Loss:
        """What it means that there is no connection, `through` another proxy or without one."""
        if NO_DESCRIPTORS in error:
            return Loss.SCARCE
        return Loss.PROXY if through else Loss.CONNECT

    def explained(self, error: str) -> str:
        """The error in words that tell whose trouble it is."""
        if self.via is None or NO_DESCRIPTORS in error:
            return error
        refused = _REFUSED.search(error)
        what = f"no connection within {self.overdue:.0f} s" if self.overdue else error
        way = _WAYS.get(self.http_layer)
        named_by = way.named_by if way else outbound.SETTING
        return outbound.trouble(
            human.format_address(self.via[1]), what, refused[1] if refused else "", named_by=named_by
        )

    def connection_spec_matches(self, connection: Connection) -> bool:
        # The address a connection has now says little: an addon may have redirected it before it was opened.
        waiting = self.http_layer.waiting_for_establishment.get(connection)
        if waiting:
            first = waiting[0]
            return isinstance(first, GetAccountConnection) and first.spec == self.spec
        if isinstance(connection, Server) and connection.connected and not connection.error:
            return _OWNERS.get(connection) == self.spec
        return False


_OWNERS: Final[weakref.WeakKeyDictionary[Connection, tuple[object, ...]]] = weakref.WeakKeyDictionary()


class _Inert:
    """Stands in for the layers of a connection that is closed: mitmproxy keeps those as long as the client stays."""

    def handle_event(self, _: events.Event) -> layer.CommandGenerator[None]:
        yield from ()


_INERT: Final = _Inert()


def forget_closed(http_layer: h.HttpLayer) -> None:
    for connection in http_layer.connections:
        closed = isinstance(connection, Server) and connection.state is ConnectionState.CLOSED
        if closed and connection.timestamp_end and connection not in http_layer.waiting_for_establishment:
            http_layer.connections[connection] = _INERT  # type: ignore[assignment]


MOST_CONNECTIONS: Final = 100
"""Upstream connections per client connection and address. mitmproxy allows 5, and with one per account the sixth
account of a pool would wait for ever."""


_PROBES: Final = {"TCP_KEEPIDLE": 20, "TCP_KEEPALIVE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
"""By option of TCP, as far as a system has it: after 20 s of silence the other machine is asked, and after four
questions without an answer the connection is dead. The second name is that of macOS."""


def notice_death(proxyserver: Any, client: Connection, server: Connection) -> None:
    """Have the system find out when an upstream connection is dead. One that is only slow may stay silent for minutes,
    and what is between us and upstream may have forgotten it meanwhile."""
    handler = proxyserver.connections.get(client.id)
    transport = handler.transports.get(server) if handler is not None else None
    found = (
        transport.writer.get_extra_info("socket") if transport is not None and transport.writer is not None else None
    )
    if found is None or found.type != socket.SOCK_STREAM:
        return
    with suppress(OSError):  # a system that has it otherwise
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES.items():
            if hasattr(socket, name):
                found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def lift_connection_limit(proxyserver: Any, client: Connection) -> None:
    handler = proxyserver.connections.get(client.id)
    if handler is not None and not isinstance(handler.max_conns, _ManyConnections):
        lift_limit_of(handler)


def lift_limit_of(handler: Any) -> None:
    """The same for one of mitmproxy's connection handlers."""
    handler.max_conns = _ManyConnections(_many)


def _many() -> asyncio.Semaphore:
    return asyncio.Semaphore(MOST_CONNECTIONS)


class _ManyConnections(collections.defaultdict[Any, asyncio.Semaphore]):
    """Marks a handler whose limit was lifted."""

    __slots__ = ()


_NEWEST: Final[weakref.WeakKeyDictionary[Connection, weakref.ref[h.HttpLayer]]] = weakref.WeakKeyDictionary()
"""The innermost HTTP layer of a client's connection."""


def know(http_layer: h.HttpLayer) -> None:
    _NEWEST[http_layer.context.client] = weakref.ref(http_layer)


def newest_layer(client: Connection) -> h.HttpLayer | None:
    """The layer that was last told to `know`, while it is there."""
    return _NEWEST[client]() if client in _NEWEST else None


_WAYS: Final[weakref.WeakKeyDictionary[h.HttpLayer, outbound.OutboundRoute]] = weakref.WeakKeyDictionary()
"""The other proxy of a layer: what it wants to see with plain http requests, and who named it."""


def lead_through(top: layer.Layer | None, client: Client, mode: UpstreamMode, way: outbound.OutboundRoute) -> None:
    """Have what a client asks of a regular proxy go on through the other proxy of `way`, which `mode` names.

    `top` must not have started. From then on it is as if the listener had that mode, which cannot be given to it: it
    listens before scripts are loaded, and to change its mode is to close its port.
    """
    current: Any = top
    while current is not None:
        if type(current) is h.HttpLayer and current.mode is not h.HTTPMode.transparent:
            _lead(current, client, mode, way)
        current = getattr(current, "child_layer", None)


def lead_replay(replayed: h.HttpLayer, client: Client, mode: UpstreamMode, way: outbound.OutboundRoute) -> None:
    """The same for a request that mitmproxy plays again, whose layer is that of a transparent proxy."""
    _lead(replayed, client, mode, way)
    replayed.context.server.via = (mode.scheme, mode.address)


def _lead(http_layer: h.HttpLayer, client: Client, mode: UpstreamMode, way: outbound.OutboundRoute) -> None:
    http_layer.mode = h.HTTPMode.upstream
    client.proxy_mode = mode
    _WAYS[http_layer] = way


def stays_here(http_layer: h.HttpLayer, host: str) -> bool:
    """Whether nothing of this for this host may be led through the other proxy: there it would be another machine."""
    return http_layer in _WAYS and outbound.is_here(host)


class LedStream(h.HttpStream):
    """A stream in a layer that may be led through another proxy: a tunnel to this machine is not."""

    http_layer: h.HttpLayer

    def handle_connect_upstream(self) -> layer.CommandGenerator[None]:
        host = self.flow.request.host
        if not stays_here(self.http_layer, host):
            yield from super().handle_connect_upstream()  # type: ignore[no-untyped-call]
            return
        # not the one that all streams of this client share, which is led
        self.context.server = self.flow.server_conn = Server(address=(host, self.flow.request.port))
        yield from self.handle_connect_regular()  # type: ignore[no-untyped-call]
