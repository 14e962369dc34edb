"""Work in a thread that nobody waits for at the end."""

import asyncio
import threading

import pytest

from cli.top.away import away


async def test_what_work_returns_or_raises_arrives() -> None:
    assert await away(lambda: 5) == 5
    with pytest.raises(ZeroDivisionError):
        await away(lambda: 1 // 0)


async def test_it_is_done_elsewhere_by_a_thread_that_keeps_nobody() -> None:
    thread = await away(threading.current_thread)
    assert thread is not threading.current_thread()
    assert thread.daemon


async def test_whoever_stops_waiting_is_free_at_once() -> None:
    go = threading.Event()
    waiting = asyncio.ensure_future(away(go.wait))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
