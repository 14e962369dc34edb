"""Looks after the accounts while the proxy runs: renews tokens before a request needs them, looks again at accounts out
of service, backs the pool up daily, and has its owner told what has happened."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from mitmproxy import ctx
from mitmproxy.utils import asyncio_utils

from accounts.errors import StoreError
from accounts.store import backups
from accounts.tokens.clock_jumps import ClockJumps
from addons.exchange.service import PoolService
from addons.notify.followed_settings import FollowedSettings
from addons.notify.pool_notices import PoolNotices
from addons.startup import Startup
from addons.upkeep.pool_file_watch import PoolFileWatch
from addons.wire import answers
from config import clock, paths, settings

logger = logging.getLogger(__name__)

FIRST_LOOK: Final = 2.0
EVERY: Final = 20.0
"""Seconds between two looks. Most tokens are due 900 s before their end, so a late look costs nothing."""
FILE_EVERY: Final = 0.5
"""Seconds between two looks at the pool's file: its owner is to hear of it while the reason is still at hand."""
NOTICES_EVERY: Final = 5.0
"""Seconds between two looks for what somebody is to be told."""


class TokenUpkeep:
    """A few tasks, as long as the proxy runs; one refresh at a time."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup
        self.tasks: list[asyncio.Task[None]] = []

    def running(self) -> None:
        if self.startup.service is not None:
            watch = PoolFileWatch(self.startup.service)
            self.tasks = [
                asyncio_utils.create_task(self._keep(), name="keeper", keep_ref=True),
                asyncio_utils.create_task(self._watch(watch), name="pool file watch", keep_ref=True),
            ]
            notices = PoolNotices(self.startup.service, lambda: Path(ctx.options.confdir).expanduser())
            known = self.startup.service.settings.notify
            followed = FollowedSettings(known, paths.config_file(), lambda: settings.load().notify)
            self.tasks.append(asyncio_utils.create_task(self._tell(notices, followed), name="notices", keep_ref=True))

    def done(self) -> None:
        for task in self.tasks:
            task.cancel()
        self.tasks = []

    async def _watch(self, watch: PoolFileWatch) -> None:
        jumps = ClockJumps(clock.now(), clock.monotonic())
        try:
            while self.startup.service is not None:
                await asyncio.sleep(FILE_EVERY)
                try:
                    self._look_at_clock(jumps)
                    await watch.look()
                except Exception as e:  # noqa: BLE001 - one look that fails must not be the last
                    answers.log_defect("looking after the pool's file failed", e)
        finally:
            watch.close()

    async def _tell(self, notices: PoolNotices, followed: FollowedSettings) -> None:
        try:
            while self.startup.service is not None:
                await asyncio.sleep(NOTICES_EVERY)
                try:
                    notices.look(await asyncio.to_thread(followed.look))
                except Exception as e:  # noqa: BLE001 - one look that fails must not be the last
                    answers.log_defect("looking for what somebody is to be told failed", e)
        finally:
            notices.close()

    def _look_at_clock(self, jumps: ClockJumps) -> None:
        jump = jumps.since(clock.now(), clock.monotonic())
        if jump and self.startup.service is not None:
            how = "ahead" if jump > 0 else "back"
            logger.info(
                "codex-rotate: the clock was set %s by %.0f s; what is remembered is judged anew.", how, abs(jump)
            )
            self.startup.service.clock_was_set()

    async def _keep(self) -> None:
        await asyncio.sleep(FIRST_LOOK)
        while self.startup.service is not None:
            try:
                await self._look_after(self.startup.service)
            except StoreError as e:  # whoever watches the file says what is wrong with it, a moment later perhaps
                logger.debug("codex-rotate: looking after the accounts waits for the pool's file: %s", e)
            except Exception as e:  # noqa: BLE001 - upkeep that fails once must go on
                answers.log_defect("looking after the accounts failed", e)
            await asyncio.sleep(EVERY)

    async def _look_after(self, service: PoolService) -> None:
        """While the pool's file is away, only what memory is enough for: that it is away is said elsewhere, once."""
        if not service.store.file.trouble:
            await asyncio.to_thread(backups.daily, paths.pool_file(), paths.backups_folder(), clock.now())
            await service.look_at_client()
        while await service.keep():
            pass
        if not service.store.file.trouble:
            await service.look_again()
