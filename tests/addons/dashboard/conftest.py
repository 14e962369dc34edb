"""A pool of two accounts that is open, as the proxy has it, whose token endpoint renews nothing; and a page over such a
pool, with the clock of this machine."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from accounts.choice.quota import MAIN, Window
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from addons.dashboard import binding
from addons.dashboard.contents import Contents
from addons.dashboard.health import Health
from addons.dashboard.metrics import Metrics
from addons.dashboard.reading import PageReader
from addons.dashboard.server import Machines, PageServer
from addons.dashboard.views.findings import ShownFinding
from addons.exchange.service import PoolService
from addons.startup import Startup
from config import clock as system
from config import paths
from config.page import token
from config.page.address import PageAddress
from tests.addons.dashboard.site import Site
from tests.builders import HOUR, NOW, WEEK_MINUTES, Clock, account, credentials, key_of


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def startup(tmp_path: Path, clock: Clock) -> Iterator[Startup]:
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            seat = account(name, plan="plus", email=f"{name}@example.com")
            store.put_account(seat, credentials(name, expires_at=NOW + HOUR)).result()
        store.set_windows(
            key_of("a"),
            (
                Window(family=MAIN, minutes=300, used_percent=25.0, resets_at=NOW + 900, seen_at=NOW),
                Window(family=MAIN, minutes=WEEK_MINUTES, used_percent=90.0, resets_at=NOW - 1, seen_at=NOW - 60),
            ),
        ).result()

    def busy(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        return 503, b""

    opened = Startup()
    opened.service = PoolService(path, clock, busy)
    yield opened
    opened.done()


@pytest.fixture
def store(own_home: Path) -> Iterator[Store]:
    """The pool, as a command has it open."""
    with Store(paths.pool_file()) as opened:
        for name in ("ann", "bob"):
            opened.put_account(account(name, plan="plus"), credentials(name)).result()
        yield opened


@pytest.fixture
async def site(store: Store) -> AsyncIterator[Site]:
    live: list[LiveTurn] = []
    opened = Startup()
    opened.service = service = PoolService(paths.pool_file(), system.now)
    bound = binding.bind(PageAddress(host="127.0.0.1", port=0))
    found = [ShownFinding(group="Storage", state="warning", what="The disk is nearly full.", remedy="Run `df`.")]
    contents = Contents(service, PageReader(paths.pool_file()), lambda: tuple(live), lambda: found)
    server = PageServer(bound.address, token.own_token(), contents, lambda: "127.0.0.1:8118")
    server.machines = Machines(Metrics(opened), Health(opened))
    server.open(bound.listener)
    yield Site(server, store, live)
    server.close()
    opened.done()
