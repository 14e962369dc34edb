"""A proxy under test reaches the upstream of the bench and nothing else."""

import asyncio

import pytest

from benchmarks.scripts import lead


async def test_the_provider_is_on_this_machine(monkeypatch):
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    monkeypatch.setenv(lead.UPSTREAM, str(server.sockets[0].getsockname()[1]))
    async with server:
        reader, writer = await lead._open_connection("chatgpt.com", 443)
        assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize("meant", [("chatgpt.com", 80), ("example.com", 443), ("127.0.0.1", 443)])
async def test_nothing_else_can_be_reached(meant):
    with pytest.raises(OSError, match="nothing at"):
        await lead._open_connection(*meant)


async def test_two_can_listen_on_one_port(monkeypatch):
    monkeypatch.setattr(asyncio, "start_server", asyncio.start_server)  # put back afterwards
    lead.share_port()
    first = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    second = await asyncio.start_server(lambda *_: None, "127.0.0.1", first.sockets[0].getsockname()[1])
    assert first.sockets[0].getsockname() == second.sockets[0].getsockname()
    for server in (first, second):
        server.close()
        await server.wait_closed()
