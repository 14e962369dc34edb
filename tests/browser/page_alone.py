"""Serves the page of a pool without any proxy, with made-up turns under way: `page_alone.py PORT TURNS`.

TURNS is a file with live turns as JSON, read whenever somebody looks.
"""

import asyncio
import sys
from pathlib import Path

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


async def serve(port: int, turns: Path) -> None:
    def live() -> tuple[LiveTurn, ...]:
        return from_json(turns.read_bytes()) or ()

    bound = binding.bind(PageAddress(host="127.0.0.1", port=port))
    service = PoolService(paths.pool_file(), clock.now)
    contents = Contents(service, PageReader(paths.pool_file()), live, findings)
    PageServer(bound.address, token.own_token(), contents, lambda: "127.0.0.1:8118").open(bound.listener)
    sys.stdout.write(f"the page is at {bound.address.url}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
