"""A choice in one sentence, and as a program gets it."""

import json
from pathlib import Path

from accounts.store.store import Store
from accounts.views.choice import stored_choice
from cli.ui.choices import as_data, verdict
from config.settings import Settings
from tests.builders import NOW, account, credentials


def test_the_sentence_and_the_record_name_the_same_account(home: Path) -> None:
    with Store(home / "pool.db") as store:
        store.put_account(account("ann"), credentials("ann")).result()
        view = stored_choice(store, Settings(), "", NOW)
    data = json.loads(json.dumps(as_data(view, NOW), allow_nan=False))
    assert verdict(view, NOW).startswith("A new thread would go to ann: ")
    assert data["choice"]["account"] == "ann"
    assert data["candidates"][0]["state_in_words"] == "ready"


def test_that_nobody_can_serve_is_said_with_the_way_out(home: Path) -> None:
    with Store(home / "pool.db") as store:
        store.put_account(account("ann", enabled=False), credentials("ann")).result()
        view = stored_choice(store, Settings(), "", NOW)
        store.update_account(account("ann").key, enabled=True).result()
        pinned = stored_choice(store, Settings(strategy="pinned", pinned_account="bob"), "", NOW)
    assert verdict(view, NOW).endswith("Run `codex-rotate list` to see what each one needs.")
    assert "bob, the only account that may, is not in the pool." in verdict(pinned, NOW)
