"""A dead upstream connection is found out by the system; what serves whom is tested where attempts are made."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy.connection import Client, Server

from addons.attempts.connections import notice_death


def options_of(found: socket.socket) -> dict[str, int]:
    names = [name for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT") if hasattr(socket, name)]
    return {name: found.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Any, Client, Server, socket.socket]]:
    """A connection as mitmproxy keeps it, in the two tables that are looked into."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        _, writer = await asyncio.open_connection(*address)
        client, server = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2)), Server(address=address)
        handler = SimpleNamespace(transports={server: SimpleNamespace(writer=writer)})
        yield SimpleNamespace(connections={client.id: handler}), client, server, writer.get_extra_info("socket")
        writer.close()
        await writer.wait_closed()


async def test_the_system_asks_whether_the_other_side_is_still_there() -> None:
    async with connected() as (proxyserver, client, server, found):
        notice_death(proxyserver, client, server)
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert options_of(found) == {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}


@pytest.mark.parametrize("what", ["connections", "transports"])
async def test_a_connection_that_is_not_in_the_tables_is_left_alone(what: str) -> None:
    async with connected() as (proxyserver, client, server, found):
        (proxyserver if what == "connections" else proxyserver.connections[client.id]).__dict__[what].clear()
        notice_death(proxyserver, client, server)
        assert not found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
