"""What is done to an account, what is said of it, and the way back. tests/cli/top/test_app.py presses the keys."""

import pytest

from accounts.choice.quota import MAIN, Window
from accounts.errors import UsageError
from accounts.model import Cooldown
from accounts.owner import reversible
from accounts.store.store import Store
from tests.builders import HOUR, NOW, key_of


def test_the_last_one_that_serves_is_not_paused_in_silence(store: Store) -> None:
    for account in store.accounts():
        deed = reversible.pause_or_resume(account)(store, NOW)
    assert deed.trouble.startswith("No account is left that can serve")


def test_what_keeps_the_chosen_account_from_serving_is_said(store: Store) -> None:
    ann = store.accounts()[0]
    reversible.pause_or_resume(ann)(store, NOW)
    assert "ann is paused and serves nothing" in reversible.use(ann)(store, NOW).trouble


def test_what_is_so_already_has_no_way_back(store: Store) -> None:
    ann = store.accounts()[0]
    for work in (
        reversible.use_any(),
        reversible.relabel(ann, "ann"),
        reversible.reserve(ann, "0"),
        reversible.clear(ann),
    ):
        assert work(store, NOW).undo is None
    reversible.use(ann)(store, NOW)
    assert reversible.use(ann)(store, NOW).undo is None
    assert reversible.retag(ann, "-none")(store, NOW).undo is None


def test_the_way_back_of_a_choice_is_the_one_before(store: Store) -> None:
    ann, bob = store.accounts()
    reversible.use(ann)(store, NOW)
    undo = reversible.use(bob)(store, NOW).undo
    assert undo is not None
    assert undo(store, NOW).said == "Everybody uses ann now."
    assert store.chosen_account() == ann.key


def test_a_rest_that_would_be_over_does_not_begin_again(store: Store) -> None:
    ann = store.accounts()[0]
    store.set_cooldown(ann.key, Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)).result()
    undo = reversible.clear(ann)(store, NOW).undo
    assert undo is not None
    assert undo(store, NOW + 61).said == "ann would be back by now."
    assert store.cooldowns() == {}


def test_a_reserve_that_is_reached_already_is_told(store: Store) -> None:
    window = Window(family=MAIN, minutes=300, used_percent=85, resets_at=NOW + HOUR, seen_at=NOW)
    store.set_windows(key_of("ann"), (window,)).result()
    deed = reversible.reserve(store.accounts()[0], "20 %")(store, NOW)
    assert deed.said == "20 % of each window of ann are kept."
    assert deed.trouble.startswith("ann is kept for its owner until")


def test_tags_that_came_go_and_those_that_went_come_back(store: Store) -> None:
    ann = store.accounts()[0]
    reversible.retag(ann, "+one two")(store, NOW)
    undo = reversible.retag(ann, "-one +three")(store, NOW).undo
    assert undo is not None
    undo(store, NOW)
    assert sorted(store.accounts()[0].tags) == ["one", "two"]


def test_tags_that_are_written_as_a_list_are_all_there_are(store: Store) -> None:
    reversible.set_tags(store.accounts()[0], "one, two")(store, NOW)
    deed = reversible.set_tags(store.accounts()[0], "three ONE")(store, NOW)
    assert deed.said == "ann has the tags one, three."
    assert deed.undo is not None
    deed.undo(store, NOW)
    assert sorted(store.accounts()[0].tags) == ["one", "two"]
    assert reversible.set_tags(store.accounts()[0], "Two One")(store, NOW).undo is None, "case does not tell them apart"
    assert reversible.set_tags(store.accounts()[0], "")(store, NOW).said == "ann has no tags."
    with pytest.raises(UsageError, match="the others go"):
        reversible.set_tags(store.accounts()[0], "one -two")
