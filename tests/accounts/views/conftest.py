"""A pool on the disk with two accounts."""

from collections.abc import Iterator
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
