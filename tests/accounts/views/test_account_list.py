"""A list of accounts: their numbers, their windows as they are now, who served last, and what the owner has set."""

import json

from accounts.choice.decision_record import DECISION
from accounts.choice.quota import MAIN, Window
from accounts.model import Affinity, Event
from accounts.states import AccountState, State
from accounts.store.store import Store
from accounts.views.account_list import last_uses, rows, set_by_owner, stored_rows, window_label
from tests.builders import HOUR, NOW, account, candidate, key_of


def served(store: Store, key: str, at: float, kind: str = "ok") -> None:
    """A request of the history whose last attempt ended like this."""
    attempt = {"account": "x", "why": "", "kind": kind, "detail": "", "seconds": 1.0}
    told = {"done": "delivered", "model": "", "seconds": 1.0, "attempts": [attempt]}
    store.record(Event(at=at, kind=DECISION, key=key, detail=json.dumps(told))).result()


def test_accounts_are_numbered_and_the_one_that_served_last_is_active(store: Store) -> None:
    store.save_affinity(Affinity(thread="t", key=key_of("bob"), used_at=NOW - 5)).result()
    ann, bob = stored_rows(store, NOW)
    assert [(row.number, row.account.label, row.told.state) for row in (ann, bob)] == [
        (1, "ann", State.READY),
        (2, "bob", State.READY),
    ]
    assert (ann.active, bob.active, bob.last_used) == (False, True, NOW - 5)


def test_the_one_that_everybody_uses_is_active_whoever_served_last(store: Store) -> None:
    store.save_affinity(Affinity(thread="t", key=key_of("bob"), used_at=NOW - 5))
    store.choose_account(key_of("ann")).result()
    ann, bob = stored_rows(store, NOW)
    assert [(row.active, row.chosen) for row in (ann, bob)] == [(True, True), (False, False)]
    assert bob.told.state is State.PASSED_OVER


def test_a_request_without_a_thread_counts_and_a_refused_one_does_not(store: Store) -> None:
    """Nor does a record that another version has written, or one that is broken."""
    ann, bob = key_of("ann"), key_of("bob")
    served(store, ann, NOW - 50)
    served(store, ann, NOW - 20, kind="usage_limit")
    store.record(Event(at=NOW - 10, kind=DECISION, key=bob, detail="[[" * 9999)).result()
    store.record(Event(at=NOW, kind="paused", key=bob)).result()
    assert last_uses(store) == {ann: NOW - 50}


def test_windows_are_as_they_are_now_the_account_s_own_first() -> None:
    """One whose end has passed is free."""
    other = Window(family="spark", minutes=300, used_percent=5, resets_at=NOW + HOUR, seen_at=NOW)
    week = Window(family=MAIN, minutes=7 * 1440, used_percent=40, resets_at=NOW + HOUR, seen_at=NOW)
    over = Window(family=MAIN, minutes=300, used_percent=90, resets_at=NOW - 1, seen_at=NOW - HOUR)
    (row,) = rows([candidate("ann", windows=(other, week, over))], {key_of("ann"): AccountState(State.READY)}, NOW)
    assert [window_label(each) for each in row.windows] == ["5h", "7d", "spark 5h"]
    assert [(each.used_percent, each.resets_at is None) for each in row.windows] == [(0, True), (40, False), (5, False)]


def test_what_the_owner_has_set_is_said() -> None:
    assert set_by_owner(account("ann")) == ""
    set_all = account("ann", tags=("eu", "home"), priority=-3, reserve_percent=20)
    assert set_by_owner(set_all) == "#eu #home, priority -3, keeps 20 %"
