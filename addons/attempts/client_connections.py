"""The connections of clients: which there are, that one ends, that it makes its next request on another one, that its
socket is to get another one upstream.

Leans on mitmproxy's internals; see docs/mitmproxy.md. `selftest.py` tries it before the proxy starts.
"""

from collections.abc import Iterator
from typing import Any, Final

from hyperframe.frame import GoAwayFrame
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Connection
from mitmproxy.proxy import events
from mitmproxy.utils import asyncio_utils

from addons.attempts import connections

MOST_STREAM_ID: Final = 2**31 - 1
"""Of HTTP/2. As the last one that is served it means: all."""


class ClientConnections:
    """Those of a proxy, by their ids."""

    def __init__(self, proxyserver: Proxyserver) -> None:
        self._handlers: dict[Any, Any] = proxyserver.connections

    def __iter__(self) -> Iterator[Any]:
        return iter(tuple(self._handlers))

    def close(self, client_id: str, why: str = "the proxy ends") -> None:
        """As mitmproxy closes a connection that is idle for too long: what was written still leaves."""
        handler = self._handlers.get(client_id)
        transport = handler.transports.get(handler.client) if handler is not None else None
        if transport is not None and transport.handler is not None:
            transport.handler.cancel(why)

    def leave_upstream(self, flow: http.HTTPFlow) -> None:
        """Have what decides for this WebSocket be asked whether it wants another socket upstream."""
        handler = self._handlers.get(flow.client_conn.id)
        if handler is not None:
            asyncio_utils.create_task(
                handler.server_event(UnwantedUpstream(flow, None)), name="unwanted", keep_ref=True
            )


class UnwantedUpstream(events.MessageInjected[None]):
    """For the layer of a WebSocket: mitmproxy brings it there as it does messages that a user has injected."""


def go_away(client: Connection) -> None:
    """Ask a client to make its next request on another connection. What it has asked already is served.

    HTTP/2 only. The frame leaves with whatever is written next. h2 itself would close the connection for us too.
    """
    http_layer = connections.newest_layer(client)
    http2 = getattr(http_layer.connections.get(client), "h2_conn", None) if http_layer is not None else None
    if http2 is not None:
        http2._data_to_send += GoAwayFrame(stream_id=0, last_stream_id=MOST_STREAM_ID).serialize()  # noqa: SLF001
