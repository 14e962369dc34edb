"""One TCP connection and the ways to end it."""

import asyncio
import socket

import pytest

from standin.wire.link import Link


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection: the accepted one and the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=5)
        accepted, _ = listener.accept()
    return accepted, client


async def test_close_sends_everything_then_a_fin(pair: tuple[socket.socket, socket.socket]) -> None:
    """What was written arrives, then the end."""
    link = await Link.open(1, pair[0], None)
    await link.write(b"x" * 100_000)
    _, arrived = await asyncio.gather(link.close(), asyncio.to_thread(read_all, pair[1]))
    assert arrived == 100_000


def read_all(sock: socket.socket) -> int:
    size = 0
    while piece := sock.recv(65536):
        size += len(piece)
    sock.close()
    return size


async def test_reset(pair: tuple[socket.socket, socket.socket]) -> None:
    """The peer sees a reset, not an end."""
    link = await Link.open(1, pair[0], None)
    link.reset()
    await asyncio.sleep(0)
    with pair[1] as client, pytest.raises(ConnectionResetError):
        await asyncio.to_thread(client.recv, 1)


async def test_reading_a_connection_that_is_gone(pair: tuple[socket.socket, socket.socket]) -> None:
    """An end and a reset both read as the end."""
    link = await Link.open(1, pair[0], None)
    assert (link.secure, link.alpn) == (False, None)
    pair[1].close()
    assert await link.read() == b""
    await link.close()
