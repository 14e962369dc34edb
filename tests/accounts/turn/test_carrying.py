"""A turn whose answer dies after output."""

import pytest

from accounts.choice.outcomes import Kind, Outcome
from accounts.continuing.carry import Carry
from accounts.turn import events, steps
from accounts.turn.carrying import MOST_CONTINUED
from accounts.turn.machine import Turn
from accounts.turn.state import FIRST_BYTE_SECONDS
from accounts.turn.waiting import CALM_SECONDS
from tests.builders import NOW, turn_on

LIMIT = Outcome(kind=Kind.USAGE_LIMIT)
OVERLOADED = Outcome(kind=Kind.OVERLOADED)


def delivering(*names: str) -> Turn:
    turn = turn_on("".join(names))
    turn.next(events.Begin(), NOW)
    turn.next(events.Answered(), NOW)
    return turn


def test_another_account_is_asked_for_what_is_missing() -> None:
    turn = delivering("a", "b")
    first = turn.asked.key
    step = turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key != first
    assert turn.pool.in_flight(first) == 0
    assert isinstance(turn.next(events.Answered(), NOW), steps.Deliver)


def test_what_is_complete_needs_nobody_else() -> None:
    assert isinstance(delivering("a").next(events.Died(LIMIT, Carry.COMPLETE), NOW), steps.Complete)


@pytest.mark.parametrize(("names", "step"), [("a", steps.Finish), ("ab", steps.HandOver)])
def test_without_a_way_on_it_is_as_if_there_were_none(names: str, step: type[steps.Step]) -> None:
    turn = delivering(*names)
    carry = Carry.CONTINUE if len(names) == 1 else Carry.CLIENT
    assert isinstance(turn.next(events.Died(LIMIT, carry), NOW), step)


@pytest.mark.parametrize("carry", Carry)
@pytest.mark.parametrize("kind", [Kind.REQUEST_FAULT, Kind.UNKNOWN_RESPONSE, Kind.INVALID_SEALED])
def test_what_is_the_requests_own_fault_is_passed_on(carry: Carry, kind: Kind) -> None:
    assert isinstance(delivering("a", "b").next(events.Died(Outcome(kind=kind), carry), NOW), steps.Finish)


def test_not_more_than_three_times() -> None:
    turn = delivering(*"abcde")
    for _ in range(MOST_CONTINUED):
        assert isinstance(turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW), steps.Attempt)
        turn.next(events.Answered(), NOW)
    assert isinstance(turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW), steps.HandOver)


def test_a_further_failure_leads_on_and_then_to_the_client_but_never_to_a_refusal() -> None:
    turn = delivering(*"abc")
    turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW)
    assert isinstance(turn.next(events.Failed(LIMIT, words=True), NOW), steps.Attempt)
    assert isinstance(turn.next(events.Failed(LIMIT, words=True), NOW), steps.HandOver)


@pytest.mark.parametrize("kind", [Kind.REQUEST_FAULT, Kind.INVALID_SEALED, Kind.TOKEN_INVALIDATED])
def test_words_of_upstream_cannot_be_passed_on_any_more(kind: Kind) -> None:
    turn = delivering(*"ab")
    turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW)
    step = turn.next(events.Failed(Outcome(kind=kind), words=True), NOW)
    if isinstance(step, steps.StripAndRetry):
        step = turn.next(events.NothingStripped(), NOW)
    assert isinstance(step, steps.HandOver)


def test_a_long_answer_does_not_count_as_waiting() -> None:
    turn, late = delivering(*"abc"), NOW + 10 * FIRST_BYTE_SECONDS
    assert isinstance(turn.next(events.Died(LIMIT, Carry.CONTINUE), late), steps.Attempt)
    assert isinstance(turn.next(events.Failed(LIMIT), late + 5), steps.Attempt)


def test_a_client_that_has_waited_long_since_then_is_not_kept_any_longer() -> None:
    turn = delivering(*"abc")
    turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW)
    assert isinstance(turn.next(events.Failed(LIMIT), NOW + FIRST_BYTE_SECONDS + 1), steps.HandOver)


def test_a_request_that_was_not_kept_cannot_be_asked_elsewhere() -> None:
    turn = delivering("a", "b")
    turn.replayable = False
    assert not isinstance(turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW), steps.Attempt)


def test_parts_that_were_delivered_leave_the_next_one_its_attempts() -> None:
    """Two accounts die in the middle of an answer, and two more cannot even begin."""
    turn = delivering(*"abcde")
    for _ in range(2):
        turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW)
        turn.next(events.Answered(), NOW)
    turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW)
    assert isinstance(turn.next(events.Failed(LIMIT, words=True), NOW), steps.Attempt)


def test_an_upgrade_is_no_answer_that_could_go_on() -> None:
    turn = delivering("a", "b")
    turn.upgrade = True
    assert isinstance(turn.next(events.Died(LIMIT, Carry.CONTINUE), NOW), steps.HandOver)


@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_a_storm_keeps_no_answer_from_going_on_because_its_client_would_ask_again_at_once(deaths: int) -> None:
    turn = delivering(*"abcde")
    for key in "cde":
        turn.pool.storm.record(key, NOW)
    for _ in range(deaths - 1):
        turn.next(events.Died(OVERLOADED, Carry.CONTINUE), NOW)
        turn.next(events.Answered(), NOW)
    turn.next(events.Died(OVERLOADED, Carry.CONTINUE), NOW)
    assert turn.pool.storm.on(NOW)
    assert isinstance(turn.next(events.Failed(OVERLOADED), NOW), steps.Attempt)


@pytest.mark.parametrize("kind", [Kind.OVERLOADED, Kind.USAGE_LIMIT, Kind.TOKEN_INVALIDATED])
def test_two_accounts_signed_out_in_an_answer_slow_what_comes_after_a_further_failure(kind: Kind) -> None:
    """As before output: after a while one more is asked, and not the one that has just failed."""
    turn = delivering(*"abcde")
    turn.next(events.Died(Outcome(kind=Kind.TOKEN_INVALIDATED), Carry.CONTINUE), NOW)
    turn.next(events.Answered(), NOW)
    turn.next(events.Died(Outcome(kind=Kind.TOKEN_INVALIDATED), Carry.CONTINUE), NOW)
    third = turn.asked.key
    step = turn.next(events.Failed(Outcome(kind=kind)), NOW)
    assert isinstance(step, steps.Pause)
    assert step.seconds == CALM_SECONDS
    step = turn.next(events.Waited(), NOW + CALM_SECONDS)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key != third
    assert isinstance(turn.next(events.Failed(OVERLOADED), NOW + CALM_SECONDS), steps.Attempt)
