"""Trouble on several accounts, threads that live somewhere, and turns that belong to a socket."""

import pytest

from accounts.choice.outcomes import RULES, Action, Blame, Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Ask, Exhausted, Policy
from accounts.model import Standing
from accounts.turn import steps
from accounts.turn.events import Begin, Failed, NothingStripped, NotRenewed, Renewed, Silent, Stripped, Waited
from accounts.turn.machine import Turn
from accounts.turn.steps import Reason
from accounts.turn.waiting import CALM_SECONDS
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
from tests.rows import all_rows

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


@all_rows("kind", UPSTREAMS)
def test_the_third_account_that_fails_by_upstreams_fault_is_the_last_that_others_than_its_turn_ask(kind: Kind) -> None:
    journal = ListJournal()
    pool = pool_of(*"abcdef", journal=journal)
    assert walked(turn_on(pool), kind, kind, kind, kind) == ["a other", "b other", "c other", "d words"]
    assert rested(pool) == ["a", "b"]
    assert [key for key, _ in journal.of("set_cooldown")] == [A, B]
    assert walked(later(pool, 1), kind, now=NOW + 1) == ["c words"]


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


def test_a_second_request_whose_account_is_signed_out_waits_a_while_and_ends_with_one_account_more() -> None:
    """Two logins lost in a minute is no coincidence, whichever requests they were lost to."""
    pool = pool_of(*"abcde")
    assert walked(turn_on(pool), INVALIDATED, FORBIDDEN) == ["a other", "b other"]
    assert walked(later(pool, 30), INVALIDATED, INVALIDATED, now=NOW + 30) == ["c wait", "d refuse"]
    assert pool.candidates[key_of("e")].account.standing is Standing.GOOD


@pytest.mark.parametrize(("seconds", "step"), [(59.9, "wait"), (60, "other")])
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
    assert step == steps.Pause(turn.asked, CALM_SECONDS)


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

WHOLE = pytest.mark.parametrize("whole", [True, False], ids=["whole", "continues what only this socket knows"])


def on_socket(pool: Pool, name: str, now: float = NOW, *, whole: bool = True, **ask: str) -> Turn:
    """A turn on a socket of this account."""
    turn = Turn(pool=pool, ask=Ask(**ask), began=now, bound=True, whole=whole)
    turn.lease = lease_of(pool_of("a", "b"), name, thread=ask.get("thread", ""))
    return turn


def goes_to(pool: Pool, name: str, now: float = NOW, *, whole: bool = True, **ask: str) -> str:
    """Whom the next request on a socket of this account is for; "reconnects" if the client is told to do that, else
    "nobody"."""
    step = on_socket(pool, name, now, whole=whole, **ask).next(Begin(), now)
    if isinstance(step, steps.Attempt):
        return step.lease.account.label
    return "reconnects" if isinstance(step, steps.HandOver) else "nobody"


@WHOLE
def test_a_socket_serves_on_what_its_account_is_the_best_for(whole: bool) -> None:
    assert goes_to(at_home(), "a", whole=whole, thread="t") == "a"
    assert goes_to(pool_of("a", "b"), "a", whole=whole) == "a"


ELSEWHERE = pytest.mark.parametrize(("whole", "elsewhere"), [(True, ""), (False, "reconnects")])
"""A whole request goes to the other account beneath the client's socket; else the client has to send all of it."""


@ELSEWHERE
def test_a_thread_goes_home_from_the_socket_of_its_detour(whole: bool, elsewhere: str) -> None:
    pool = at_home()
    pool.report(lease_of(pool, "b", thread="t"), Outcome(kind=OK), NOW)
    assert goes_to(pool, "b", whole=whole, thread="t") == (elsewhere or "a")


@ELSEWHERE
def test_without_a_thread_any_account_that_can_serve_is_good_enough(whole: bool, elsewhere: str) -> None:
    assert goes_to(pool_of("a", "b"), "b", whole=whole) == "b"
    pool = pool_of("a", "b")
    pool.report(lease_of(pool, "b"), Outcome(kind=Kind.USAGE_LIMIT), NOW)
    assert goes_to(pool, "b", whole=whole) == (elsewhere or "a")


@WHOLE
def test_a_short_rest_is_not_worth_a_new_connection(whole: bool) -> None:
    for ask in ({"thread": "t"}, {}):
        pool = at_home()
        pool.report(lease_of(pool, "a"), Outcome(kind=Kind.SERVER_ERROR), NOW)
        assert goes_to(pool, "a", whole=whole, **ask) == "a"


@ELSEWHERE
def test_an_account_that_cannot_serve_any_more_gets_no_further_request(whole: bool, elsewhere: str) -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a"), Outcome(kind=Kind.USAGE_LIMIT, until=NOW + 60), NOW)
    for ask in ({"thread": "t"}, {"thread": "u"}, {}):
        assert goes_to(pool, "a", whole=whole, **ask) == (elsewhere or "b")
        assert pool.in_flight(A) == 0
    assert goes_to(pool, "a", NOW + 60, whole=whole, thread="t") == "a"


@ELSEWHERE
def test_a_request_for_a_model_that_the_socket_s_account_lacks_goes_elsewhere(whole: bool, elsewhere: str) -> None:
    pool = at_home()
    pool.report(lease_of(pool, "a", model="m"), Outcome(kind=Kind.UNSUPPORTED_MODEL), NOW)
    assert goes_to(pool, "a", whole=whole, thread="t", model="m") == (elsewhere or "b")
    assert goes_to(pool, "a", whole=whole, thread="t", model="n") == "a"


@WHOLE
@pytest.mark.parametrize("ask", [{"thread": "t"}, {}])
def test_nobody_is_sent_away_when_nobody_else_could_serve(ask: dict[str, str], whole: bool) -> None:
    """What upstream says is then the best there is to tell."""
    assert goes_to(pool_of("a", "b", rests={key_of(name): rest(60) for name in "ab"}), "a", whole=whole, **ask) == "a"


@all_rows(("policy", "reserve"), [(Policy(pin=key_of("b")), 0), (Policy(), 20)], ids=["pinned", "reserved"])
@all_rows(("whole", "told"), [(True, "nobody"), (False, "reconnects")])
def test_a_socket_does_not_get_round_what_the_owner_has_ruled(
    policy: Policy, reserve: int, whole: bool, told: str
) -> None:
    """A pin fails hard, and a reserve is the owner's: the client hears it here, or on its next connection."""
    pool = Pool(ListJournal(), policy)
    candidates = (account("a", reserve_percent=reserve), account("b"))
    pool.load(Stored(candidates, rests={key_of("b"): rest(60)}, seen={A: (window(90),)}))
    assert isinstance(pool.select(Ask(), NOW), Exhausted)
    assert goes_to(pool, "a", whole=whole) == told


def test_another_account_takes_a_whole_request_over_beneath_the_clients_socket() -> None:
    pool = at_home()
    turn = on_socket(pool, "a", thread="t")
    turn.next(Begin(), NOW)
    assert (turn.tally.attempts, pool.in_flight(A)) == (1, 1)
    step = turn.next(Failed(Outcome(kind=FORBIDDEN), words=True), NOW)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == B
    assert (turn.tally.attempts, pool.in_flight(A), pool.in_flight(B)) == (2, 0, 1)


def test_for_a_request_that_continues_what_only_its_socket_knows_another_account_means_another_socket() -> None:
    pool = at_home()
    turn = on_socket(pool, "a", whole=False, thread="t")
    turn.next(Begin(), NOW)
    assert isinstance(turn.next(Failed(Outcome(kind=FORBIDDEN), words=True), NOW), steps.HandOver)
    assert (pool.in_flight(A), pool.in_flight(B)) == (0, 0)


def on_its_own(pool: Pool, **changes: bool) -> Turn:
    """A turn on a socket of account a, by its lease as the pool gives it."""
    turn = Turn(pool=pool, ask=Ask(thread="t"), began=NOW, bound=True, **changes)
    assert isinstance(turn.next(Begin(lease_of(pool, "a", thread="t")), NOW), steps.Attempt)
    return turn


def test_a_turn_on_a_socket_walks_the_pool_within_the_budget_of_any_request_and_then_the_client_asks_anew() -> None:
    """Others are left: it goes on by itself, in silence."""
    pool = pool_of(*"abcdef")
    turn = on_its_own(pool)
    asked = ["a"]
    step = turn.next(Failed(Outcome(kind=Kind.USAGE_LIMIT), words=True), NOW)
    while isinstance(step, steps.Attempt):
        asked.append(step.lease.account.label)
        step = turn.next(Failed(Outcome(kind=Kind.USAGE_LIMIT), words=True), NOW)
    assert asked == list("abcd")
    assert isinstance(step, steps.HandOver)


@pytest.mark.parametrize(
    ("kind", "step"),
    [(Kind.USAGE_LIMIT, steps.Refuse), (Kind.SERVER_ERROR, steps.Deliver), (INVALIDATED, steps.Refuse)],
)
def test_when_nobody_is_left_a_turn_on_a_socket_ends_as_any_other(kind: Kind, step: type[steps.Step]) -> None:
    turn = on_its_own(pool_of("a"))
    assert isinstance(turn.next(Failed(Outcome(kind=kind), words=True), NOW), step)


def test_a_request_that_cannot_move_does_not_wait_at_each_try_of_the_client() -> None:
    """On a socket each try of the client is a request of its own; on that of an account that has just failed the thread
    none begins."""
    pool = pool_of("a", "b")
    said = []
    for seconds in (0, 1):
        turn = on_socket(pool, "a", NOW + seconds, whole=False, thread="t")
        turn.next(Begin(), NOW + seconds)
        said.append(type(turn.next(Failed(burst(1, NOW + seconds), words=True), NOW + seconds)))
    assert said == [steps.Pause, steps.HandOver]


def test_after_its_pause_a_whole_request_goes_to_whoever_can_serve_then() -> None:
    """The same account, or another one if it was paused meanwhile."""
    for seats, after in (("ab", "a"), ("b", "b")):
        pool = pool_of("a", "b")
        turn = on_its_own(pool)
        assert isinstance(turn.next(Failed(burst(1), words=True), NOW), steps.Pause)
        pool.load(Stored(tuple(account(name, enabled=name in seats) for name in "ab")))
        step = turn.next(Waited(), NOW + 1)
        assert isinstance(step, steps.Attempt)
        assert step.lease.account.label == after


def test_after_its_pause_a_request_that_cannot_move_stays_whatever_became_of_its_account() -> None:
    pool = pool_of("a", "b")
    turn = on_its_own(pool, whole=False)
    turn.next(Failed(burst(1), words=True), NOW)
    pool.load(Stored((account("a", enabled=False), account("b"))))
    step = turn.next(Waited(), NOW + 1)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == A


def refusing(refreshed: float = 0.0) -> Pool:
    """Of two accounts; the token of the first was got then."""
    tokens = {A: credentials("a", expires_at=NOW + HOUR, refreshed_at=refreshed), B: credentials("b")}
    return pool_of("a", "b", tokens=tokens)


@pytest.mark.parametrize(("refreshed", "rests"), [(0.0, []), (NOW - 10, ["a"])], ids=["aged", "new"])
def test_a_token_that_is_refused_to_what_cannot_move_is_renewed_on_the_way_to_the_next_socket(
    refreshed: float, rests: list[str]
) -> None:
    """One that is quite new was not refused for its age: its account rests as well."""
    pool = refusing(refreshed)
    turn = on_its_own(pool, whole=False)
    assert isinstance(turn.next(Failed(EXPIRED, words=True), NOW), steps.HandOver)
    assert rested(pool) == rests
    assert lease_of(pool, "a").wants_refresh(NOW) == (not rests)


def test_a_token_that_is_refused_to_a_whole_request_is_renewed_and_the_same_account_asked_again() -> None:
    pool = refusing()
    turn = on_its_own(pool)
    step = turn.next(Failed(EXPIRED, words=True), NOW)
    assert isinstance(step, steps.Renew)
    assert (step.ahead, step.lease.key, rested(pool)) == (False, A, [])
    pool.renewed(A, credentials("new"))
    again = turn.next(Renewed(credentials("new")), NOW)
    assert isinstance(again, steps.Attempt)
    assert (again.lease.key, again.lease.credentials, turn.tally.attempts) == (A, credentials("new"), 1)


def test_a_token_that_is_refused_again_or_not_renewed_leads_a_whole_request_to_another_account() -> None:
    for then in (Renewed(credentials("new")), NotRenewed(Outcome(kind=Kind.REFRESH_FAILED))):
        pool = refusing()
        turn = on_its_own(pool)
        turn.next(Failed(EXPIRED, words=True), NOW)
        step = turn.next(then, NOW)
        if isinstance(then, Renewed):
            step = turn.next(Failed(EXPIRED, words=True), NOW)
        assert isinstance(step, steps.Attempt)
        assert step.lease.key == B
        assert rested(pool) == ["a"]


@WHOLE
def test_what_the_account_could_not_read_is_left_out_and_the_same_account_asked_once_more(whole: bool) -> None:
    pool = pool_of("a", "b")
    turn = on_its_own(pool, whole=whole)
    assert isinstance(turn.next(Failed(Outcome(kind=SEALED), words=True), NOW), steps.StripAndRetry)
    pause = turn.next(Stripped(), NOW)
    assert isinstance(pause, steps.Pause)
    assert pause.seconds == 0
    again = turn.next(Waited(), NOW)
    assert isinstance(again, steps.Attempt)
    assert (again.lease.key, turn.tally.attempts, pool.in_flight(A), rested(pool)) == (A, 1, 1, [])


@WHOLE
def test_where_nothing_could_be_left_out_the_client_gets_upstreams_words(whole: bool) -> None:
    turn = on_its_own(pool_of("a", "b"), whole=whole)
    turn.next(Failed(Outcome(kind=SEALED), words=True), NOW)
    assert isinstance(turn.next(NothingStripped(), NOW), steps.Deliver)


@WHOLE
def test_after_an_upgrade_that_was_refused_for_http_the_client_is_to_reconnect(whole: bool) -> None:
    """And is sent to HTTP then. Nobody else is asked, and no account is to blame."""
    pool = pool_of("a", "b")
    turn = on_its_own(pool, whole=whole)
    assert isinstance(turn.next(Failed(Outcome(kind=Kind.UPGRADE_REFUSED), words=True), NOW), steps.HandOver)
    assert rested(pool) == []


def test_after_two_accounts_sockets_were_closed_at_once_the_client_is_to_reconnect() -> None:
    """The third one would fare no better: the next upgrade is sent to HTTP."""
    pool = pool_of("a", "b", "c")
    turn = on_its_own(pool)
    closed = Failed(Outcome(kind=Kind.SOCKET_CLOSED))
    step = turn.next(closed, NOW)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == B
    assert isinstance(turn.next(closed, NOW), steps.HandOver)
    upgrade = Turn(pool=pool, ask=Ask(thread="t"), began=NOW, upgrade=True).next(Begin(), NOW)
    assert isinstance(upgrade, steps.Refuse)
    assert upgrade.reason is Reason.USE_HTTP


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


@all_rows(
    ("names", "whole", "step"),
    [
        ("ab", True, steps.Attempt),
        ("ab", False, steps.HandOver),
        ("a", True, steps.Wait),
        ("a", False, steps.Wait),
    ],
)
def test_silence_moves_a_turn_only_where_somebody_else_could_serve_it(
    names: str, whole: bool, step: type[steps.Step]
) -> None:
    """Slow is not dead."""
    pool = pool_of(*names)
    turn = Turn(pool=pool, ask=Ask(), began=NOW, bound=True, whole=whole)
    turn.next(Begin(lease_of(pool, "a")), NOW)
    assert isinstance(turn.next(Silent(Outcome(kind=Kind.HEAD_TIMEOUT)), NOW + 45), step)
    assert rested(pool) == []
