"""Serves the page of a pool without any proxy, with made-up turns under way: `page_alone.py PORT TURNS`.

TURNS is a file with live turns as JSON, read whenever somebody looks. Nobody waits long for a pool that is locked.
"""

import asyncio
import sys
from pathlib import Path

from accounts.store import schema
from accounts.views.live_turns import LiveTurn, from_json
from addons.dashboard import binding
from addons.dashboard.contents import Contents
from addons.dashboard.reading import PageReader
from addons.dashboard.server import PageServer
from addons.exchange.service import PoolService
from cli.doctor.page import findings
from config import clock, paths
from config.page import token
from config.page.address import PageAddress

SYNC_SECONDS = 0.5
schema.BUSY_SECONDS = 1.0


async def serve(port: int, turns: Path) -> None:
    def live() -> tuple[LiveTurn, ...]:
        return from_json(turns.read_bytes()) or ()

    bound = binding.bind(PageAddress(host="127.0.0.1", port=port))
    service = PoolService(paths.pool_file(), clock.now)
    contents = Contents(service, PageReader(paths.pool_file()), live, findings)
    PageServer(bound.address, token.own_token(), contents, lambda: "127.0.0.1:8118").open(bound.listener)
    sys.stdout.write(f"the page is at {bound.address.url}\n")
    sys.stdout.flush()
    while True:  # as the upkeep of a proxy looks at the pool
        service.sync(at_once=True)
        await asyncio.sleep(SYNC_SECONDS)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
