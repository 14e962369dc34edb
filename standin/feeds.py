"""Event streams that go on for as long as a test wants: what a client of its own, such as that of tools, listens to."""

import asyncio

from standin.exchange import Exchange
from standin.records import Record
from standin.responses import Event, sse
from standin.state import State

PATH = "/backend-api/ps/mcp"
_HEAD = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-store"))


async def serve(state: State, exchange: Exchange, record: Record) -> None:
    """Send whatever is said until the feeds are ended, or the client leaves."""
    said: asyncio.Queue[Event | None] = asyncio.Queue()
    with state.listening(said):
        state.update(record, status=200)
        await exchange.start(200, _HEAD)
        while (event := await said.get()) is not None:
            await exchange.send(sse(event))
        await exchange.end()
