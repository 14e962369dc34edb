"""The choice in words; row by row, as `why` shows it, in tests/cli/commands/see/test_why.py."""

from accounts.store.store import Store
from accounts.views.choice import stored_choice
from accounts.views.choice_words import UNKNOWN_THREAD, about_thread, choice_verdict, standing_words
from config.settings import Settings
from tests.builders import NOW, key_of


def test_a_new_thread_has_a_verdict_and_each_account_its_place(store: Store) -> None:
    store.update_account(key_of("ann"), enabled=False).result()
    view = stored_choice(store, Settings(), "", NOW)
    assert choice_verdict(view, NOW).startswith("A new thread would go to bob: ")
    first, last = view.found.assessments
    assert standing_words(first, None, view.policy, NOW) == "first"
    assert standing_words(last, first, view.policy, NOW) == "cannot serve: paused"
    assert about_thread(view, NOW) == []


def test_a_thread_that_nobody_knows() -> None:
    assert "codex-rotate why --last" in UNKNOWN_THREAD


def test_that_thread_is_told_so(store: Store) -> None:
    assert about_thread(stored_choice(store, Settings(), "nowhere", NOW), NOW) == [UNKNOWN_THREAD]
