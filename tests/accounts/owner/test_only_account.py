"""One account for everybody, and what keeps an account from serving."""

from collections.abc import Callable

import pytest

from accounts.choice.quota import MAIN, Window
from accounts.errors import UnknownAccount
from accounts.owner.only_account import choose_account, choose_nobody, hindrance, settings_pin
from accounts.policy import stored_candidates
from accounts.store.store import Store
from tests.builders import NOW, key_of

type History = Callable[[], list[tuple[str, str]]]


def test_a_choice_is_made_and_taken_back_once(store: Store, history: History) -> None:
    account, changed = choose_account(store, "ann", NOW)
    assert (account.key, changed, store.chosen_account()) == (key_of("ann"), True, key_of("ann"))
    assert choose_account(store, "ann", NOW) == (account, False)
    assert choose_nobody(store, NOW) == (account, True)
    assert choose_nobody(store, NOW) == (None, False)
    assert [kind for kind, _ in history()] == ["chosen", "choice_ended"]


def test_an_unknown_account_is_not_chosen(store: Store) -> None:
    with pytest.raises(UnknownAccount):
        choose_account(store, "nobody", NOW)
    assert store.chosen_account() == ""


def test_the_settings_may_pin_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_PINNED_ACCOUNT", "ann")
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "balanced")
    assert settings_pin() == ""
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "pinned")
    assert settings_pin() == "ann"


def test_what_is_kept_and_a_login_that_is_gone(store: Store) -> None:
    """With the command that would change it."""
    ann, bob = key_of("ann"), key_of("bob")
    store.update_account(ann, reserve_percent=10, label="my ann")
    window = Window(family=MAIN, minutes=300, used_percent=95, resets_at=NOW + 60, seen_at=NOW)
    store.set_windows(ann, (window,)).result()
    there = stored_candidates(store)
    assert "`codex-rotate reserve 'my ann' 0`" in hindrance(there[ann], NOW)
    assert hindrance(there[ann], NOW + 60) == ""
    store.file.write(lambda db: db.execute("DELETE FROM credential WHERE key = ?", (bob,)).rowcount).result()
    assert "The pool has no login of bob" in hindrance(stored_candidates(store)[bob], NOW)
