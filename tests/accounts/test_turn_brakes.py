"""Trouble on several accounts at once: asking more of them helps nobody, so the request ends."""

import pytest

from accounts.choice.outcomes import RULES, Action, Blame, Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Ask
from accounts.choice.turn import Turn
from accounts.model import Standing
from tests.builders import NOW, ListJournal, key_of, lease_of, pool_of, taken

OTHER, REFRESH, DELIVER = Action.RETRY_OTHER, Action.REFRESH, Action.DELIVER
OVERLOADED, FORBIDDEN, OK = Kind.OVERLOADED, Kind.FORBIDDEN, Kind.OK
INVALIDATED = Kind.TOKEN_INVALIDATED
UPSTREAMS = [kind for kind in Kind if RULES[kind].blame is Blame.UPSTREAM]


def began(pool: Pool, seconds: float = 0) -> Turn:
    return Turn(pool=pool, ask=Ask(), began=NOW + seconds)


def walked(turn: Turn, *answers: Kind, step: float = 0.0) -> list[tuple[str, Action]]:
    """Where these answers lead, each after so many seconds."""
    found, now = [], turn.began
    for kind in answers:
        lease = taken(turn, now)
        now += step
        found.append((lease.account.label, turn.report(lease, Outcome(kind=kind), now)))
    return found


def rested(pool: Pool) -> list[str]:
    return [seat.account.label for seat in pool.seats.values() if seat.cooldown is not None]


# --- upstream's own trouble ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in UPSTREAMS if RULES[kind].action is OTHER])
def test_the_third_account_that_fails_by_upstreams_fault_is_the_last_that_is_asked(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of(*"abcde", journal=journal)
    assert walked(began(pool), kind, kind, kind) == [("a", OTHER), ("b", OTHER), ("c", DELIVER)]
    assert rested(pool) == ["a", "b"]
    assert [key for key, _ in journal.of("set_cooldown")] == [key_of("a"), key_of("b")]


def test_upstreams_troubles_count_together_whatever_they_are() -> None:
    pool = pool_of(*"abcde")
    assert walked(began(pool), Kind.HEAD_TIMEOUT, Kind.RESET, OVERLOADED)[-1] == ("c", DELIVER)


def test_an_answer_that_broke_off_counts_as_well() -> None:
    pool = pool_of(*"abcde")
    for _ in range(2):
        walked(began(pool), Kind.FAILED_AFTER_OUTPUT)
    assert walked(began(pool), OVERLOADED) == [("c", DELIVER)]


def test_trouble_counts_over_all_requests() -> None:
    pool = pool_of(*"abcde")
    assert [walked(began(pool, second), OVERLOADED) for second in range(4)] == [
        [("a", OTHER)],
        [("b", OTHER)],
        [("c", DELIVER)],
        [("c", DELIVER)],
    ]


def test_each_request_in_a_storm_still_has_its_one_attempt() -> None:
    pool = pool_of(*"abcde")
    walked(began(pool), OVERLOADED, OVERLOADED, OVERLOADED)
    turn = began(pool, 1)
    assert walked(turn, OK) == [("c", DELIVER)]
    assert not pool.storm.on(NOW + 1)
    assert walked(began(pool, 2), OVERLOADED) == [("c", OTHER)], "a success has ended it"


def test_trouble_that_is_spread_over_time_is_each_accounts_own() -> None:
    pool = pool_of(*"abcde")
    assert walked(began(pool), OVERLOADED, OVERLOADED, OVERLOADED, OVERLOADED, step=5.0) == [
        ("a", OTHER),
        ("b", OTHER),
        ("c", OTHER),
        ("d", DELIVER),
    ]
    assert rested(pool) == ["a", "b", "c", "d"]


def test_a_storm_is_over_after_ten_seconds() -> None:
    pool = pool_of(*"abcde")
    walked(began(pool), OVERLOADED, OVERLOADED, OVERLOADED)
    assert walked(began(pool, 9.9), OVERLOADED)[0][1] is DELIVER
    pool = pool_of(*"abcde")
    walked(began(pool), OVERLOADED, OVERLOADED, OVERLOADED)
    assert walked(began(pool, 10), OVERLOADED)[0][1] is OTHER


def test_an_accounts_own_trouble_is_no_storm() -> None:
    pool = pool_of(*"abcde")
    assert [action for _, action in walked(began(pool), FORBIDDEN, FORBIDDEN, FORBIDDEN)] == [OTHER] * 3


def test_in_a_storm_an_accounts_own_trouble_still_leads_to_another() -> None:
    pool = pool_of(*"abcdef")
    walked(began(pool), OVERLOADED, OVERLOADED, OVERLOADED)
    assert walked(began(pool), Kind.USAGE_LIMIT, FORBIDDEN) == [("c", OTHER), ("d", OTHER)]
    assert rested(pool) == ["a", "b", "c", "d"]


def test_one_account_that_fails_again_and_again_is_no_storm() -> None:
    pool = pool_of("a")
    assert [walked(began(pool, second), OVERLOADED) for second in range(5)] == [[("a", OTHER)]] * 5


# --- logins that die -------------------------------------------------------------------------------------------------


def test_a_second_request_whose_account_is_signed_out_ends_at_once() -> None:
    """Two logins lost in a minute is no coincidence, whichever requests they were lost to."""
    pool = pool_of(*"abcd")
    assert walked(began(pool), INVALIDATED, FORBIDDEN) == [("a", OTHER), ("b", OTHER)]
    turn = began(pool, 30)
    assert walked(turn, INVALIDATED) == [("c", DELIVER)]
    assert turn.alarmed
    assert pool.seats[key_of("d")].account.standing is Standing.GOOD


@pytest.mark.parametrize(("seconds", "action"), [(59.9, DELIVER), (60, OTHER)])
def test_the_alarm_looks_back_a_minute(seconds: float, action: Action) -> None:
    pool = pool_of(*"abcd")
    walked(began(pool), INVALIDATED)
    turn = began(pool, seconds)
    assert walked(turn, INVALIDATED) == [("b", action)]
    assert turn.alarmed is (action is DELIVER)


def test_a_success_ends_the_alarm() -> None:
    pool = pool_of(*"abcd")
    assert walked(began(pool), INVALIDATED, OK) == [("a", OTHER), ("b", DELIVER)]
    assert walked(began(pool, 1), INVALIDATED) == [("b", OTHER)]


def test_a_success_elsewhere_does_not_let_a_request_go_on_signing_accounts_out() -> None:
    pool = pool_of(*"abcd")
    turn = began(pool)
    walked(turn, INVALIDATED)
    pool.report(lease_of(pool, "d"), Outcome(kind=OK), NOW)
    assert walked(turn, INVALIDATED) == [("b", DELIVER)]
    assert turn.alarmed


def test_the_alarm_stops_nobody_who_is_not_signed_out() -> None:
    pool = pool_of(*"abcdef")
    walked(began(pool), INVALIDATED, INVALIDATED)
    assert walked(began(pool, 1), FORBIDDEN, Kind.USAGE_LIMIT, OK) == [("c", OTHER), ("d", OTHER), ("e", DELIVER)]


def test_a_login_that_turns_out_dead_while_it_is_renewed_counts_as_well() -> None:
    pool = pool_of(*"abcd")
    pool.report(lease_of(pool, "a"), Outcome(kind=INVALIDATED), NOW)  # renewed ahead of time, by nobody's request
    turn = began(pool, 1)
    lease = taken(turn, NOW + 1)
    assert turn.report(lease, Outcome(kind=Kind.TOKEN_EXPIRED), NOW + 1) is REFRESH
    assert turn.refresh_failed(lease, Outcome(kind=INVALIDATED), NOW + 2) is DELIVER
    assert turn.alarmed
