"""An empty pool on the disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "rotate" / "pool.db") as opened:
        yield opened
