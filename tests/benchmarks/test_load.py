"""A client of the bench measures the turn it was asked for, or nothing at all."""

import asyncio
import socket

import pytest

from benchmarks.load import ASK, CREATE, Failed, Http1, Turn
from benchmarks.orders import Order


class Recorded:
    """The server's side of a connection: what it says, and what it was told."""

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.told = b""

    async def client(self) -> Http1:
        ours, theirs = socket.socketpair()
        theirs.sendall(self.says)
        theirs.shutdown(socket.SHUT_WR)
        self.theirs = theirs
        return Http1(*await asyncio.open_connection(sock=ours), "thread-1")


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"",
    ],
    ids=["refused", "cut", "nothing"],
)
async def test_a_turn_that_came_to_another_end_is_not_measured(says):
    server = Recorded(says)
    client = await server.client()
    with pytest.raises(Failed):
        await client.turn(Order())
    client.close()
    server.theirs.close()


async def test_the_request_is_one_that_the_pool_serves():
    """A login and a thread: the addon would pass it on without a login, and then next to nothing would be measured."""
    server = Recorded(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    client = await server.client()
    await client.turn(Order())
    head, _, body = server.theirs.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /backend-api/codex/responses HTTP/1.1\r\n")
    assert {b"host: chatgpt.com", b"thread-id: thread-1"} <= set(head.split(b"\r\n"))
    assert b"authorization: Bearer " in head
    assert body == ASK
    client.close()
    server.theirs.close()


async def test_stamps_are_read_however_the_stream_is_cut():
    now = asyncio.get_running_loop().time()
    stream = b"".join(b'data: {"type":"x","sent":%.6f}\n\n' % now for _ in range(3))
    for size in (1, 7, len(stream)):
        turn = Turn(now, stamped=True)
        for at in range(0, len(stream), size):
            turn.came(stream[at : at + size])
        assert len(turn.delays) == 3, size


def test_the_socket_asks_for_the_same():
    assert CREATE.removeprefix(b'{"type":"response.create",') == ASK.removeprefix(b"{")
