"""A pool of two accounts that is open, as the proxy has it; the token endpoint renews nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.choice.quota import MAIN, Window
from accounts.store.store import Store
from addons.exchange.service import PoolService
from addons.startup import Startup
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
