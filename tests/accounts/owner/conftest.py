"""A pool on the disk with two accounts."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accounts.store.store import Store
from tests.builders import account, credentials


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "rotate" / "pool.db") as opened:
        for name in ("ann", "bob"):
            opened.put_account(account(name), credentials(name)).result()
        yield opened


@pytest.fixture
def history(store: Store) -> Callable[[], list[tuple[str, str]]]:
    """Kind and detail of every event, oldest first. Nobody waits for one to be written, but for what comes behind."""

    def events() -> list[tuple[str, str]]:
        store.choose_account(store.chosen_account()).result()
        return [(event.kind, event.detail) for event in reversed(store.events(99))]

    return events
