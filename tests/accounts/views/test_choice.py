"""Whom the pool would choose, as a value: for a new conversation and for one that it knows."""

from pathlib import Path

import pytest

from accounts.choice.selection import Choice
from accounts.errors import NoAccounts
from accounts.model import Affinity
from accounts.store.store import Store
from accounts.views.choice import stored_choice
from config.settings import Settings
from tests.builders import NOW, key_of


def test_a_new_conversation_gets_the_best_account(store: Store) -> None:
    view = stored_choice(store, Settings(), "", NOW)
    assert isinstance(view.found.choice, Choice)
    assert (view.found.choice.account.label, view.serves, view.known) == ("ann", True, None)
    assert view.numbers == {key_of("ann"): 1, key_of("bob"): 2}
    assert (view.label(key_of("bob")), view.label("gone:gone")) == ("bob", None)


def test_a_known_one_is_told_with_its_home(store: Store) -> None:
    store.save_affinity(Affinity(thread="t", key=key_of("bob"), used_at=NOW - 5)).result()
    view = stored_choice(store, Settings(), "t", NOW)
    assert view.known is not None
    assert (view.place.home, view.ask.thread) == (key_of("bob"), "t")
    assert isinstance(view.found.choice, Choice)
    assert view.found.choice.account.label == "bob"


def test_nobody_who_can_serve(store: Store) -> None:
    for key in (key_of("ann"), key_of("bob")):
        store.update_account(key, enabled=False).result()
    assert not stored_choice(store, Settings(), "", NOW).serves


def test_an_empty_pool(tmp_path: Path) -> None:
    with Store(tmp_path / "empty" / "pool.db") as store, pytest.raises(NoAccounts):
        stored_choice(store, Settings(), "", NOW)
