"""A turn is asked about before anybody serves it: denied with its rule, or made to wait for its place."""

import json
from datetime import UTC

from accounts.choice.decision_record import Done, read_record
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.selection import Ask
from accounts.people.admission import AT_ONCE_SECONDS, Admission
from accounts.people.budgets import Budgets
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.rules import PersonRule
from accounts.people.spending import Spending
from accounts.turn import events, steps
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from accounts.turn.steps import Reason
from tests.builders import NOW, key_of, lease_of, pool_of

KEYS = [ClientKey(name="laptop", digest="", person="ann")]
GONE = events.Left(Outcome(kind=Kind.CLIENT_GONE))


def admission(**more: object) -> Admission:
    made = Admission(Spending(UTC), lambda _: None)
    made.load([Person(name="ann", **more)], KEYS)  # type: ignore[arg-type]
    return made


def turn(known: Admission, model: str = "m", *, bound: bool = False) -> Turn:
    permit = known.permit("laptop", NOW)
    ask = permit.applied(Ask(client="laptop", model=model))
    return Turn(pool=pool_of("a", "b"), ask=ask, began=NOW, permit=permit, bound=bound)


def test_a_turn_that_a_rule_forbids_is_refused_and_nobody_is_asked() -> None:
    asked = turn(admission(models=("small",)))
    step = asked.next(events.Begin(), NOW)
    assert isinstance(step, steps.Refuse)
    assert step.reason is Reason.RULED_OUT
    assert step.denial is not None
    assert step.denial.rule is PersonRule.MODEL
    assert asked.phase is Phase.OVER
    record = read_record(asked.record(Done.OURS, NOW).event)
    assert (record.person, record.client_key, record.rule) == ("ann", "laptop", "model_not_allowed")
    assert record.attempts == ()


def test_a_record_of_nobody_in_particular_is_as_it_was() -> None:
    asked = Turn(pool=pool_of("a"), ask=Ask(), began=NOW)
    asked.next(events.Begin(), NOW)
    told = json.loads(asked.record(Done.DELIVERED, NOW).event.detail)
    assert told.keys() == {"done", "model", "seconds", "attempts"}


def test_the_model_is_read_from_the_request_where_it_matters() -> None:
    """Whatever a header says."""
    asked = turn(admission(models=("small",)), model="small")
    asked.named(lambda: b'{"model": "large"}')
    assert isinstance(asked.next(events.Begin(), NOW), steps.Refuse)
    free = turn(admission())
    free.named(lambda: b"nobody reads this")
    assert free.ask.model == "m"


def test_a_place_is_waited_for_and_then_taken() -> None:
    known = admission(budgets=Budgets(at_once=1))
    first, second = turn(known), turn(known)
    assert isinstance(first.next(events.Begin(), NOW), steps.Attempt)
    step = second.next(events.Begin(), NOW)
    assert step == steps.Pause(None, 0.5)
    assert second.phase is Phase.QUEUED
    assert isinstance(second.next(events.Waited(), NOW + 0.5), steps.Pause)
    first.next(GONE, NOW + 1)
    assert isinstance(second.next(events.Waited(), NOW + 1), steps.Attempt)


def test_a_place_that_does_not_come_free_is_told() -> None:
    known = admission(budgets=Budgets(at_once=1))
    first, second = turn(known), turn(known)
    first.next(events.Begin(), NOW)
    second.next(events.Begin(), NOW)
    step = second.next(events.Waited(), NOW + AT_ONCE_SECONDS)
    assert isinstance(step, steps.Refuse)
    assert (step.reason, second.log.rule) == (Reason.RULED_OUT, "at_once")


def test_a_client_that_leaves_while_it_waits_takes_no_place() -> None:
    known = admission(budgets=Budgets(at_once=1))
    first, second, third = turn(known), turn(known), turn(known)
    first.next(events.Begin(), NOW)
    second.next(events.Begin(), NOW)
    assert isinstance(second.next(GONE, NOW), steps.Finish)
    first.next(GONE, NOW)
    assert isinstance(third.next(events.Begin(), NOW), steps.Attempt)


def test_after_waiting_a_turn_on_a_socket_is_the_sockets_accounts() -> None:
    known = admission(budgets=Budgets(at_once=1))
    first, second = turn(known), turn(known, bound=True)
    first.next(events.Begin(), NOW)
    second.next(events.Begin(lease_of(second.pool, "b")), NOW)
    first.next(GONE, NOW)
    step = second.next(events.Waited(), NOW + 1)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == key_of("b")


def test_accounts_that_are_not_theirs_are_passed_over() -> None:
    asked = turn(admission(accounts=(key_of("b"),)))
    step = asked.next(events.Begin(), NOW)
    assert isinstance(step, steps.Attempt)
    assert step.lease.key == key_of("b")
    failed = asked.next(events.Failed(Outcome(kind=Kind.USAGE_LIMIT, until=NOW + 900), words=True), NOW)
    assert isinstance(failed, steps.Refuse)
    assert failed.nobody is not None
    assert failed.nobody.rule == "person"
