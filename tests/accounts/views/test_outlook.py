"""How long the accounts of a pool's file last."""

from pathlib import Path

import pytest

from accounts.errors import NoAccounts
from accounts.forecast import Outlook
from accounts.store.store import Store
from accounts.views.outlook import stored_forecast
from config.settings import Settings
from tests.builders import NOW, key_of


def test_every_account_is_told_in_the_order_of_the_list(store: Store) -> None:
    store.update_account(key_of("ann"), enabled=False).result()
    found = stored_forecast(store, Settings(), NOW)
    assert [(each.account.label, each.now) for each in found.prospects] == [
        ("ann", Outlook.OUT),
        ("bob", Outlook.READY),
    ]


def test_an_empty_pool(tmp_path: Path) -> None:
    with Store(tmp_path / "empty" / "pool.db") as store, pytest.raises(NoAccounts):
        stored_forecast(store, Settings(), NOW)
