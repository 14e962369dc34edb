"""Asking the same account once more: after a short wait, or without what it cannot read."""

import pytest

from accounts.choice.outcomes import Action, Kind, Outcome
from accounts.choice.selection import Exhausted
from accounts.choice.turn import FIRST_BYTE_SECONDS, MOST_ATTEMPTS, PACE_SECONDS, USUAL_PACE, Turn
from tests.builders import NOW, ListJournal, Stored, account, key_of, lease_of, pool_of, rest, taken, turn_on

A, B = key_of("a"), key_of("b")
OTHER, SAME, UNSEAL, DELIVER = Action.RETRY_OTHER, Action.RETRY_SAME, Action.UNSEAL, Action.DELIVER
FORBIDDEN = Outcome(kind=Kind.FORBIDDEN)
SEALED = Outcome(kind=Kind.INVALID_SEALED)
OK = Outcome(kind=Kind.OK)


def burst(seconds: float | None = None, now: float = NOW) -> Outcome:
    """Asked too often, and when upstream says to try again."""
    return Outcome(kind=Kind.BURST_LIMIT, until=None if seconds is None else now + seconds)


def attempts(turn: Turn, *outcomes: Outcome, now: float = NOW) -> list[tuple[str, Action]]:
    """What each of these answers leads to, from account to account as the verdicts say."""
    again, found = None, []
    for outcome in outcomes:
        lease = taken(turn, now, again)
        action = turn.report(lease, outcome, now)
        again = lease if action in {SAME, UNSEAL} else None
        found.append((lease.account.label, action))
    return found


# --- a short wait ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "pause"), [(None, 1.0), (0.4, 0.4), (3, 3.0), (5, 5.0), (0, 0.1), (-9, 0.1)], ids=str
)
def test_an_account_that_is_asked_too_often_is_asked_again_after_a_moment(seconds: float | None, pause: float) -> None:
    assert USUAL_PACE == 1
    turn = turn_on("ab")
    lease = taken(turn)
    assert turn.report(lease, burst(seconds), NOW) is SAME
    assert turn.pause == pytest.approx(pause)
    assert taken(turn, NOW + pause, again=lease).account.label == "a"


def test_a_short_wait_costs_the_account_nothing() -> None:
    journal = ListJournal()
    turn = turn_on(pool_of("a", "b", journal=journal))
    turn.report(taken(turn), burst(3), NOW)
    assert (turn.pool.seats[A].cooldown, journal.entries) == (None, [])


def test_a_longer_wait_means_another_account_and_a_rest() -> None:
    assert PACE_SECONDS == 5
    turn = turn_on("ab")
    assert turn.report(taken(turn), burst(5.1), NOW) is OTHER
    resting = turn.pool.seats[A].cooldown
    assert resting is not None
    assert resting.until == pytest.approx(NOW + 5.1)
    assert taken(turn).account.label == "b"


def test_an_account_is_waited_for_once() -> None:
    assert attempts(turn_on("ab"), burst(1), burst(1), OK) == [("a", SAME), ("a", OTHER), ("b", DELIVER)]


@pytest.mark.parametrize(("second", "action"), [(2.0, SAME), (2.1, OTHER)])
def test_all_waits_of_a_request_together_are_never_longer_than_five_seconds(second: float, action: Action) -> None:
    turn = turn_on("abc")
    assert attempts(turn, burst(3), FORBIDDEN, burst(second)) == [("a", SAME), ("a", OTHER), ("b", action)]
    assert turn.waited == pytest.approx(5.0 if action is SAME else 3.0)


def test_a_wait_is_an_attempt_like_any_other() -> None:
    walked = attempts(turn_on("abcdef"), FORBIDDEN, burst(1), burst(1), FORBIDDEN)
    assert walked == [("a", OTHER), ("b", SAME), ("b", OTHER), ("c", DELIVER)]


def test_the_last_attempt_is_not_followed_by_a_wait() -> None:
    walked = attempts(turn_on("abcdef"), FORBIDDEN, FORBIDDEN, FORBIDDEN, burst(1))
    assert walked[MOST_ATTEMPTS - 1] == ("d", DELIVER)


def test_after_a_minute_nobody_waits() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    late = NOW + FIRST_BYTE_SECONDS + 1
    assert turn.report(lease, burst(1, late), late) is DELIVER


def test_a_wait_does_not_lead_beyond_the_minute() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    late = NOW + FIRST_BYTE_SECONDS - 1
    assert turn.report(lease, burst(5, late), late) is not SAME


def test_a_thread_does_not_wait_at_each_of_its_turns() -> None:
    """On a socket each try of the client is a request of its own."""
    pool = pool_of("a", "b")
    verdicts = []
    for seconds in (0, 1, 2):
        turn, lease = turn_on(pool, thread="t"), lease_of(pool, "a", NOW + seconds, "t")
        turn.go_on(lease, NOW + seconds)
        verdicts.append(turn.report(lease, burst(1, NOW + seconds), NOW + seconds))
    assert verdicts == [SAME, OTHER, OTHER]


def test_the_account_that_was_waited_for_is_asked_again_although_others_are_less_busy() -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    assert turn.report(lease, burst(1), NOW) is SAME
    for _ in range(3):
        turn.pool.enter(lease_of(turn.pool, "a"), NOW)
    assert taken(turn_on(turn.pool)).account.label == "b"
    assert taken(turn, NOW + 1, again=lease).account.label == "a"


@pytest.mark.parametrize("change", ["paused", "at its limit", "removed"])
def test_an_account_that_is_out_after_the_wait_makes_room_for_another(change: str) -> None:
    turn = turn_on("ab")
    lease = taken(turn)
    assert turn.report(lease, burst(1), NOW) is SAME
    after = {
        "paused": Stored((account("a", enabled=False), account("b"))),
        "at its limit": Stored((account("a"), account("b")), rests={A: rest(60)}),
        "removed": Stored((account("b"),)),
    }
    turn.pool.load(after[change])
    assert taken(turn, NOW + 1, again=lease).account.label == "b"
    assert isinstance(turn.peek(NOW + 1), Exhausted)


# --- what an account cannot read -------------------------------------------------------------------------------------


def test_a_request_that_cannot_be_read_is_sent_once_more_to_the_same_account() -> None:
    assert attempts(turn_on("ab"), SEALED, OK) == [("a", UNSEAL), ("a", DELIVER)]


def test_what_cannot_be_read_costs_the_account_nothing() -> None:
    turn = turn_on("ab")
    attempts(turn, SEALED)
    assert turn.pool.seats[A].cooldown is None
    assert turn.pool.can_serve(A, turn.ask, NOW)
    assert not turn.pool.storm.on(NOW)


def test_what_cannot_be_read_is_outside_the_budget() -> None:
    turn = turn_on("abcdef")
    walked = attempts(turn, SEALED, FORBIDDEN, SEALED, FORBIDDEN, SEALED, FORBIDDEN, SEALED, FORBIDDEN)
    assert [name for name, _ in walked] == list("aabbccdd")
    assert [action for _, action in walked] == [UNSEAL, OTHER] * 3 + [UNSEAL, DELIVER]
    assert turn.attempts == MOST_ATTEMPTS


def test_an_account_that_still_cannot_read_it_is_not_asked_a_third_time() -> None:
    """Nobody else is asked either: the client gets to see what upstream says."""
    assert attempts(turn_on("ab"), SEALED, SEALED) == [("a", UNSEAL), ("a", DELIVER)]


def test_leaving_things_out_and_waiting_are_different_second_chances() -> None:
    walked = attempts(turn_on("ab"), SEALED, burst(1), burst(1), SEALED, OK)
    assert walked == [("a", UNSEAL), ("a", SAME), ("a", OTHER), ("b", UNSEAL), ("b", DELIVER)]


def test_what_cannot_be_read_is_history() -> None:
    journal = ListJournal()
    turn = turn_on(pool_of("a", journal=journal), thread="t")
    attempts(turn, SEALED)
    assert [(event.kind, event.key, event.thread) for (event,) in journal.of("record")] == [
        (Kind.INVALID_SEALED, A, "t")
    ]
