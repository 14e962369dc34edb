"""One request, from account to account: how often, whom next, when to stop. The table itself: test_machine.py."""

import pytest

from accounts.choice.outcomes import RULES, Action, Blame, Kind, Outcome
from accounts.choice.pool import Pool
from accounts.choice.selection import Ask, Exhausted
from accounts.model import Standing
from accounts.turn import steps
from accounts.turn.events import Begin, Ended, Failed, NotRenewed, Renewed, Waited
from accounts.turn.machine import Turn
from accounts.turn.state import FIRST_BYTE_SECONDS, MOST_ATTEMPTS, MOST_INVALIDATED
from accounts.turn.steps import Reason
from accounts.turn.waiting import CALM_SECONDS, PACE_SECONDS, USUAL_PACE
from tests.builders import (
    HOUR,
    NOW,
    Clock,
    ListJournal,
    Stored,
    account,
    begun,
    credentials,
    key_of,
    lease_of,
    model_refused,
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


# --- the budget ------------------------------------------------------------------------------------------------------


def test_no_account_is_tried_twice_and_the_pool_may_end_before_the_budget() -> None:
    assert walked(turn_on("abc"), FORBIDDEN, FORBIDDEN, FORBIDDEN) == ["a other", "b other", "c words"]


def test_a_request_gets_four_attempts() -> None:
    assert MOST_ATTEMPTS == 4
    assert walked(turn_on("abcdef"), *[FORBIDDEN] * 4) == ["a other", "b other", "c other", "d words"]


@all_rows(("waited", "step"), [(0.0, "other"), (329.9, "other"), (330.0, "other"), (330.1, "words")])
def test_no_further_attempt_begins_after_the_clients_patience(waited: float, step: str) -> None:
    assert FIRST_BYTE_SECONDS == 330
    assert walked(turn_on("abc"), FORBIDDEN, seconds=waited) == [f"a {step}"]


def test_the_client_s_patience_is_measured_by_a_clock_that_nobody_sets() -> None:
    """Whatever becomes of the other one meanwhile."""
    for jump in (-3600, 3600):
        wall, steady = Clock(), Clock(0.0)
        turn = Turn(pool=pool_of("a", "b", "c"), ask=Ask(), began=wall(), steady=steady)
        begun(turn)
        assert isinstance(turn.next(Failed(Outcome(kind=FORBIDDEN), words=True), wall.advance(jump)), steps.Attempt)
        steady.advance(FIRST_BYTE_SECONDS + 1)
        last = turn.next(Failed(Outcome(kind=Kind.UNEXPLAINED), words=True), wall())
        assert isinstance(last, steps.Deliver)


@all_rows(
    ("body", "model"),
    [
        (b'{"model": "gpt-5", "input": []}', "gpt-5"),
        (b'{"type":"response.create","model":"gpt-5"}', "gpt-5"),
        (b'{"input": [], "model": "gpt-5"}', ""),
        (b'{"input": [{"model": "no"}]}', ""),
        (b"", ""),
    ],
)
def test_a_request_without_a_hint_asks_for_the_model_that_its_body_names_first(body: bytes, model: str) -> None:
    turn = turn_on("ab")
    turn.named(lambda: body)
    assert turn.ask.model == model
    hinted = turn_on("ab", model="hint")
    hinted.named(lambda: body)
    assert hinted.ask.model == "hint"


def test_the_rest_of_a_body_is_read_where_its_beginning_does_not_say() -> None:
    said, asked = turn_on("ab"), turn_on("ab")
    said.named(lambda: b"nobody reads this", lambda: b'{"model":"m","inp')
    asked.named(lambda: b'{"model":"m"}', lambda: b"")
    assert (said.ask.model, asked.ask.model) == ("m", "m")


def test_wherever_it_is_named_once_a_model_was_refused() -> None:
    body = b'{"input": [], "model": "m"}'
    turn = turn_on("ab")
    turn.named(lambda: body)
    assert begun(turn).account.label == "a"
    refused = model_refused("404")
    turn.refused(refused.outcome, lambda: body)
    step = turn.next(refused, NOW)
    assert isinstance(step, steps.Attempt)
    assert step.lease.account.label == "b"
    again = turn_on(turn.pool)
    again.named(lambda: body)
    assert begun(again).account.label == "b"


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
        if isinstance(step, steps.Pause):
            step = turn.next(Waited(), NOW + step.seconds)
    if isinstance(step, steps.Deliver):
        return None
    assert isinstance(step, steps.Refuse)
    return step.reason, step.nobody is not None


@all_rows(
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
        ("abcd", (INVALIDATED,) * 3, True, (Reason.SIGNED_OUT, False)),
        ("abcde", (Kind.USAGE_LIMIT,) * 4, True, (Reason.OTHERS_LEFT, False)),
    ],
)
def test_what_is_told_when_no_account_has_answered(
    names: str, kinds: tuple[Kind, ...], words: bool, reason: tuple[Reason, bool] | None
) -> None:
    assert refusal(turn_on(names), *kinds, words=words) == reason


@all_rows("kind", [kind for kind in Kind if RULES[kind].private])
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
    assert turn.pool.candidates[A].cooldown is None


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


def test_a_refused_token_after_the_clients_patience_ends_the_walk() -> None:
    assert walked(turn_on("ab"), EXPIRED, seconds=FIRST_BYTE_SECONDS + 1) == ["a refuse"]


def test_two_accounts_signed_out_slow_the_walk_and_a_third_one_stops_it() -> None:
    assert MOST_INVALIDATED == 2
    turn = turn_on("abcde")
    assert walked(turn, *[INVALIDATED] * 3) == ["a other", "b wait", "c refuse"]
    assert [candidate.account.standing for candidate in turn.pool.candidates.values()] == [Standing.NEEDS_LOGIN] * 3 + [
        Standing.GOOD
    ] * 2


def test_an_account_that_is_well_serves_after_two_that_were_signed_out() -> None:
    turn = turn_on("abc")
    assert walked(turn, INVALIDATED, INVALIDATED, OK) == ["a other", "b wait", "c served"]
    assert not turn.pool.alarm.on(NOW + CALM_SECONDS)


def test_nobody_waits_for_calm_where_nobody_is_left() -> None:
    assert walked(turn_on("ab"), INVALIDATED, INVALIDATED) == ["a other", "b refuse"]


def test_signed_out_accounts_are_counted_over_the_whole_request() -> None:
    assert walked(turn_on("abcd"), INVALIDATED, FORBIDDEN, INVALIDATED) == ["a other", "b other", "c wait"]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [(Kind.REFRESH_FAILED, [steps.Attempt, steps.Attempt]), (INVALIDATED, [steps.Attempt, steps.Pause])],
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


def test_what_a_renewed_token_is_tried_for_is_outside_the_budget() -> None:
    said = walked(turn_on("abcdef"), *[EXPIRED] * 7)
    assert said == [*(f"{name} {step}" for name in "abc" for step in ("renew", "other")), "d refuse"]


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
    candidates = (account("a", enabled=False), account("b")) if left else (account("a", enabled=False),)
    turn.pool.load(Stored(candidates))
    step = turn.next(Renewed(credentials("new")), NOW)
    assert (step.lease.account.label if isinstance(step, steps.Attempt) else "") == left


# --- a short wait ----------------------------------------------------------------------------------------------------


@all_rows(("seconds", "pause"), [(None, 1.0), (0.4, 0.4), (3, 3.0), (5, 5.0), (0, 0.1), (-9, 0.1)], ids=str)
def test_an_account_that_is_asked_too_often_is_asked_again_after_a_moment(seconds: float | None, pause: float) -> None:
    assert USUAL_PACE == 1
    journal = ListJournal()
    turn = turn_on(pool_of("a", "b", journal=journal))
    begun(turn)
    step = turn.next(Failed(burst(seconds)), NOW)
    assert isinstance(step, steps.Pause)
    assert step.seconds == pytest.approx(pause)
    assert (turn.pool.candidates[A].cooldown, journal.entries) == (None, [])
    again = turn.next(Waited(), NOW + pause)
    assert isinstance(again, steps.Attempt)
    assert again.lease.key == A


def test_a_longer_wait_means_another_account_and_a_rest() -> None:
    assert PACE_SECONDS == 5
    turn = turn_on("ab")
    assert walked(turn, burst(5.1)) == ["a other"]
    resting = turn.pool.candidates[A].cooldown
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
def test_a_wait_does_not_lead_beyond_the_clients_patience(late: float, seconds: float) -> None:
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
    assert turn.pool.candidates[A].cooldown is None
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


# --- consequences ----------------------------------------------------------------------------------------------------


@all_rows("kind", Kind)
def test_nobody_who_is_out_of_service_is_taken(kind: Kind) -> None:
    pool = pool_of(*"ab")
    turn = turn_on(pool)
    lease = begun(turn)
    assert pool.can_serve(lease.key, Ask(), NOW)
    turn.next(Ended(Outcome(kind=kind)), NOW)
    assert pool.can_serve(lease.key, Ask(), NOW) == (not RULES[kind].bars)


# --- a renewal that takes long ---------------------------------------------------------------------------------------


def slow_renewal(first: float, second: float, seconds: float) -> Turn:
    """A request on two accounts whose tokens end in so many seconds, when a renewal takes `seconds`."""
    tokens = {
        A: credentials("a", expires_at=NOW + first, refreshed_at=NOW - HOUR),
        B: credentials("b", expires_at=NOW + second, refreshed_at=NOW - HOUR),
    }
    turn = turn_on(pool_of("a", "b", tokens=tokens))
    turn.renewal_wait = lambda _: seconds
    return turn


@all_rows(
    ("first", "second", "seconds", "step", "label"),
    [
        (10, HOUR, 2, steps.Renew, "a"),
        (10, HOUR, 4, steps.Attempt, "a"),
        (0, HOUR, 2, steps.Renew, "a"),
        (0, HOUR, 4, steps.Attempt, "b"),
        (0, 0, 4, steps.Renew, "a"),
    ],
    ids=["soon done", "still good", "over but soon done", "another one is ready", "nobody is ready"],
)
def test_a_request_waits_for_a_slow_renewal_only_where_it_must(
    first: float, second: float, seconds: float, step: type[steps.Step], label: str
) -> None:
    turn = slow_renewal(first, second, seconds)
    taken = turn.next(Begin(), NOW)
    assert isinstance(taken, step)
    assert isinstance(taken, steps.Renew | steps.Attempt)
    assert (taken.lease.account.label, turn.tally.attempts) == (label, 1)
    assert sum(turn.pool.in_flight(key) for key in (A, B)) == 1
