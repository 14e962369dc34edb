"""One request, from account to account: how often, whom next, when to stop.

Short waits and sealed history are in tests/accounts/test_turn_again.py, trouble on many accounts in
test_turn_brakes.py, the decision record in test_decisions.py.
"""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.choice.outcomes import RULES, Action, Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.selection import Ask, Exhausted, Policy
from accounts.choice.turn import FIRST_BYTE_SECONDS, MOST_ATTEMPTS, MOST_INVALIDATED, PACE_SECONDS, Turn
from accounts.model import Standing
from tests.builders import (
    HOUR,
    NOW,
    ListJournal,
    Stored,
    account,
    credentials,
    key_of,
    lease_of,
    pool_of,
    rest,
    taken,
    turn_on,
    window,
)

A = key_of("a")
OTHER, SAME, REFRESH, DELIVER = Action.RETRY_OTHER, Action.RETRY_SAME, Action.REFRESH, Action.DELIVER
FORBIDDEN = Outcome(kind=Kind.FORBIDDEN)
EXPIRED = Outcome(kind=Kind.TOKEN_EXPIRED)
INVALIDATED = Outcome(kind=Kind.TOKEN_INVALIDATED)
OK = Outcome(kind=Kind.OK)


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
    turn.report(lease, FORBIDDEN, NOW)


def test_a_turn_asks_for_what_its_request_wants() -> None:
    pool = pool_of("a", "b")
    pool.report(lease_of(pool, "b", thread="t"), OK, NOW)
    pool.report(lease_of(pool, "a", model="m"), Outcome(kind=Kind.UNSUPPORTED_MODEL), NOW)
    assert [taken(turn_on(pool, **ask)).account.label for ask in ({"thread": "t"}, {"model": "m"}, {"model": "n"})] == [
        "b",
        "b",
        "a",
    ]


# --- the budget ------------------------------------------------------------------------------------------------------


def test_no_account_is_tried_twice_and_the_pool_may_end_before_the_budget() -> None:
    assert list(walk(turn_on("abc"), FORBIDDEN)) == [("a", OTHER), ("b", OTHER), ("c", OTHER)]


def test_a_request_gets_four_attempts() -> None:
    assert MOST_ATTEMPTS == 4
    assert list(walk(turn_on("abcdef"), FORBIDDEN)) == [("a", OTHER), ("b", OTHER), ("c", OTHER), ("d", DELIVER)]


@pytest.mark.parametrize(("waited", "action"), [(0.0, OTHER), (59.9, OTHER), (60.0, OTHER), (60.1, DELIVER)])
def test_no_further_attempt_begins_after_a_minute(waited: float, action: Action) -> None:
    assert FIRST_BYTE_SECONDS == 60
    turn = turn_on("abc")
    lease = taken(turn)
    assert turn.report(lease, FORBIDDEN, NOW + waited) is action


def test_accounts_that_are_known_to_be_spent_cost_no_attempt() -> None:
    names = "abcdefghijklmnopqrst"
    pool = pool_of(*names, rests={key_of(name): rest(900) for name in names[:-1]})
    turn = turn_on(pool)
    lease = taken(turn)
    assert (len(names), lease.account.label, turn.attempts) == (20, "t", 1)
    assert turn.report(lease, OK, NOW) is DELIVER


def test_whatever_bars_an_account_passing_it_over_costs_no_attempt() -> None:
    pool = pool_of(
        account("a", enabled=False),
        account("b", standing=Standing.NEEDS_LOGIN),
        account("c", reserve_percent=50),
        account("d"),
        account("e"),
        rests={key_of("d"): rest(900)},
        seen={key_of("c"): (window(60),)},
    )
    turn = turn_on(pool)
    assert (taken(turn).account.label, turn.attempts) == ("e", 1)


# --- credentials -----------------------------------------------------------------------------------------------------


def test_a_refused_token_on_the_last_attempt_is_the_last_attempt() -> None:
    turn = turn_on("abcdef")
    for _ in range(MOST_ATTEMPTS - 1):
        turn.report(taken(turn), FORBIDDEN, NOW)
    assert turn.report(taken(turn), EXPIRED, NOW) is DELIVER


def test_a_refused_token_after_a_minute_ends_the_walk() -> None:
    turn = turn_on("ab")
    assert turn.report(taken(turn), EXPIRED, NOW + FIRST_BYTE_SECONDS + 1) is DELIVER


def test_two_accounts_signed_out_stop_the_walk() -> None:
    assert MOST_INVALIDATED == 2
    turn = turn_on("abcd")
    assert list(walk(turn, INVALIDATED)) == [("a", OTHER), ("b", DELIVER)]
    assert turn.alarmed
    assert [seat.account.standing for seat in turn.pool.seats.values()] == [Standing.NEEDS_LOGIN] * 2 + [
        Standing.GOOD
    ] * 2


def test_signed_out_accounts_are_counted_over_the_whole_request() -> None:
    turn = turn_on("abcd")
    actions = [turn.report(taken(turn), outcome, NOW) for outcome in (INVALIDATED, FORBIDDEN, INVALIDATED)]
    assert actions == [OTHER, OTHER, DELIVER]


def test_a_refused_token_costs_nothing_the_first_time() -> None:
    turn = turn_on("ab")
    assert turn.report(taken(turn), EXPIRED, NOW) is REFRESH
    assert turn.pool.seats[A].cooldown is None


def test_after_a_refresh_the_same_account_is_tried_with_its_new_tokens() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    turn.report(lease, EXPIRED, NOW)
    turn.pool.renewed(lease.key, credentials("new"))
    again = taken(turn, again=lease)
    assert (again.key, again.credentials, again.why) == (lease.key, credentials("new"), "once more")
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


@pytest.mark.parametrize(
    ("kind", "actions"), [(Kind.REFRESH_FAILED, [OTHER, OTHER]), (Kind.TOKEN_INVALIDATED, [OTHER, DELIVER])]
)
def test_without_a_newer_token_another_account_is_next_as_long_as_logins_are_not_dying(
    kind: Kind, actions: list[Action]
) -> None:
    turn = turn_on("abc")
    found = []
    for _ in actions:
        lease = taken(turn)
        assert turn.report(lease, EXPIRED, NOW) is REFRESH
        found.append(turn.refresh_failed(lease, Outcome(kind=kind), NOW))
    assert found == actions
    assert not turn.pool.in_flight(A)


def test_renewing_ahead_of_time_is_the_one_refresh() -> None:
    pool = pool_of("a", "b", tokens={key_of(n): credentials(n, expires_at=NOW + 10) for n in "ab"})
    turn = turn_on(pool)
    lease = taken(turn)
    assert [turn.refresh_first(lease, NOW) for _ in range(2)] == [True, False]
    assert turn.report(lease, EXPIRED, NOW) is OTHER
    assert turn_on(pool).refresh_first(lease, NOW)  # another request has a refresh of its own


def test_a_fresh_token_is_used_as_it_is() -> None:
    turn = turn_on(pool_of("a", tokens={A: credentials(expires_at=NOW + HOUR)}))
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


# --- threads ---------------------------------------------------------------------------------------------------------


def at_home(thread: str = "t") -> Pool:
    """Of two accounts, the thread lives at a."""
    pool = pool_of("a", "b")
    first = turn_on(pool, thread=thread)
    first.report(taken(first), OK, NOW)
    return pool


def test_a_thread_comes_home_although_another_account_is_less_busy() -> None:
    pool = at_home()
    for _ in range(3):
        pool.enter(lease_of(pool, "a"), NOW)
    assert taken(turn_on(pool, thread="t")).account.label == "a"
    assert taken(turn_on(pool, thread="u")).account.label == "b"


def test_a_steady_request_takes_the_same_account_whatever_is_in_flight() -> None:
    pool = pool_of("a", "b")
    assert {taken(turn_on(pool, steady=True)).account.label for _ in range(4)} == {"a"}


def test_a_turn_that_ends_well_elsewhere_does_not_move_the_thread() -> None:
    pool = at_home()
    second = turn_on(pool, thread="t")
    second.report(taken(second), FORBIDDEN, NOW)
    assert second.report(taken(second), OK, NOW) is DELIVER
    assert (pool.place("t", NOW).home, pool.place("t", NOW).detour) == (A, key_of("b"))


# --- an account that was chosen before -------------------------------------------------------------------------------


def stays(pool: Pool, name: str, now: float = NOW, **ask: str) -> bool:
    """Whether the next request on a socket of this account goes on there."""
    lease = lease_of(pool_of("a", "b"), name, thread=ask.get("thread", ""))
    return Turn(pool=pool, ask=Ask(**ask), began=now).stays(lease, now)


def test_a_socket_serves_on_what_its_account_is_the_best_for() -> None:
    assert stays(at_home(), "a", thread="t")
    assert stays(pool_of("a", "b"), "a")


def test_a_thread_goes_home_from_the_socket_of_its_detour() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "b", thread="t"), OK, NOW)
    assert not stays(pool, "b", thread="t")


def test_without_a_thread_any_account_that_can_serve_is_good_enough() -> None:
    pool = pool_of("a", "b")
    assert stays(pool, "b")
    pool.report(lease_of(pool, "b"), Outcome(kind=Kind.USAGE_LIMIT), NOW)
    assert not stays(pool, "b")


def test_a_short_rest_is_not_worth_a_new_connection() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a"), Outcome(kind=Kind.SERVER_ERROR), NOW)
    assert (stays(pool, "a", thread="t"), stays(pool, "a")) == (True, True)


def test_an_account_that_cannot_serve_any_more_gets_no_further_request() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a"), Outcome(kind=Kind.USAGE_LIMIT, until=NOW + 60), NOW)
    assert (stays(pool, "a", thread="t"), stays(pool, "a", thread="u"), stays(pool, "a")) == (False, False, False)
    assert stays(pool, "a", NOW + 60, thread="t")


def test_a_request_for_a_model_that_the_socket_s_account_lacks_goes_elsewhere() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a", model="m"), Outcome(kind=Kind.UNSUPPORTED_MODEL), NOW)
    assert (stays(pool, "a", thread="t", model="m"), stays(pool, "a", thread="t", model="n")) == (False, True)


def test_nobody_is_sent_away_when_nobody_else_could_serve() -> None:
    """What upstream says is then the best there is to tell."""
    pool = pool_of("a", "b", rests={key_of(name): rest(60) for name in "ab"})
    assert (stays(pool, "a", thread="t"), stays(pool, "a")) == (True, True)


@pytest.mark.parametrize(
    ("policy", "reserve"), [(Policy(pin=key_of("b")), 0), (Policy(), 20)], ids=["pinned", "reserved"]
)
def test_a_socket_does_not_get_round_what_the_owner_has_ruled(policy: Policy, reserve: int) -> None:
    """A pin fails hard, and a reserve is the owner's: the next connection says so to the client."""
    pool = Pool(ListJournal(), policy)
    seats = (account("a", reserve_percent=reserve), account("b"))
    pool.load(Stored(seats, rests={key_of("b"): rest(60)}, seen={A: (window(90),)}))
    assert isinstance(pool.select(Ask(), NOW), Exhausted)
    assert not stays(pool, "a")


def test_going_on_is_the_first_attempt() -> None:
    pool = at_home()
    turn = turn_on(pool, thread="t")
    lease = lease_of(pool, "a", thread="t")
    turn.go_on(lease, NOW)
    assert (turn.attempts, pool.in_flight(A)) == (1, 1)
    left = turn.peek(NOW)
    assert isinstance(left, Lease)
    assert left.account.label == "b"
    assert turn.report(lease, FORBIDDEN, NOW) is OTHER
    assert pool.in_flight(A) == 0


# --- all of it -------------------------------------------------------------------------------------------------------

KINDS = st.lists(st.sampled_from(Kind), min_size=40, max_size=40)


@given(kinds=KINDS, size=st.integers(1, 6), step=st.floats(0, 40))
@settings(deadline=None, max_examples=300)
def test_every_walk_ends_within_its_budget_and_leaves_nothing_in_flight(
    kinds: list[Kind], size: int, step: float
) -> None:
    """Only leaving out what an account cannot read is beside the budget: once for each account."""
    turn, now, again = turn_on("abcdef"[:size]), NOW, None
    taken_by: list[tuple[str, float]] = []
    unsealed, action = 0, OTHER
    while action is not DELIVER:
        lease = turn.take(now, again=again)
        if isinstance(lease, Exhausted):
            break
        taken_by.append((lease.key, now))
        now += step
        action = turn.report(lease, Outcome(kind=kinds[len(taken_by)]), now)
        unsealed += action is Action.UNSEAL
        now += turn.pause if action is SAME else 0
        again = None if action is OTHER else lease
    assert len(taken_by) <= MOST_ATTEMPTS + unsealed
    assert unsealed <= len({key for key, _ in taken_by})
    assert turn.waited <= PACE_SECONDS
    assert all(at <= NOW + FIRST_BYTE_SECONDS + step * unsealed + turn.waited for _, at in taken_by)
    assert len(turn.trail) == len(turn.outcomes) == len(taken_by)
    assert not any(turn.pool.in_flight(key) for key in turn.pool.seats)


@given(kinds=KINDS)
@settings(deadline=None)
def test_within_a_walk_nobody_who_is_out_of_service_is_taken(kinds: list[Kind]) -> None:
    pool = pool_of(*"abcd")
    for kind in kinds:
        turn = turn_on(pool)
        lease = turn.take(NOW)
        if isinstance(lease, Exhausted):
            assert not any(pool.can_serve(key, Ask(), NOW) for key in pool.seats)
            return
        assert pool.can_serve(lease.key, Ask(), NOW)
        turn.report(lease, Outcome(kind=kind), NOW)
        assert pool.can_serve(lease.key, Ask(), NOW) == (not RULES[kind].bars)
