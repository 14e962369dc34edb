"""One request, from account to account: how often, whom next, when to stop. The table itself: test_machine.py."""

import pytest

from accounts.choice.outcomes import RULES, Action, Blame, Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Ask, Exhausted, Policy
from accounts.model import Standing
from accounts.turn import steps
from accounts.turn.events import Begin, Ended, Failed, NotRenewed, Renewed, Silent, Waited
from accounts.turn.machine import Turn
from accounts.turn.state import FIRST_BYTE_SECONDS, MOST_ATTEMPTS, MOST_INVALIDATED, PACE_SECONDS, USUAL_PACE
from accounts.turn.steps import Reason
from tests.builders import (
    HOUR,
    NOW,
    ListJournal,
    Stored,
    account,
    begun,
    credentials,
    key_of,
    lease_of,
    pool_of,
    rest,
    turn_on,
    walked,
    window,
)

A, B = key_of("a"), key_of("b")
EXPIRED = Outcome(kind=Kind.TOKEN_EXPIRED)
FORBIDDEN, INVALIDATED, OVERLOADED, SEALED, OK = (
    Kind.FORBIDDEN,
    Kind.TOKEN_INVALIDATED,
    Kind.OVERLOADED,
    Kind.INVALID_SEALED,
    Kind.OK,
)
UPSTREAMS = [kind for kind in Kind if RULES[kind].blame is Blame.UPSTREAM and RULES[kind].action is Action.RETRY_OTHER]


def burst(seconds: float | None = None, now: float = NOW) -> Outcome:
    """Asked too often, and when upstream says to try again."""
    return Outcome(kind=Kind.BURST_LIMIT, until=None if seconds is None else now + seconds)


def rested(pool: Pool) -> list[str]:
    return [seat.account.label for seat in pool.seats.values() if seat.cooldown is not None]


# --- the budget ------------------------------------------------------------------------------------------------------


def test_no_account_is_tried_twice_and_the_pool_may_end_before_the_budget() -> None:
    assert walked(turn_on("abc"), FORBIDDEN, FORBIDDEN, FORBIDDEN) == ["a other", "b other", "c words"]


def test_a_request_gets_four_attempts() -> None:
    assert MOST_ATTEMPTS == 4
    assert walked(turn_on("abcdef"), *[FORBIDDEN] * 4) == ["a other", "b other", "c other", "d words"]


@pytest.mark.parametrize(("waited", "step"), [(0.0, "other"), (59.9, "other"), (60.0, "other"), (60.1, "words")])
def test_no_further_attempt_begins_after_a_minute(waited: float, step: str) -> None:
    assert FIRST_BYTE_SECONDS == 60
    assert walked(turn_on("abc"), FORBIDDEN, seconds=waited) == [f"a {step}"]


def test_when_its_attempts_are_spent_and_others_are_left_the_client_is_to_ask_again() -> None:
    turn = turn_on("abcdef")
    assert walked(turn, *[Kind.USAGE_LIMIT] * 4)[-1] == "d refuse"
    assert turn.others_left(NOW)


def test_accounts_that_are_known_to_be_spent_cost_no_attempt() -> None:
    names = "abcdefghijklmnopqrst"
    turn = turn_on(pool_of(*names, rests={key_of(name): rest(900) for name in names[:-1]}))
    assert (len(names), begun(turn).account.label, turn.tally.attempts) == (20, "t", 1)


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
    assert (begun(turn).account.label, turn.tally.attempts) == ("e", 1)


def test_a_turn_asks_for_what_its_request_wants() -> None:
    pool = pool_of("a", "b")
    pool.report(lease_of(pool, "b", thread="t"), Outcome(kind=OK), NOW)
    pool.report(lease_of(pool, "a", model="m"), Outcome(kind=Kind.UNSUPPORTED_MODEL), NOW)
    asks = ({"thread": "t"}, {"model": "m"}, {"model": "n"})
    assert [begun(turn_on(pool, **ask)).account.label for ask in asks] == ["b", "b", "a"]


def test_a_body_that_is_not_kept_is_sent_once() -> None:
    turn = turn_on("ab")
    turn.replayable = False
    assert walked(turn, FORBIDDEN) == ["a words"]


# --- what the client gets at the end ---------------------------------------------------------------------------------


def refusal(turn: Turn, *kinds: Kind, words: bool = True) -> tuple[Reason, bool] | None:
    """Why the proxy answers itself, and whether it says that nobody is left; None when it does not answer."""
    step = turn.next(Begin(), NOW)
    for kind in kinds:
        assert isinstance(step, steps.Attempt)
        step = turn.next(Failed(Outcome(kind=kind), words=words), NOW)
    if isinstance(step, steps.Deliver):
        return None
    assert isinstance(step, steps.Refuse)
    return step.reason, step.nobody is not None


@pytest.mark.parametrize(
    ("names", "kinds", "words", "reason"),
    [
        ("", (), True, (Reason.NOBODY_LEFT, True)),
        ("a", (Kind.USAGE_LIMIT,), True, (Reason.NOBODY_LEFT, True)),
        ("ab", (Kind.USAGE_LIMIT, Kind.USAGE_LIMIT), True, (Reason.NOBODY_LEFT, True)),
        ("ab", (Kind.USAGE_LIMIT, Kind.SERVER_ERROR), True, None),
        ("a", (Kind.SERVER_ERROR,), True, None),
        ("a", (Kind.HEAD_TIMEOUT,), False, (Reason.UNREACHABLE, True)),
        ("ab", (Kind.PROXY_FAILED,), False, (Reason.UNREACHABLE, False)),
        ("ab", (Kind.REQUEST_FAULT,), True, None),
        ("abc", (INVALIDATED, INVALIDATED), True, (Reason.SIGNED_OUT, False)),
        ("abcde", (Kind.USAGE_LIMIT,) * 4, True, (Reason.OTHERS_LEFT, False)),
    ],
)
def test_what_is_told_when_no_account_has_answered(
    names: str, kinds: tuple[Kind, ...], words: bool, reason: tuple[Reason, bool] | None
) -> None:
    assert refusal(turn_on(names), *kinds, words=words) == reason


@pytest.mark.parametrize("kind", [kind for kind in Kind if RULES[kind].private])
def test_words_about_an_account_s_credentials_are_never_the_client_s(kind: Kind) -> None:
    turn = turn_on("a")
    step = turn.next(Begin(), NOW)
    step = turn.next(Failed(Outcome(kind=kind), words=True), NOW)
    if isinstance(step, steps.Renew):
        step = turn.next(NotRenewed(Outcome(kind=Kind.REFRESH_FAILED)), NOW)
    assert isinstance(step, steps.Refuse)


# --- credentials -----------------------------------------------------------------------------------------------------


def test_a_refused_token_costs_nothing_the_first_time() -> None:
    turn = turn_on("ab")
    begun(turn)
    assert isinstance(turn.next(Failed(EXPIRED), NOW), steps.Renew)
    assert turn.pool.seats[A].cooldown is None


def test_after_a_refresh_the_same_account_is_tried_with_its_new_tokens() -> None:
    turn = turn_on("ab")
    begun(turn)
    turn.next(Failed(EXPIRED), NOW)
    turn.pool.renewed(A, credentials("new"))
    again = turn.next(Renewed(credentials("new")), NOW)
    assert isinstance(again, steps.Attempt)
    assert (again.lease.key, again.lease.credentials, again.lease.why) == (A, credentials("new"), "once more")


def test_a_second_refusal_means_another_account_and_a_rest() -> None:
    turn = turn_on("ab")
    assert walked(turn, EXPIRED, EXPIRED, OK) == ["a renew", "a other", "b served"]
    assert rested(turn.pool) == ["a"]


def test_each_account_of_a_request_may_be_refreshed_once() -> None:
    assert walked(turn_on("ab"), *[EXPIRED] * 4) == ["a renew", "a other", "b renew", "b refuse"]


def test_a_refused_token_on_the_last_attempt_is_the_last_attempt() -> None:
    assert walked(turn_on("abcdef"), *[FORBIDDEN] * 3, EXPIRED)[-1] == "d refuse"


def test_a_refused_token_after_a_minute_ends_the_walk() -> None:
    assert walked(turn_on("ab"), EXPIRED, seconds=FIRST_BYTE_SECONDS + 1) == ["a refuse"]


def test_two_accounts_signed_out_stop_the_walk() -> None:
    assert MOST_INVALIDATED == 2
    turn = turn_on("abcd")
    assert walked(turn, INVALIDATED, INVALIDATED) == ["a other", "b refuse"]
    assert [seat.account.standing for seat in turn.pool.seats.values()] == [Standing.NEEDS_LOGIN] * 2 + [
        Standing.GOOD
    ] * 2


def test_signed_out_accounts_are_counted_over_the_whole_request() -> None:
    assert walked(turn_on("abcd"), INVALIDATED, FORBIDDEN, INVALIDATED) == ["a other", "b other", "c refuse"]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [(Kind.REFRESH_FAILED, [steps.Attempt, steps.Attempt]), (INVALIDATED, [steps.Attempt, steps.Refuse])],
)
def test_without_a_newer_token_another_account_is_next_as_long_as_logins_are_not_dying(
    kind: Kind, ends: list[type[steps.Step]]
) -> None:
    turn = turn_on("abc")
    begun(turn)
    found = []
    for _ in ends:
        assert isinstance(turn.next(Failed(EXPIRED), NOW), steps.Renew)
        found.append(type(turn.next(NotRenewed(Outcome(kind=kind)), NOW)))
    assert found == ends
    assert not turn.pool.in_flight(A)


def test_a_token_that_is_due_is_renewed_before_it_is_used_and_that_is_the_one_refresh() -> None:
    pool = pool_of("a", "b", tokens={A: credentials("a", expires_at=NOW + 10), B: credentials("b")})
    turn = turn_on(pool)
    step = turn.next(Begin(), NOW)
    assert isinstance(step, steps.Renew)
    assert step.ahead
    asked = turn.next(Renewed(credentials("new")), NOW)
    assert isinstance(asked, steps.Attempt)
    assert asked.lease.credentials == credentials("new")
    after = turn.next(Failed(EXPIRED), NOW)
    assert isinstance(after, steps.Attempt)
    assert after.lease.key == B


@pytest.mark.parametrize(("seconds", "asked"), [(10, A), (0, B)])
def test_a_token_that_cannot_be_renewed_serves_until_it_ends(seconds: float, asked: str) -> None:
    pool = pool_of("a", "b", tokens={A: credentials("a", expires_at=NOW + seconds), B: credentials("b")})
    turn = turn_on(pool)
    assert isinstance(turn.next(Begin(), NOW), steps.Renew)
    step = turn.next(NotRenewed(Outcome(kind=Kind.REFRESH_FAILED)), NOW)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == asked


def test_a_fresh_token_is_used_as_it_is() -> None:
    turn = turn_on(pool_of("a", tokens={A: credentials(expires_at=NOW + HOUR)}))
    assert begun(turn).key == A


@pytest.mark.parametrize("left", ["b", ""])
def test_an_account_paused_during_its_refresh_makes_room_for_another(left: str) -> None:
    turn = turn_on("ab")
    begun(turn)
    turn.next(Failed(EXPIRED), NOW)
    seats = (account("a", enabled=False), account("b")) if left else (account("a", enabled=False),)
    turn.pool.load(Stored(seats))
    step = turn.next(Renewed(credentials("new")), NOW)
    assert (step.lease.account.label if isinstance(step, steps.Attempt) else "") == left


# --- a short wait ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "pause"), [(None, 1.0), (0.4, 0.4), (3, 3.0), (5, 5.0), (0, 0.1), (-9, 0.1)], ids=str
)
def test_an_account_that_is_asked_too_often_is_asked_again_after_a_moment(seconds: float | None, pause: float) -> None:
    assert USUAL_PACE == 1
    journal = ListJournal()
    turn = turn_on(pool_of("a", "b", journal=journal))
    begun(turn)
    step = turn.next(Failed(burst(seconds)), NOW)
    assert isinstance(step, steps.Pause)
    assert step.seconds == pytest.approx(pause)
    assert (turn.pool.seats[A].cooldown, journal.entries) == (None, [])
    again = turn.next(Waited(), NOW + pause)
    assert isinstance(again, steps.Attempt)
    assert again.lease.key == A


def test_a_longer_wait_means_another_account_and_a_rest() -> None:
    assert PACE_SECONDS == 5
    turn = turn_on("ab")
    assert walked(turn, burst(5.1)) == ["a other"]
    resting = turn.pool.seats[A].cooldown
    assert resting is not None
    assert resting.until == pytest.approx(NOW + 5.1)


def test_an_account_is_waited_for_once() -> None:
    assert walked(turn_on("ab"), burst(1), burst(2), OK) == ["a wait", "a other", "b served"]


@pytest.mark.parametrize(("second", "step"), [(2.0, "wait"), (2.2, "other")])
def test_all_waits_of_a_request_together_are_never_longer_than_five_seconds(second: float, step: str) -> None:
    turn = turn_on("abc")
    assert walked(turn, burst(3), FORBIDDEN, burst(second, NOW + 3)) == ["a wait", "a other", f"b {step}"]
    assert turn.tally.waited == pytest.approx(5.0 if step == "wait" else 3.0)


def test_a_wait_is_an_attempt_like_any_other() -> None:
    said = walked(turn_on("abcdef"), FORBIDDEN, burst(1), burst(2), FORBIDDEN)
    assert said == ["a other", "b wait", "b other", "c words"]


def test_the_last_attempt_is_not_followed_by_a_wait() -> None:
    assert walked(turn_on("abcdef"), *[FORBIDDEN] * 3, burst(1))[-1] == "d words"


@pytest.mark.parametrize(("late", "seconds"), [(FIRST_BYTE_SECONDS + 1, 1), (FIRST_BYTE_SECONDS - 1, 5)])
def test_a_wait_does_not_lead_beyond_the_minute(late: float, seconds: float) -> None:
    assert walked(turn_on("ab"), burst(seconds, NOW + late), seconds=late) != ["a wait"]


def test_the_account_that_was_waited_for_is_asked_again_although_others_are_less_busy() -> None:
    turn = turn_on("ab")
    begun(turn)
    turn.next(Failed(burst(1)), NOW)
    for _ in range(3):
        turn.pool.enter(lease_of(turn.pool, "a"), NOW)
    assert begun(turn_on(turn.pool)).account.label == "b"
    again = turn.next(Waited(), NOW + 1)
    assert isinstance(again, steps.Attempt)
    assert again.lease.key == A


@pytest.mark.parametrize("change", ["paused", "at its limit", "removed"])
def test_an_account_that_is_out_after_the_wait_makes_room_for_another(change: str) -> None:
    turn = turn_on("ab")
    begun(turn)
    turn.next(Failed(burst(1)), NOW)
    after = {
        "paused": Stored((account("a", enabled=False), account("b"))),
        "at its limit": Stored((account("a"), account("b")), rests={A: rest(60)}),
        "removed": Stored((account("b"),)),
    }
    turn.pool.load(after[change])
    step = turn.next(Waited(), NOW + 1)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == B
    assert isinstance(turn.left(NOW + 1), Exhausted)


# --- what an account cannot read -------------------------------------------------------------------------------------


def test_a_request_that_cannot_be_read_is_sent_once_more_to_the_same_account_and_costs_it_nothing() -> None:
    journal = ListJournal()
    turn = turn_on(pool_of("a", "b", journal=journal), thread="t")
    assert walked(turn, SEALED, OK) == ["a strip", "a served"]
    assert turn.pool.seats[A].cooldown is None
    assert not turn.pool.storm.on(NOW)
    assert [(event.kind, event.key, event.thread) for (event,) in journal.of("record")] == [(SEALED, A, "t")]


def test_what_cannot_be_read_is_outside_the_budget() -> None:
    turn = turn_on("abcdef")
    said = walked(turn, *[SEALED, FORBIDDEN] * 4)
    assert said == [f"{name} {step}" for name in "abcd" for step in ("strip", "other" if name < "d" else "words")]
    assert turn.tally.attempts == MOST_ATTEMPTS


def test_an_account_that_still_cannot_read_it_is_not_asked_a_third_time() -> None:
    """Nobody else is asked either: the client gets to see what upstream says."""
    assert walked(turn_on("ab"), SEALED, SEALED) == ["a strip", "a words"]


def test_leaving_things_out_and_waiting_are_different_second_chances() -> None:
    said = walked(turn_on("ab"), SEALED, burst(1), burst(2), SEALED, OK)
    assert said == ["a strip", "a wait", "a other", "b strip", "b served"]


# --- trouble on several accounts -------------------------------------------------------------------------------------


def later(pool: Pool, seconds: float = 0) -> Turn:
    return Turn(pool=pool, ask=Ask(), began=NOW + seconds)


@pytest.mark.parametrize("kind", UPSTREAMS)
def test_the_third_account_that_fails_by_upstreams_fault_is_the_last_that_is_asked(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of(*"abcde", journal=journal)
    assert walked(turn_on(pool), kind, kind, kind) == ["a other", "b other", "c words"]
    assert rested(pool) == ["a", "b"]
    assert [key for key, _ in journal.of("set_cooldown")] == [A, B]


def test_upstreams_troubles_count_together_whatever_they_are_and_over_all_requests() -> None:
    pool = pool_of(*"abcde")
    walked(turn_on(pool), Kind.HEAD_TIMEOUT)
    walked(later(pool, 1), Kind.RESET, now=NOW + 1)
    assert walked(later(pool, 2), OVERLOADED, now=NOW + 2) == ["c words"]


def test_an_answer_that_broke_off_counts_as_well() -> None:
    pool = pool_of(*"abcde")
    for key in "ab":
        pool.report(lease_of(pool, key), Outcome(kind=Kind.FAILED_AFTER_OUTPUT), NOW)
    assert walked(turn_on(pool), OVERLOADED) == ["c words"]


def test_each_request_in_a_storm_still_has_its_one_attempt_and_a_success_ends_it() -> None:
    pool = pool_of(*"abcde")
    walked(turn_on(pool), *[OVERLOADED] * 3)
    assert walked(later(pool, 1), OK, now=NOW + 1) == ["c served"]
    assert not pool.storm.on(NOW + 1)


@pytest.mark.parametrize(("seconds", "said"), [(9.9, ["c words"]), (10, ["a other"])])
def test_a_storm_is_over_after_ten_seconds(seconds: float, said: list[str]) -> None:
    pool = pool_of(*"abcde")
    walked(turn_on(pool), *[OVERLOADED] * 3)
    assert [each.split()[1] for each in walked(later(pool, seconds), OVERLOADED, now=NOW + seconds)] == [
        each.split()[1] for each in said
    ]


def test_trouble_that_is_spread_over_time_is_each_accounts_own() -> None:
    pool = pool_of(*"abcde")
    said = walked(turn_on(pool), *[OVERLOADED] * 4, seconds=5.0)
    assert said == ["a other", "b other", "c other", "d words"]
    assert rested(pool) == ["a", "b", "c", "d"]


def test_an_accounts_own_trouble_is_no_storm_and_in_one_still_leads_to_another() -> None:
    pool = pool_of(*"abcdef")
    walked(turn_on(pool), *[OVERLOADED] * 3)
    assert walked(later(pool), Kind.USAGE_LIMIT, FORBIDDEN, OK) == ["c other", "d other", "e served"]


def test_a_second_request_whose_account_is_signed_out_ends_at_once() -> None:
    """Two logins lost in a minute is no coincidence, whichever requests they were lost to."""
    pool = pool_of(*"abcd")
    assert walked(turn_on(pool), INVALIDATED, FORBIDDEN) == ["a other", "b other"]
    assert walked(later(pool, 30), INVALIDATED, now=NOW + 30) == ["c refuse"]
    assert pool.seats[key_of("d")].account.standing is Standing.GOOD


@pytest.mark.parametrize(("seconds", "step"), [(59.9, "refuse"), (60, "other")])
def test_the_alarm_looks_back_a_minute(seconds: float, step: str) -> None:
    pool = pool_of(*"abcd")
    walked(turn_on(pool), INVALIDATED)
    assert walked(later(pool, seconds), INVALIDATED, now=NOW + seconds) == [f"b {step}"]


def test_a_success_ends_the_alarm() -> None:
    pool = pool_of(*"abcd")
    walked(turn_on(pool), INVALIDATED, OK)
    assert walked(later(pool, 1), INVALIDATED, now=NOW + 1) == ["b other"]


def test_a_login_that_turns_out_dead_while_it_is_renewed_counts_as_well() -> None:
    pool = pool_of(*"abcd")
    pool.report(lease_of(pool, "a"), Outcome(kind=INVALIDATED), NOW)  # renewed ahead of time, by nobody's request
    turn = later(pool, 1)
    begun(turn, NOW + 1)
    assert isinstance(turn.next(Failed(EXPIRED), NOW + 1), steps.Renew)
    step = turn.next(NotRenewed(Outcome(kind=INVALIDATED)), NOW + 2)
    assert isinstance(step, steps.Refuse)
    assert step.reason is Reason.SIGNED_OUT


# --- threads ---------------------------------------------------------------------------------------------------------


def at_home(thread: str = "t") -> Pool:
    """Of two accounts, the thread lives at a."""
    pool = pool_of("a", "b")
    walked(turn_on(pool, thread=thread), OK)
    return pool


def test_a_thread_comes_home_although_another_account_is_less_busy() -> None:
    pool = at_home()
    for _ in range(3):
        pool.enter(lease_of(pool, "a"), NOW)
    assert begun(turn_on(pool, thread="t")).account.label == "a"
    assert begun(turn_on(pool, thread="u")).account.label == "b"


def test_a_steady_request_takes_the_same_account_whatever_is_in_flight() -> None:
    pool = pool_of("a", "b")
    assert {begun(turn_on(pool, steady=True)).account.label for _ in range(4)} == {"a"}


def test_a_turn_that_ends_well_elsewhere_does_not_move_the_thread() -> None:
    pool = at_home()
    walked(turn_on(pool, thread="t"), FORBIDDEN, OK)
    assert (pool.place("t", NOW).home, pool.place("t", NOW).detour) == (A, B)


# --- on a socket -----------------------------------------------------------------------------------------------------


def on_socket(pool: Pool, name: str, now: float = NOW, **ask: str) -> Turn:
    """A turn on a socket of this account."""
    turn = Turn(pool=pool, ask=Ask(**ask), began=now, bound=True)
    turn.lease = lease_of(pool_of("a", "b"), name, thread=ask.get("thread", ""))
    return turn


def stays(pool: Pool, name: str, now: float = NOW, **ask: str) -> bool:
    """Whether the next request on a socket of this account goes on there."""
    return isinstance(on_socket(pool, name, now, **ask).next(Begin(), now), steps.Attempt)


def test_a_socket_serves_on_what_its_account_is_the_best_for() -> None:
    assert stays(at_home(), "a", thread="t")
    assert stays(pool_of("a", "b"), "a")


def test_a_thread_goes_home_from_the_socket_of_its_detour() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "b", thread="t"), Outcome(kind=OK), NOW)
    assert not stays(pool, "b", thread="t")


def test_without_a_thread_any_account_that_can_serve_is_good_enough() -> None:
    assert stays(pool_of("a", "b"), "b")
    pool = pool_of("a", "b")
    pool.report(lease_of(pool, "b"), Outcome(kind=Kind.USAGE_LIMIT), NOW)
    assert not stays(pool, "b")


def test_a_short_rest_is_not_worth_a_new_connection() -> None:
    for ask in ({"thread": "t"}, {}):
        pool = at_home()
        pool.report(lease_of(pool, "a"), Outcome(kind=Kind.SERVER_ERROR), NOW)
        assert stays(pool, "a", **ask)


def test_an_account_that_cannot_serve_any_more_gets_no_further_request() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a"), Outcome(kind=Kind.USAGE_LIMIT, until=NOW + 60), NOW)
    assert (stays(pool, "a", thread="t"), stays(pool, "a", thread="u"), stays(pool, "a")) == (False, False, False)
    assert stays(pool, "a", NOW + 60, thread="t")


def test_a_request_for_a_model_that_the_socket_s_account_lacks_goes_elsewhere() -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a", model="m"), Outcome(kind=Kind.UNSUPPORTED_MODEL), NOW)
    assert (stays(pool, "a", thread="t", model="m"), stays(pool, "a", thread="t", model="n")) == (False, True)


@pytest.mark.parametrize("ask", [{"thread": "t"}, {}])
def test_nobody_is_sent_away_when_nobody_else_could_serve(ask: dict[str, str]) -> None:
    """What upstream says is then the best there is to tell."""
    assert stays(pool_of("a", "b", rests={key_of(name): rest(60) for name in "ab"}), "a", **ask)


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


def test_another_account_means_another_socket() -> None:
    pool = at_home()
    turn = on_socket(pool, "a", thread="t")
    turn.next(Begin(), NOW)
    assert (turn.tally.attempts, pool.in_flight(A)) == (1, 1)
    assert isinstance(turn.next(Failed(Outcome(kind=FORBIDDEN), words=True), NOW), steps.HandOver)
    assert (pool.in_flight(A), pool.in_flight(B)) == (0, 0)


def test_a_thread_does_not_wait_at_each_of_its_turns() -> None:
    """On a socket each try of the client is a request of its own."""
    pool = pool_of("a", "b")
    said = []
    for seconds in (0, 1, 2):
        turn = on_socket(pool, "a", NOW + seconds, thread="t")
        turn.next(Begin(), NOW + seconds)
        said.append(type(turn.next(Failed(burst(1, NOW + seconds), words=True), NOW + seconds)))
    assert said == [steps.Pause, steps.HandOver, steps.HandOver]


@pytest.mark.parametrize(("refreshed", "rests"), [(0.0, []), (NOW - 10, ["a"])], ids=["aged", "new"])
def test_a_refused_token_is_renewed_on_the_way_to_the_next_socket(refreshed: float, rests: list[str]) -> None:
    """One that is quite new was not refused for its age: its account rests as well."""
    tokens = {A: credentials("a", expires_at=NOW + HOUR, refreshed_at=refreshed), B: credentials("b")}
    pool = pool_of("a", "b", tokens=tokens)
    turn = Turn(pool=pool, ask=Ask(), began=NOW, bound=True)
    turn.next(Begin(lease_of(pool, "a")), NOW)
    assert isinstance(turn.next(Failed(EXPIRED, words=True), NOW), steps.HandOver)
    assert rested(pool) == rests
    assert lease_of(pool, "a").wants_refresh(NOW) == (not rests)


@pytest.mark.parametrize(("names", "step"), [("ab", steps.HandOver), ("a", steps.Wait)])
def test_silence_moves_a_turn_only_where_somebody_else_could_serve_it(names: str, step: type[steps.Step]) -> None:
    """Slow is not dead."""
    pool = pool_of(*names)
    turn = Turn(pool=pool, ask=Ask(), began=NOW, bound=True)
    turn.next(Begin(lease_of(pool, "a")), NOW)
    assert isinstance(turn.next(Silent(Outcome(kind=Kind.HEAD_TIMEOUT)), NOW + 45), step)
    assert (rested(pool) == ["a"]) == (step is steps.HandOver)


# --- consequences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_nobody_who_is_out_of_service_is_taken(kind: Kind) -> None:
    pool = pool_of(*"ab")
    turn = turn_on(pool)
    lease = begun(turn)
    assert pool.can_serve(lease.key, Ask(), NOW)
    turn.next(Ended(Outcome(kind=kind)), NOW)
    assert pool.can_serve(lease.key, Ask(), NOW) == (not RULES[kind].bars)
