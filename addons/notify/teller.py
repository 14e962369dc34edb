"""Tells what has happened in a thread of its own, so that nothing that a command or a webhook does is in a turn's way.

It holds one look at the pool at most, the newest: those that came while it was busy are passed over.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import tzinfo
from typing import Final

from accounts.notices.conditions import FoundConditions, PoolLook, conditions
from accounts.notices.occurrences import Occurrence, Occurrences, claimed, due, noted, tried
from accounts.notices.quiet import is_quiet
from addons.notify.delivery import DeliveryReport, deliver, ways_of
from addons.notify.notice_file import NoticeFile
from addons.wire.answers import log_defect
from config.notify import NotifySettings

logger = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""So many are told at the same time; the others have to wait for the next look."""
END_SECONDS: Final = 0.5
"""So long a proxy that ends waits for what is being told. Whoever looks next tells it once more."""


class NoticeTeller:
    """One per proxy."""

    def __init__(
        self, settings: NotifySettings, file: NoticeFile, clock: Callable[[], float], zone: Callable[[], tzinfo]
    ) -> None:
        self.settings = settings
        """Of what is being told now."""
        self.wanted = settings
        """Those that hold from the next look on. Anybody may set it."""
        self.file = file
        self.clock = clock
        self.zone = zone
        self._looks: queue.Queue[PoolLook | None] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        self._refused = False
        self._reached: dict[str, set[str]] = {}
        """What was told and is not written down yet."""

    def offer(self, look: PoolLook) -> None:
        """What the pool is like now. Returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
            self._thread.start()
        self._put(look)

    def close(self) -> None:
        """The proxy ends."""
        if self._thread is None:
            return
        self._put(None)
        self._thread.join(END_SECONDS)

    def _put(self, look: PoolLook | None) -> None:
        """In the place of an older one that nobody has judged yet."""
        with suppress(queue.Empty):
            self._looks.get_nowait()
        with suppress(queue.Full):
            self._looks.put_nowait(look)

    def _run(self) -> None:
        while (look := self._looks.get()) is not None:
            try:
                self.tell(look)
            except Exception as e:  # noqa: BLE001 - what fails once must go on
                log_defect("nobody was told what happened to the pool", e)

    def tell(self, look: PoolLook) -> None:
        """Note what has happened since the last look of anybody, and tell what is due."""
        self.settings, now = self.wanted, self.clock()
        found = conditions(look, self.settings.pool_left, now)
        try:
            mine, dropped = self.file.change(lambda known: self._take(known, found, now))
        except OSError as e:
            self._disk_refuses(e)
            return
        self._refused, self._reached = False, {}
        if dropped:
            logger.warning("codex-rotate: %d more things have happened than can be told: see `status`", dropped)
        if mine:
            self._reached = self._heard(mine, asyncio.run(self._deliver(mine, now)))
            self._write_down()

    def _take(
        self, known: Occurrences, found: FoundConditions, now: float
    ) -> tuple[Occurrences, tuple[list[Occurrence], int]]:
        """The list with those in it that are told now by us; these, and how many there was no room for."""
        known, _ = tried(known, self._reached, ways_of(self.settings), now)
        after, dropped = noted(known, found, self.settings.events, now)
        mine: list[Occurrence] = []
        if not is_quiet(self.settings.quiet, now, self.zone()):
            mine = due(after, now)[:AT_ONCE]
        return claimed(after, {each.id for each in mine}, now), (mine, dropped)

    async def _deliver(self, mine: Sequence[Occurrence], now: float) -> list[list[DeliveryReport]]:
        return await asyncio.gather(*(deliver(self.settings, each, now, but=each.reached) for each in mine))

    def _heard(self, mine: Sequence[Occurrence], answers: Sequence[Sequence[DeliveryReport]]) -> dict[str, set[str]]:
        """The ways by which each was told, by its id."""
        for each, told in zip(mine, answers, strict=True):
            for way, reached, said in told:
                level = logging.INFO if reached else logging.DEBUG if each.tries else logging.WARNING
                outcome = "told" if reached else "not told yet"
                logger.log(level, "codex-rotate: %s %s by %s: %s", each.name.kind, outcome, way, said)
        return {
            each.id: {answer.way for answer in told if answer.reached} for each, told in zip(mine, answers, strict=True)
        }

    def _write_down(self) -> None:
        """What came of it. Where the disk refuses that, it is known here, until it is written with the next look."""
        ways, now = ways_of(self.settings), self.clock()
        try:
            given_up = self.file.change(lambda known: tried(known, self._reached, ways, now))
        except OSError as e:
            self._disk_refuses(e)
            return
        self._reached = {}
        for each in given_up:
            logger.warning(
                "codex-rotate: %s could not be told and is given up: %s", each.name.kind, each.condition.text
            )

    def _disk_refuses(self, error: OSError) -> None:
        """Said once. What nobody could write down would be told again and again, so nothing is told."""
        if not self._refused:
            self._refused = True
            why = error.strerror or type(error).__name__
            logger.warning("codex-rotate: nobody is told anything: %s cannot be used (%s)", self.file.path, why)
