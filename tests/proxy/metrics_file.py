"""A mitmproxy script that writes what Prometheus would be told into a file in our folder, again and again."""

import asyncio

from addons.chain import metrics
from config import paths

EVERY = 0.05
NAME = "metrics.txt"


async def write() -> None:
    file, fresh = paths.home() / NAME, paths.home() / f"{NAME}.new"
    while True:
        fresh.write_bytes(metrics.exposition())
        fresh.replace(file)
        await asyncio.sleep(EVERY)


class MetricsFile:
    def running(self) -> None:
        self.task = asyncio.get_running_loop().create_task(write())


addons = [MetricsFile()]
