"""What an owner decides is stored and written down once; what is so already changes nothing."""

from collections.abc import Callable

import pytest

from accounts.errors import LabelTaken, UnknownAccount
from accounts.model import Account, Cooldown
from accounts.owner import changes
from accounts.owner.values import TagEdit
from accounts.store.store import Store
from tests.builders import NOW, key_of

type History = Callable[[], list[tuple[str, str]]]


def stored(store: Store, label: str) -> Account:
    return next(each for each in store.accounts() if each.label == label)


def test_pausing_changes_what_was_not_so_yet(store: Store, history: History) -> None:
    changes.set_enabled(store, ["ann"], enabled=False, now=NOW)
    changed, same = changes.set_enabled(store, ["ann", "bob"], enabled=False, now=NOW)
    assert ([each.label for each in changed], [each.label for each in same]) == (["bob"], ["ann"])
    assert [each.enabled for each in store.accounts()] == [False, False]
    changes.set_enabled(store, ["ann"], enabled=True, now=NOW)
    assert [kind for kind, _ in history()] == ["paused", "paused", "resumed"]


def test_one_unknown_name_changes_nobody(store: Store) -> None:
    with pytest.raises(UnknownAccount):
        changes.set_enabled(store, ["ann", "nobody"], enabled=False, now=NOW)
    assert stored(store, "ann").enabled


def test_another_label(store: Store, history: History) -> None:
    account, changed = changes.relabel(store, "ann", "work", NOW)
    assert (account.label, changed, stored(store, "work").key) == ("ann", True, account.key)
    assert changes.relabel(store, "work", "work", NOW).changed is False
    with pytest.raises(LabelTaken):
        changes.relabel(store, "work", "bob", NOW)
    assert history() == [("relabelled", "was ann")]


def test_tags_come_and_go(store: Store, history: History) -> None:
    """Case does not tell two apart."""
    assert changes.retag(store, "ann", TagEdit(("Home", "x")), NOW).tags == ("Home", "x")
    assert changes.retag(store, "ann", TagEdit(("home",)), NOW).changed is False
    assert changes.retag(store, "ann", TagEdit(("y",), ("HOME",)), NOW).tags == stored(store, "ann").tags == ("x", "y")
    assert history()[-1] == ("tags_changed", "+y -Home")


def test_priority_and_reserve(store: Store, history: History) -> None:
    assert changes.prioritise(store, "ann", 5, NOW).account.priority == 0
    assert changes.prioritise(store, "ann", 5, NOW).changed is False
    assert changes.reserve(store, "ann", 20, NOW).account.reserve_percent == 0
    assert changes.reserve(store, "ann", 20, NOW).changed is False
    ann = stored(store, "ann")
    assert (ann.priority, ann.reserve_percent) == (5, 20)
    assert history() == [("priority_changed", "0 to 5"), ("reserve_changed", "0 % to 20 %")]


def test_a_pool_in_which_nobody_can_serve_is_warned_of(store: Store) -> None:
    """With the way out that is nearest."""
    assert changes.nobody_left(store, NOW) == ""
    changes.set_enabled(store, ["ann", "bob"], enabled=False, now=NOW)
    assert changes.nobody_left(store, NOW).startswith("No account is left that can serve")
    changes.set_enabled(store, ["ann"], enabled=True, now=NOW)
    store.set_cooldown(key_of("ann"), Cooldown(until=NOW + 60, reason="usage_limit", since=NOW)).result()
    assert changes.nobody_left(store, NOW).startswith("Nobody can serve before ")
    store.choose_account(key_of("bob")).result()
    assert changes.nobody_left(store, NOW).startswith("bob is the account that everybody uses")
