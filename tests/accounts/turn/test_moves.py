"""Trouble on several accounts, threads that live somewhere, and turns that belong to a socket."""

import pytest

from accounts.choice.outcomes import RULES, Action, Blame, Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Ask, Exhausted, Policy
from accounts.model import Standing
from accounts.turn import steps
from accounts.turn.events import Begin, Failed, NotRenewed, Silent
from accounts.turn.machine import Turn
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
    Kind.PAYMENT_REQUIRED,
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
    return [candidate.account.label for candidate in pool.candidates.values() if candidate.cooldown is not None]


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
    walked(turn_on(pool), Kind.NO_ANSWER)
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
    assert pool.candidates[key_of("d")].account.standing is Standing.GOOD


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
    candidates = (account("a", reserve_percent=reserve), account("b"))
    pool.load(Stored(candidates, rests={key_of("b"): rest(60)}, seen={A: (window(90),)}))
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
    """On a socket each try of the client is a request of its own; on that of an account that has just failed the thread
    none begins."""
    pool = pool_of("a", "b")
    said = []
    for seconds in (0, 1):
        turn = on_socket(pool, "a", NOW + seconds, thread="t")
        turn.next(Begin(), NOW + seconds)
        said.append(type(turn.next(Failed(burst(1, NOW + seconds), words=True), NOW + seconds)))
    assert said == [steps.Pause, steps.HandOver]


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


@pytest.mark.parametrize("names", ["ab", "a"])
def test_when_nobody_accepts_an_upgrade_the_thread_goes_on_over_http(names: str) -> None:
    """The client gives up on a socket soon, and says so; for the head of an answer it waits."""
    pool = pool_of(*names)
    said = []
    for place, _ in enumerate(names):
        began = NOW + 14 * place
        turn = Turn(pool=pool, ask=Ask(thread="t"), began=began, upgrade=True)
        turn.next(Begin(), began)
        said.append(turn.next(Silent(Outcome(kind=Kind.HEAD_TIMEOUT)), began + 14))
    assert [type(step) for step in said[:-1]] == [steps.HandOver] * (len(names) - 1)
    assert isinstance(said[-1], steps.Refuse)
    assert said[-1].reason is Reason.USE_HTTP
    assert rested(pool) == []


@pytest.mark.parametrize(("names", "step"), [("ab", steps.HandOver), ("a", steps.Wait)])
def test_silence_moves_a_turn_only_where_somebody_else_could_serve_it(names: str, step: type[steps.Step]) -> None:
    """Slow is not dead."""
    pool = pool_of(*names)
    turn = Turn(pool=pool, ask=Ask(), began=NOW, bound=True)
    turn.next(Begin(lease_of(pool, "a")), NOW)
    assert isinstance(turn.next(Silent(Outcome(kind=Kind.HEAD_TIMEOUT)), NOW + 45), step)
    assert rested(pool) == []
