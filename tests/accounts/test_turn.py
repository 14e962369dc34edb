"""One request, from account to account: how often, whom next, when to stop."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import Standing
from accounts.outcomes import RULES, Action, Kind, Outcome, Rest
from accounts.pool import Lease, Pool
from accounts.selection import Exhausted
from accounts.turn import FIRST_BYTE_SECONDS, MOST_ATTEMPTS, MOST_INVALIDATED, Turn
from tests.builders import HOUR, NOW, Stored, account, credentials, key_of, pool_of

OTHER, REFRESH, DELIVER = Action.RETRY_OTHER, Action.REFRESH, Action.DELIVER
BURST = Outcome(kind=Kind.BURST_LIMIT)
EXPIRED = Outcome(kind=Kind.TOKEN_EXPIRED)
INVALIDATED = Outcome(kind=Kind.TOKEN_INVALIDATED)
OK = Outcome(kind=Kind.OK)


def turn_on(pool: Pool | str, thread: str = "", steady: bool = False) -> Turn:
    """A request that begins now, on this pool or on one of these one-letter accounts."""
    return Turn(pool=pool_of(*pool) if isinstance(pool, str) else pool, thread=thread, began=NOW, steady=steady)


def taken(turn: Turn, now: float = NOW, again: Lease | None = None) -> Lease:
    lease = turn.take(now, again=again)
    assert isinstance(lease, Lease), lease
    return lease


def walk(turn: Turn, outcome: Outcome, now: float = NOW) -> Iterator[tuple[str, Action]]:
    """Attempts that all end alike, as long as there is another one."""
    while True:
        lease = turn.take(now)
        if isinstance(lease, Exhausted):
            return
        action = turn.report(lease, outcome, now)
        yield lease.account.label, action
        if action is DELIVER:
            return


@pytest.mark.parametrize("kind", Kind)
def test_the_first_answer_of_a_kind_leads_to_the_action_of_its_rule(kind: Kind) -> None:
    turn = turn_on("ab")
    assert turn.report(taken(turn), Outcome(kind=kind), NOW) is RULES[kind].action


@pytest.mark.parametrize("kind", Kind)
def test_a_lease_is_given_back_by_its_report_whatever_came_of_it(kind: Kind) -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    assert turn.pool.in_flight(lease.key) == 1
    turn.report(lease, Outcome(kind=kind), NOW)
    assert turn.pool.in_flight(lease.key) == 0


def test_looking_who_is_left_takes_nobody() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    left = turn.peek(NOW)
    assert isinstance(left, Lease)
    assert (left.account.label, turn.pool.in_flight(left.key), turn.attempts) == ("b", 0, 1)
    turn.report(lease, BURST, NOW)


def test_no_account_is_tried_twice_and_the_pool_may_end_before_the_budget() -> None:
    assert list(walk(turn_on("abc"), BURST)) == [("a", OTHER), ("b", OTHER), ("c", OTHER)]


def test_a_request_gets_four_attempts() -> None:
    assert MOST_ATTEMPTS == 4
    assert list(walk(turn_on("abcdef"), BURST)) == [("a", OTHER), ("b", OTHER), ("c", OTHER), ("d", DELIVER)]


@pytest.mark.parametrize(("waited", "action"), [(0.0, OTHER), (59.9, OTHER), (60.0, OTHER), (60.1, DELIVER)])
def test_no_further_attempt_begins_after_a_minute(waited: float, action: Action) -> None:
    assert FIRST_BYTE_SECONDS == 60
    turn = turn_on("abc")
    lease = taken(turn)
    assert turn.report(lease, BURST, NOW + waited) is action


def test_a_refused_token_on_the_last_attempt_is_the_last_attempt() -> None:
    turn = turn_on("abcdef")
    for _ in range(MOST_ATTEMPTS - 1):
        turn.report(taken(turn), BURST, NOW)
    assert turn.report(taken(turn), EXPIRED, NOW) is DELIVER


def test_a_refused_token_after_a_minute_ends_the_walk() -> None:
    turn = turn_on("ab")
    assert turn.report(taken(turn), EXPIRED, NOW + FIRST_BYTE_SECONDS + 1) is DELIVER


def test_two_accounts_signed_out_stop_the_walk() -> None:
    assert MOST_INVALIDATED == 2
    turn = turn_on("abcd")
    assert list(walk(turn, INVALIDATED)) == [("a", OTHER), ("b", DELIVER)]
    assert [seat.account.standing for seat in turn.pool.seats.values()] == [Standing.NEEDS_LOGIN] * 2 + [
        Standing.GOOD
    ] * 2


def test_signed_out_accounts_are_counted_over_the_whole_request() -> None:
    turn = turn_on("abcd")
    actions = [turn.report(taken(turn), outcome, NOW) for outcome in (INVALIDATED, BURST, INVALIDATED)]
    assert actions == [OTHER, OTHER, DELIVER]


def test_a_refused_token_costs_nothing_the_first_time() -> None:
    turn = turn_on("ab")
    assert turn.report(taken(turn), EXPIRED, NOW) is REFRESH
    assert turn.pool.seats[key_of("a")].cooldown is None


def test_after_a_refresh_the_same_account_is_tried_with_its_new_tokens() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    turn.report(lease, EXPIRED, NOW)
    turn.pool.renewed(lease.key, credentials("new"))
    again = taken(turn, again=lease)
    assert (again.key, again.credentials) == (lease.key, credentials("new"))
    assert turn.report(again, OK, NOW) is DELIVER


def test_a_second_refusal_means_another_account_and_a_rest() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    assert turn.report(lease, EXPIRED, NOW) is REFRESH
    assert turn.report(taken(turn, again=lease), EXPIRED, NOW) is OTHER
    assert turn.pool.seats[lease.key].cooldown is not None
    assert taken(turn).account.label == "b"


def test_each_account_of_a_request_may_be_refreshed_once() -> None:
    turn = turn_on("ab")
    for _ in "ab":
        lease = taken(turn)
        assert turn.report(lease, EXPIRED, NOW) is REFRESH
        assert turn.report(taken(turn, again=lease), EXPIRED, NOW) in (OTHER, DELIVER)


def test_renewing_ahead_of_time_is_the_one_refresh() -> None:
    pool = pool_of("a", "b", tokens={key_of(n): credentials(n, expires_at=NOW + 10) for n in "ab"})
    turn = turn_on(pool)
    lease = taken(turn)
    assert [turn.refresh_first(lease, NOW) for _ in range(2)] == [True, False]
    assert turn.report(lease, EXPIRED, NOW) is OTHER
    assert turn_on(pool).refresh_first(lease, NOW)  # another request has a refresh of its own


def test_a_fresh_token_is_used_as_it_is() -> None:
    turn = turn_on(pool_of("a", tokens={key_of("a"): credentials(expires_at=NOW + HOUR)}))
    lease = taken(turn)
    assert not turn.refresh_first(lease, NOW)
    assert turn.report(lease, EXPIRED, NOW) is REFRESH


@pytest.mark.parametrize("left", ["b", ""])
def test_an_account_removed_or_paused_during_its_refresh_makes_room_for_another(left: str) -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    turn.report(lease, EXPIRED, NOW)
    seats = (account("a", enabled=False), account("b")) if left else (account("a", enabled=False),)
    turn.pool.load(Stored(seats))
    answer = turn.take(NOW, again=lease)
    assert (answer.account.label if isinstance(answer, Lease) else "") == left


def test_a_thread_comes_home_although_another_account_is_less_busy() -> None:
    pool = pool_of("a", "b")
    first = turn_on(pool, thread="t")
    first.report(taken(first), OK, NOW)
    for _ in range(3):
        pool.enter(key_of("a"))
    assert taken(turn_on(pool, thread="t")).account.label == "a"
    assert taken(turn_on(pool, thread="u")).account.label == "b"


def test_a_steady_request_takes_the_same_account_whatever_is_in_flight() -> None:
    pool = pool_of("a", "b")
    assert {taken(turn_on(pool, steady=True)).account.label for _ in range(4)} == {"a"}


def test_a_turn_that_ends_well_elsewhere_brings_the_thread_home_after_a_soft_rest() -> None:
    pool = pool_of("a", "b")
    first, second = turn_on(pool, thread="t"), turn_on(pool, thread="t")
    first.report(taken(first), OK, NOW)
    second.report(taken(second), BURST, NOW)
    assert second.report(taken(second), OK, NOW) is DELIVER
    assert pool.home("t", NOW) == key_of("a")


KINDS = st.lists(st.sampled_from([kind for kind in Kind if kind is not Kind.TOKEN_EXPIRED]), min_size=8, max_size=8)


@given(kinds=KINDS, size=st.integers(1, 6), step=st.floats(0, 40))
@settings(deadline=None)
def test_every_walk_ends_within_its_budget_and_leaves_nothing_in_flight(
    kinds: list[Kind], size: int, step: float
) -> None:
    turn = turn_on("abcdef"[:size])
    tried: list[str] = []
    now, action = NOW, OTHER
    while action is OTHER:
        lease = turn.take(now)
        if isinstance(lease, Exhausted):
            break
        tried.append(lease.key)
        now += step
        action = turn.report(lease, Outcome(kind=kinds[len(tried)]), now)
    assert len(tried) == len(set(tried)) <= min(MOST_ATTEMPTS, size)
    assert (len(tried) - 1) * step <= FIRST_BYTE_SECONDS
    assert not any(turn.pool.in_flight(key) for key in turn.pool.seats)


@given(kinds=KINDS)
@settings(deadline=None)
def test_within_a_walk_nobody_at_a_limit_is_taken(kinds: list[Kind]) -> None:
    pool = pool_of(*"abcd")
    for kind in kinds:
        turn = turn_on(pool)
        lease = turn.take(NOW)
        if isinstance(lease, Exhausted):
            assert not any(pool.usable(key, NOW) for key in pool.seats)
            return
        assert pool.usable(lease.key, NOW)
        turn.report(lease, Outcome(kind=kind), NOW)
        assert pool.usable(lease.key, NOW) == (RULES[kind].rest is not Rest.HARD and RULES[kind].standing is None)
