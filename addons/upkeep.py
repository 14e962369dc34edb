"""Looks after the accounts while the proxy runs: renews tokens before a request needs them, looks again at accounts out
of service, backs the pool up daily."""

import asyncio
from typing import Final

from mitmproxy.utils import asyncio_utils

from accounts.store import backups
from addons.startup import Startup
from addons.wire import answers
from config import clock, paths

FIRST_LOOK: Final = 2.0
EVERY: Final = 20.0
"""Seconds between two looks. Most tokens are due 900 s before their end, so a late look costs nothing."""


class TokenUpkeep:
    """One task, as long as the proxy runs; one refresh at a time."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup
        self.task: asyncio.Task[None] | None = None

    def running(self) -> None:
        if self.startup.service is not None:
            self.task = asyncio_utils.create_task(self._keep(), name="keeper", keep_ref=True)

    def done(self) -> None:
        if self.task is not None:
            self.task.cancel()
            self.task = None

    async def _keep(self) -> None:
        await asyncio.sleep(FIRST_LOOK)
        while self.startup.service is not None:
            try:
                await asyncio.to_thread(backups.daily, paths.pool_file(), paths.backups_folder(), clock.now())
                await self.startup.service.look_at_client()
                while await self.startup.service.keep():
                    pass
                await self.startup.service.look_again()
            except Exception as e:  # noqa: BLE001 - upkeep that fails once must go on
                answers.log_defect("looking after the accounts failed", e)
            await asyncio.sleep(EVERY)
