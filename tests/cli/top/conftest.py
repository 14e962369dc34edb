"""A pool with three accounts, and the screen over it without a terminal."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from accounts.choice.quota import MAIN, Window
from accounts.store.store import Store
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of

pytest.importorskip("textual")

from textual.pilot import Pilot

from cli.top.app import TopApp
from cli.top.screen import ScreenState
from cli.top.sources import Sources
from cli.top.watches.pool import PoolWatch
from cli.top.watches.proxies import ProxyWatch
from cli.top.watches.usage import UsageWatch

type OpenTop = Callable[..., AbstractAsyncContextManager["Top"]]


class Top:
    """The screen and who sits in front of it."""

    def __init__(self, app: TopApp, pilot: Pilot[bool], clock: Clock) -> None:
        self.app = app
        self.pilot = pilot
        self.clock = clock

    async def settle(self) -> None:
        """Everything that is under way is done, and drawn."""
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def look(self) -> None:
        self.app.beat()
        await self.settle()

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.pilot.press(key)
            await self.settle()

    @property
    def lines(self) -> list[str]:
        """What stands on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return [strip.text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, wanted: str) -> str:
        """The first line that has this in it."""
        return next((each for each in self.lines if wanted in each), "")


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        for name in ("ann", "bob", "cid"):
            opened.put_account(account(name, email=f"{name}@example.com"), credentials(name)).result()
        opened.set_windows(key_of("ann"), (used(300, 40), used(10080, 10))).result()
        yield opened


def used(minutes: int, percent: float) -> Window:
    return Window(family=MAIN, minutes=minutes, used_percent=percent, resets_at=NOW + HOUR, seen_at=NOW)


@pytest.fixture
def open_top(store: Store, home: Path) -> OpenTop:
    """Opens the screen, of this many columns and lines."""

    @asynccontextmanager
    async def opened(width: int = 80, height: int = 24, **options: Any) -> AsyncIterator[Top]:
        clock = Clock()
        state = options.pop("state", None) or ScreenState()
        usage = UsageWatch(home / "usage.db")
        sources = Sources(store=store, pool=PoolWatch(store), proxies=ProxyWatch(), usage=usage, now=clock)
        app = TopApp(sources, state, **options)
        async with app.run_test(size=(width, height)) as pilot:
            top = Top(app, pilot, clock)
            await top.settle()
            yield top

    return opened


@pytest.fixture
def history(store: Store) -> Callable[[], list[tuple[str, str]]]:
    """Kind and detail of every event, oldest first."""

    def events() -> list[tuple[str, str]]:
        store.flush()
        return [(event.kind, event.detail) for event in reversed(store.events(99))]

    return events
