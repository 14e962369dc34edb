"""Upstream connections for attempts: never shared between accounts, never too few, forgotten when closed.

Leans on mitmproxy's internals as attempts.py does; see there and docs/mitmproxy.md.
"""

import asyncio
import collections
import weakref
from dataclasses import dataclass, field
from typing import Any, Final

from mitmproxy.connection import Connection, ConnectionState, Server
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers import http as h


@dataclass(eq=False)
class GetAccountConnection(h.GetHttpConnection):
    """Open a connection, or share one that serves the same account at the same origin and is sound."""

    key: str = ""
    http_layer: h.HttpLayer = field(default=None, repr=False)  # type: ignore[assignment]

    __hash__ = h.GetHttpConnection.__hash__

    @property
    def spec(self) -> tuple[object, ...]:
        return self.key, self.address, self.tls, self.via

    def took(self, connection: Server) -> None:
        """This connection belongs to the account from now on."""
        _OWNERS[connection] = self.spec

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


def lift_connection_limit(proxyserver: Any, client: Connection) -> None:
    handler = proxyserver.connections.get(client.id)
    if handler is not None and not isinstance(handler.max_conns, _ManyConnections):
        handler.max_conns = _ManyConnections(lambda: asyncio.Semaphore(MOST_CONNECTIONS))


class _ManyConnections(collections.defaultdict[Any, asyncio.Semaphore]):
    """Marks a handler whose limit was lifted."""
