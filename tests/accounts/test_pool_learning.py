"""What the pool learns on the way: quota windows, models, who asks for patience, and trouble that is everybody's."""

from pathlib import Path

import pytest

from accounts.choice.load import PATIENCE_SECONDS
from accounts.choice.model_support import MODEL_SECONDS
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.selection import Ask, Exhausted
from accounts.store.store import Store
from tests.builders import (
    DAY,
    HOUR,
    NOW,
    WEEK_MINUTES,
    ListJournal,
    Stored,
    account,
    credentials,
    key_of,
    lease_of,
    pool_of,
    window,
)

A, B = key_of("a"), key_of("b")
REFUSED = Outcome(kind=Kind.UNSUPPORTED_MODEL)


def next_for(pool: Pool, model: str = "", now: float = NOW) -> str:
    lease = pool.select(Ask(model=model), now)
    assert isinstance(lease, Lease), lease
    return lease.account.label


def refused(pool: Pool, name: str, model: str, now: float = NOW) -> None:
    pool.report(lease_of(pool, name, now, model=model), REFUSED, now)


# --- quota windows ---------------------------------------------------------------------------------------------------


def test_what_upstream_says_of_a_window_counts_at_once() -> None:
    pool = pool_of("a", "b")
    pool.observed(A, (window(96),))
    assert (pool.candidates[A].windows, next_for(pool)) == ((window(96),), "b")


def test_windows_are_kept_side_by_side_and_each_as_it_was_seen_last() -> None:
    pool = pool_of("a")
    week = window(30, DAY, minutes=WEEK_MINUTES)
    pool.observed(A, (window(10), week))
    pool.observed(A, (window(20, seen_at=NOW + 1), window(5, minutes=60, family="images")))
    pool.observed(A, (window(9, seen_at=NOW - 1),))
    assert pool.candidates[A].windows == (window(20, seen_at=NOW + 1), week, window(5, minutes=60, family="images"))


def test_a_window_is_written_when_it_is_new_or_has_moved_enough() -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    week = window(30, DAY, minutes=WEEK_MINUTES)
    seen = [(10.0, 0), (10.2, 1), (10.9, 2), (11.0, 3), (11.1, 4), (11.2, 400)]
    for used, second in seen:
        pool.observed(A, (window(used, seen_at=NOW + second),))
    pool.observed(A, (week,))
    assert journal.of("set_windows") == [
        (A, (window(10, seen_at=NOW),)),
        (A, (window(11, seen_at=NOW + 3),)),
        (A, (window(11.2, seen_at=NOW + 400),)),
        (A, (window(11.2, seen_at=NOW + 400), week)),
    ]
    assert pool.candidates[A].windows == (window(11.2, seen_at=NOW + 400), week)


def test_what_is_not_written_is_known_all_the_same() -> None:
    pool = pool_of("a")
    pool.observed(A, (window(10),))
    pool.observed(A, (window(10.4, seen_at=NOW + 1),))
    assert pool.candidates[A].windows == (window(10.4, seen_at=NOW + 1),)


def test_what_the_store_knows_already_is_not_written_again() -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal, seen={A: (window(10),)})
    pool.observed(A, (window(10.1, seen_at=NOW + 1),))
    assert journal.entries == []


def test_answers_that_say_nothing_of_windows_change_nothing() -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    pool.observed(A, ())
    pool.observed("nobody:here", (window(10),))
    assert (journal.entries, pool.candidates[A].windows) == ([], ())


def test_of_what_memory_and_store_know_of_a_window_the_later_counts() -> None:
    pool = pool_of("a", "b")
    pool.observed(A, (window(40, seen_at=NOW + 5),))
    pool.observed(B, (window(40, seen_at=NOW - 5),))
    week = window(1, DAY, minutes=WEEK_MINUTES)
    pool.load(Stored((account("a"), account("b")), seen={A: (window(10), week), B: (window(10),)}))
    assert pool.candidates[A].windows == (window(40, seen_at=NOW + 5), week)
    assert pool.candidates[B].windows == (window(10),)


# --- models ----------------------------------------------------------------------------------------------------------


def test_a_refused_model_is_not_asked_for_again_for_a_day() -> None:
    assert MODEL_SECONDS == DAY
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    refused(pool, "a", "m")
    assert [next_for(pool, "m"), next_for(pool, "n"), next_for(pool)] == ["b", "a", "a"]
    assert [next_for(pool, "m", NOW + DAY - 1), next_for(pool, "m", NOW + DAY)] == ["b", "a"]
    assert journal.of("refuse_model") == [(A, "m", NOW + DAY, NOW)]


def test_a_refused_model_costs_an_account_nothing_else() -> None:
    journal = ListJournal()
    pool = pool_of("a", journal=journal)
    refused(pool, "a", "m")
    assert pool.candidates[A].cooldown is None
    assert [entry[0] for entry in journal.entries] == ["refuse_model", "record"]


def test_a_refusal_of_a_model_nobody_named_cannot_be_remembered() -> None:
    journal = ListJournal()
    pool = pool_of("a", "b", journal=journal)
    refused(pool, "a", "")
    assert (next_for(pool), journal.of("refuse_model")) == ("a", [])


def test_a_model_that_everybody_refuses_is_named_as_the_reason() -> None:
    pool = pool_of("a", "b")
    for name in "ab":
        refused(pool, name, "m")
    answer = pool.select(Ask(model="m"), NOW)
    assert isinstance(answer, Exhausted)
    assert (answer.rule, answer.resets_at, answer.limited) == ("model", None, False)
    assert answer.reasons == {"a": "m is not for its plan", "b": "m is not for its plan"}


def test_a_refused_model_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name)).result()
        pool = Pool(store)
        pool.load(store)
        refused(pool, "a", "m")
        pool.observed(B, (window(50, None),))
    with Store(path) as store:
        again = Pool(store)
        again.load(store)
        assert [next_for(again, "m"), next_for(again, "n"), next_for(again, "m", NOW + DAY)] == ["b", "a", "a"]
        assert again.candidates[B].windows == (window(50, None),)


def test_what_another_proxy_was_refused_counts_here_too() -> None:
    pool = pool_of("a", "b")
    pool.load(Stored((account("a"), account("b")), refused={(A, "m"): NOW + HOUR}))
    assert [next_for(pool, "m"), next_for(pool, "m", NOW + HOUR)] == ["b", "a"]


def test_what_was_refused_just_now_survives_loading() -> None:
    pool = pool_of("a", "b")
    refused(pool, "a", "m")
    pool.load(Stored((account("a"), account("b"))))
    assert next_for(pool, "m") == "b"


def test_of_two_refusals_of_the_same_model_the_later_counts() -> None:
    pool = pool_of("a", "b")
    refused(pool, "a", "m", NOW - DAY)
    pool.load(Stored((account("a"), account("b")), refused={(A, "m"): NOW + DAY}))
    assert next_for(pool, "m") == "b"


def test_accounts_whose_catalogue_lists_a_model_come_first() -> None:
    pool = pool_of("a", "b", "c")
    pool.models.lists.learned(A, [{"slug": "n"}], NOW)
    pool.models.lists.learned("nobody:here", [{"slug": "n"}], NOW)
    assert [next_for(pool, "m"), next_for(pool, "n"), next_for(pool)] == ["b", "a", "a"]


def test_an_empty_catalogue_says_nothing() -> None:
    pool = pool_of("a", "b")
    pool.models.lists.learned(A, [], NOW)
    assert next_for(pool, "m") == "a"
    pool.models.lists.learned(A, [{"slug": "n"}], NOW)
    pool.models.lists.learned(A, [], NOW)
    assert next_for(pool, "m") == "b"


def test_a_catalogue_survives_loading() -> None:
    pool = pool_of("a", "b")
    pool.models.lists.learned(A, [{"slug": "n"}], NOW)
    pool.load(Stored((account("a"), account("b"))))
    assert next_for(pool, "m") == "b"


def test_a_catalogue_is_forgotten_after_a_day() -> None:
    pool = pool_of("a", "b")
    pool.models.lists.learned(A, [{"slug": "n"}], NOW)
    assert [next_for(pool, "m", NOW + DAY - 1), next_for(pool, "m", NOW + DAY)] == ["b", "a"]


# --- patience --------------------------------------------------------------------------------------------------------


def paced(pool: Pool, name: str, seconds: float, thread: str = "t") -> bool:
    lease, now = lease_of(pool, name, NOW + seconds, thread), NOW + seconds
    waits = pool.may_pace(lease, now)
    if waits:
        pool.pace(lease, now)
    return waits


def test_a_thread_waits_for_an_account_once_in_a_while() -> None:
    assert PATIENCE_SECONDS == 30
    pool = pool_of("a", "b")
    assert [paced(pool, "a", 0), paced(pool, "a", 29.9)] == [True, False]
    pool = pool_of("a", "b")
    assert [paced(pool, "a", 0), paced(pool, "a", 30)] == [True, True]


def test_patience_is_a_matter_between_a_thread_and_an_account() -> None:
    pool = pool_of("a", "b")
    assert [paced(pool, "a", 0), paced(pool, "b", 1), paced(pool, "a", 2, "u"), paced(pool, "a", 3)] == [
        True,
        True,
        True,
        False,
    ]


def test_a_success_restores_the_patience_of_its_thread() -> None:
    pool = pool_of("a", "b")
    paced(pool, "a", 0)
    paced(pool, "a", 0, "u")
    pool.report(lease_of(pool, "a", thread="t"), Outcome(kind=Kind.OK), NOW + 1)
    assert [paced(pool, "a", 2), paced(pool, "a", 2, "u")] == [True, False]


def test_patience_lasts_from_the_last_time_the_thread_has_waited() -> None:
    pool = pool_of("a", "b")
    assert [paced(pool, "a", 0), paced(pool, "a", 20), paced(pool, "a", 40)] == [True, False, True]


# --- everybody's trouble ---------------------------------------------------------------------------------------------


def attempt(pool: Pool, name: str, kind: Kind, seconds: float = 0) -> None:
    pool.report(lease_of(pool, name, NOW + seconds), Outcome(kind=kind), NOW + seconds)


def resting(pool: Pool) -> list[str]:
    return [candidate.account.label for candidate in pool.candidates.values() if candidate.cooldown is not None]


def test_from_the_third_account_on_that_fails_by_upstreams_fault_nobody_rests_for_it() -> None:
    journal = ListJournal()
    pool = pool_of(*"abcde", journal=journal)
    for second, name in enumerate("abcd"):
        attempt(pool, name, Kind.SERVER_ERROR, second)
    assert resting(pool) == ["a", "b"]
    assert [key for key, _ in journal.of("set_cooldown")] == [A, B]
    assert len(journal.of("record")) == 4, "it is history all the same"


def test_a_storm_is_over_after_ten_quiet_seconds_or_with_a_success() -> None:
    for end in (("e", Kind.OK, 3), ("e", Kind.CLIENT_GONE, 12)):
        pool = pool_of(*"abcde")
        for name in "abc":
            attempt(pool, name, Kind.OVERLOADED)
        assert (pool.storm.on(NOW + 9.9), pool.storm.on(NOW + 10)) == (True, False)
        attempt(pool, *end)
        assert not pool.storm.on(NOW + end[2])
        attempt(pool, "d", Kind.SERVER_ERROR, end[2])
        assert resting(pool) == ["a", "b", "d"]


def test_accounts_that_fail_by_their_own_fault_rest_in_a_storm_too() -> None:
    pool = pool_of(*"abcdef")
    for name in "abc":
        attempt(pool, name, Kind.CONNECT_FAILED)
    attempt(pool, "d", Kind.USAGE_LIMIT)
    attempt(pool, "e", Kind.PAYMENT_REQUIRED)
    attempt(pool, "f", Kind.TOKEN_INVALIDATED)
    assert resting(pool) == ["a", "b", "d", "e"]
    assert not pool.can_serve(key_of("f"), Ask(), NOW)


@pytest.mark.parametrize("end", [Kind.UPGRADED, Kind.CLIENT_GONE, Kind.REQUEST_FAULT])
def test_only_a_success_ends_a_storm_or_an_alarm_before_its_time(end: Kind) -> None:
    pool = pool_of(*"abcdef")
    for name in "abc":
        attempt(pool, name, Kind.SERVER_ERROR)
    for name in "de":
        attempt(pool, name, Kind.TOKEN_INVALIDATED)
    attempt(pool, "f", end)
    assert (pool.storm.on(NOW), pool.alarm.on(NOW)) == (True, True)
    attempt(pool, "f", Kind.OK)
    assert (pool.storm.on(NOW), pool.alarm.on(NOW)) == (False, False)


@pytest.mark.parametrize(
    "kind", [Kind.PAYMENT_REQUIRED, Kind.USAGE_LIMIT, Kind.REQUEST_FAULT, Kind.CHALLENGE, Kind.CLIENT_GONE]
)
def test_what_is_not_upstreams_trouble_makes_no_storm(kind: Kind) -> None:
    pool = pool_of(*"abc")
    for name in "abc":
        attempt(pool, name, kind)
    assert not pool.storm.on(NOW)
