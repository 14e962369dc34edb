"""What can be taken back, and for how long; what each change does is in test_handlers.py."""

import pytest

from accounts.errors import UnknownAccount, UsageError
from accounts.model import Cooldown
from accounts.store.store import Store
from addons.dashboard.actions import MOST_UNDONE, Change, PageAction, PageChanges, act
from tests.builders import NOW, account

ANN = account("ann")


def test_saying_what_is_so_already_leaves_nothing_to_take_back(store: Store) -> None:
    for action, value in (
        (PageAction.RESUME, ""),
        (PageAction.CLEAR, ""),
        (PageAction.LABEL, "ann"),
        (PageAction.PRIORITY, "0"),
    ):
        assert act(store, action, ANN.handle, value, NOW).undo is None
    assert act(store, PageAction.AUTO, "", "", NOW).undo is None
    assert store.events(10) == ()


def test_an_account_that_is_gone_is_unknown(store: Store) -> None:
    with pytest.raises(UnknownAccount):
        act(store, PageAction.PAUSE, account("zoe").handle, "", NOW)


def test_a_choice_goes_back_to_the_one_before(store: Store) -> None:
    act(store, PageAction.USE, ANN.handle, "", NOW)
    undo = act(store, PageAction.USE, account("bob").handle, "", NOW).undo
    assert undo is not None
    undo(store, NOW)
    assert store.chosen_account() == ANN.key
    undo = act(store, PageAction.AUTO, "", "", NOW).undo
    assert undo is not None
    store.remove_account(ANN.key).result()
    undo(store, NOW)
    assert store.chosen_account() == ""


def test_a_rest_that_would_be_over_by_now_does_not_come_back(store: Store) -> None:
    store.set_cooldown(ANN.key, Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)).result()
    undo = act(store, PageAction.CLEAR, ANN.handle, "", NOW).undo
    assert undo is not None
    assert undo(store, NOW + 61).said == "The rest of ann would be over by now."
    assert store.cooldowns() == {}


def test_that_nobody_is_left_is_said(store: Store) -> None:
    act(store, PageAction.PAUSE, ANN.handle, "", NOW)
    assert "No account is left" in act(store, PageAction.PAUSE, account("bob").handle, "", NOW).said


def test_a_change_is_taken_back_once_and_only_the_last_ones_are_kept() -> None:
    changes = PageChanges()
    first, *_ = [changes.kept(Change("done", lambda *_: Change("undone"))) for _ in range(MOST_UNDONE + 1)]
    last = changes.kept(Change("done", lambda *_: Change("undone")))
    assert changes.kept(Change("nothing to take back")) == ""
    changes.taken(last)
    for gone in (first, last, ""):
        with pytest.raises(UsageError, match="cannot be taken back any more"):
            changes.taken(gone)
