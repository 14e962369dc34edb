"""Browsers that have the page of a proxy open: each with a session of its own, and one view that it follows."""

import asyncio
from itertools import cycle, islice
from typing import Final
from urllib.parse import urlsplit

from mitmproxy.utils import asyncio_utils

from benchmarks import wire
from benchmarks.load import Failed

VIEWS: Final = ("accounts", "turns", "timeline", "decisions")
"""Those that tell of changes by themselves."""


async def open_pages(entrance: str, count: int) -> list[asyncio.Task[None]]:
    """So many browsers, spread over the views. `entrance` is the page's address with its token.

    Each task reads what the proxy sends, until that ends or the task is cancelled. Raises Failed when nobody is let in.
    """
    return [await _opened(entrance, view) for view in islice(cycle(VIEWS), count)]


async def _opened(entrance: str, view: str) -> asyncio.Task[None]:
    parts = urlsplit(entrance)
    address, host = (parts.hostname, parts.port), ("host", parts.netloc)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(wire.head(f"GET /?{parts.query} HTTP/1.1", (host,)))
    answer = (await reader.readuntil(wire.END)).decode("latin-1")
    writer.close()
    cookies = [line.partition(":")[2] for line in answer.splitlines() if line.lower().startswith("set-cookie:")]
    if not cookies:
        raise Failed(f"the page let nobody in: {answer.splitlines()[0]}")
    reader, writer = await asyncio.open_connection(*address)
    session = ("cookie", cookies[0].partition(";")[0].strip())
    writer.write(wire.head(f"GET /events?view={view} HTTP/1.1", (host, session)))
    answer = (await reader.readuntil(wire.END)).decode("latin-1")
    if " 200 " not in answer.splitlines()[0]:
        raise Failed(f"the page has no news of {view}: {answer.splitlines()[0]}")
    return asyncio_utils.create_task(_read(reader, writer), name=f"page {view}", keep_ref=True)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(1 << 16):
            pass
    finally:
        writer.close()
