"""What can be taken back, and for how long; what each change does is in test_handlers.py."""

import pytest

from accounts.errors import UnknownAccount, UsageError
from accounts.owner.reversible import Change
from accounts.store.store import Store
from addons.dashboard.actions import BY, MOST_UNDONE, PageAction, PageChanges, act
from tests.builders import NOW, account

ANN = account("ann")


def test_saying_what_is_so_already_leaves_nothing_to_take_back(store: Store) -> None:
    for action, value in (
        (PageAction.RESUME, ""),
        (PageAction.CLEAR, ""),
        (PageAction.LABEL, "ann"),
        (PageAction.PRIORITY, "0"),
        (PageAction.TAGS, ""),
        (PageAction.RESERVE, "0"),
    ):
        assert act(store, action, ANN.handle, value, NOW).undo is None
    assert act(store, PageAction.AUTO, "", "", NOW).undo is None
    assert store.events(10) == ()


def test_an_account_that_is_gone_is_unknown(store: Store) -> None:
    with pytest.raises(UnknownAccount):
        act(store, PageAction.PAUSE, account("zoe").handle, "", NOW)


def test_a_change_of_the_page_is_signed_and_so_is_its_way_back(store: Store) -> None:
    for action, value in (
        (PageAction.PAUSE, ""),
        (PageAction.USE, ""),
        (PageAction.LABEL, "zoe"),
        (PageAction.PRIORITY, "5"),
        (PageAction.TAGS, "team spare"),
        (PageAction.RESERVE, "20"),
    ):
        undo = act(store, action, ANN.handle, value, NOW).undo
        assert undo is not None
        undo(store, NOW)
    store.choose_account("").result()  # what was recorded before is written by now
    told = store.events(20)
    assert len(told) == 12
    assert all(BY in each.detail for each in told)


def test_that_nobody_is_left_is_said(store: Store) -> None:
    act(store, PageAction.PAUSE, ANN.handle, "", NOW)
    assert "No account is left" in act(store, PageAction.PAUSE, account("bob").handle, "", NOW).words


def test_a_change_is_taken_back_once_and_only_the_last_ones_are_kept() -> None:
    changes = PageChanges()
    first, *_ = [
        changes.kept(Change(said="done", undo=lambda *_: Change(said="undone"))) for _ in range(MOST_UNDONE + 1)
    ]
    last = changes.kept(Change(said="done", undo=lambda *_: Change(said="undone")))
    assert changes.kept(Change(said="nothing to take back")) == ""
    changes.taken(last)
    for gone in (first, last, ""):
        with pytest.raises(UsageError, match="cannot be taken back any more"):
            changes.taken(gone)
