"""A pool of two accounts, and the endpoint at which their tokens are good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.store.store import Store
from tests.accounts.tokens.refreshing import Endpoint
from tests.builders import account, credentials


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home" / "pool.db") as opened:
        for name in "ab":
            opened.put_account(account(name), credentials(name)).result()
        yield opened


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint(*(credentials(name).refresh for name in "ab"))
