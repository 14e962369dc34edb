"""Whose turn is served now, whose later, and whose not; asked anew at each look, with what the owner wants then."""

from zoneinfo import ZoneInfo

import pytest

from accounts.choice.selection import Ask
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.people.admission import AT_ONCE_SECONDS, AT_WORK_SECONDS, LEVEL_SECONDS, QUEUE_SECONDS, Admission, Permit
from accounts.people.budgets import Budgets, Limit, Measure, Period, Sums
from accounts.people.fair_share import PoolLevel
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.rules import PersonRule
from accounts.people.spending import Spending
from tests.builders import DAY, HOUR, NOW

PLENTY = PoolLevel(10_080, 20.0, NOW + DAY)
CLOSE = PoolLevel(10_080, 95.0, NOW + DAY)


class Office:
    """A pool's people, each with a key of their name; the pool is as the test says."""

    def __init__(self, *people: Person, level: PoolLevel | None = PLENTY) -> None:
        self.level = level
        self.admission = Admission(Spending(ZoneInfo("UTC")), lambda _: self.level)
        self.load(*people)

    def load(self, *people: Person) -> None:
        keys = [ClientKey(name=each.name, digest="", person=each.name) for each in people]
        self.admission.load(people, [*keys, ClientKey(name="loose", digest="")])

    def used(self, person: str, tokens: int, when: float = NOW) -> None:
        self.admission.spending.add(TurnRecord(when=when, person=person, tokens=TokenCount(input=tokens)))

    def permit(self, key: str, now: float = NOW) -> Permit:
        return self.admission.permit(key, now)

    def begun(self, key: str, now: float = NOW) -> Permit:
        permit = self.permit(key, now)
        permit.begin()
        return permit


def person(name: str = "ann", **more: object) -> Person:
    fields = {each: more.pop(each) for each in ("accounts", "models", "priority", "paused") if each in more}
    return Person(name=name, budgets=Budgets(**more), **fields)  # type: ignore[arg-type]


def tokens(amount: int) -> tuple[Limit, ...]:
    return (Limit(measure=Measure.TOKENS, amount=amount, period=Period.DAY),)


def turns(amount: int) -> tuple[Limit, ...]:
    return (Limit(measure=Measure.TURNS, amount=amount, period=Period.DAY),)


@pytest.mark.parametrize("key", ["", "loose", "unknown"])
def test_who_is_nobody_in_particular_has_no_rules(key: str) -> None:
    office = Office(person(models=("x",), at_once=1), level=CLOSE)
    permit, ask = office.permit(key), Ask(client=key, model="m")
    assert permit.applied(ask) == ask
    assert permit.denial("m", NOW) is None
    assert not permit.must_wait(NOW)


def test_what_is_asked_names_the_person_and_their_accounts() -> None:
    asked = Office(person(accounts=("k", "#team"))).permit("ann").applied(Ask(client="ann"))
    assert (asked.person, asked.only) == ("ann", frozenset({"k", "#team"}))


def test_a_model_that_is_not_theirs() -> None:
    permit = Office(person(models=("m-small*", "x"))).permit("ann")
    assert permit.denial("m-small-1", NOW) is None
    denial = permit.denial("m-large", NOW)
    assert denial is not None
    assert denial.rule is PersonRule.MODEL
    assert denial.sentence == "m-large is not among the models that ann may use: m-small*, x"
    unnamed = permit.denial("", NOW)
    assert unnamed is not None
    assert "does not name" in unnamed.sentence


def test_a_budget_that_is_used_up_denies_until_the_next_day() -> None:
    office = Office(person(limits=tokens(1000)))
    office.used("ann", 999)
    permit = office.permit("ann")
    assert permit.denial("m", NOW) is None
    office.used("ann", 1)
    denial = permit.denial("m", NOW)
    assert denial is not None
    assert denial.sentence.startswith("ann has used the 1k tokens of today; more ")
    assert permit.denial("m", NOW + DAY) is None


def test_turns_that_are_under_way_count_already() -> None:
    office = Office(person(limits=turns(2)))
    first, second = office.begun("ann"), office.begun("ann")
    denial = office.permit("ann").denial("m", NOW)
    assert denial is not None
    assert denial.rule is PersonRule.TURNS
    first.over()
    assert office.permit("ann").denial("m", NOW) is None
    second.over()
    second.over()
    assert office.permit("ann").denial("m", NOW) is None, "over twice is over once"


def test_a_turn_that_nobody_holds_any_more_is_over() -> None:
    """Whatever went wrong in its driver, its place is free."""
    office = Office(person(at_once=1))
    office.begun("ann")
    assert not office.permit("ann").must_wait(NOW)


def test_a_soft_budget_denies_nothing() -> None:
    office = Office(person(limits=tokens(1), soft=True))
    office.used("ann", 10)
    permit = office.permit("ann")
    assert permit.denial("m", NOW) is None
    assert not permit.must_wait(NOW), "while there is plenty"


def test_a_share_of_the_pool_is_that_of_its_scarcest_window() -> None:
    office = Office(person(share=30), person("bob"), level=replace_level(50.0))
    office.used("ann", 500)
    office.used("bob", 500, NOW - 3 * DAY)
    assert office.permit("ann").denial("m", NOW) is None, "half of 50 %"
    office.level = replace_level(60.0)
    denial = office.permit("ann").denial("m", NOW + LEVEL_SECONDS)
    assert denial is not None
    assert (denial.rule, denial.until) == (PersonRule.SHARE, NOW + DAY)
    office.level = None
    assert office.permit("ann").denial("m", NOW + 2 * LEVEL_SECONDS) is None, "nothing is known of the pool"


def replace_level(percent: float) -> PoolLevel:
    return PLENTY._replace(used_percent=percent)


def test_as_many_at_once_as_they_may_and_the_next_one_waits() -> None:
    office = Office(person(at_once=2), person("bob"))
    first, _second = office.begun("ann"), office.begun("ann")
    third = office.permit("ann")
    assert third.must_wait(NOW)
    assert third.denial("m", NOW + AT_ONCE_SECONDS - 1) is None
    assert not office.permit("bob").must_wait(NOW)
    first.over()
    assert not third.must_wait(NOW)


def test_who_has_waited_long_enough_for_their_own_turns_is_told() -> None:
    office = Office(person(at_once=1))
    _running = office.begun("ann")
    permit = office.permit("ann")
    denial = permit.denial("m", NOW + AT_ONCE_SECONDS)
    assert denial is not None
    assert (denial.rule, denial.until) == (PersonRule.AT_ONCE, None)
    assert permit.denial("m", NOW - 500) is not None, "the clock went back: nobody waits for ever"


def at_work(office: Office, *names: str) -> None:
    """They ask for a turn now."""
    for name in names:
        office.permit(name).must_wait(NOW)
    office.admission._held = None


def test_close_to_the_limits_who_has_had_most_waits_for_those_who_are_at_work() -> None:
    office = Office(person(), person("bob"), level=CLOSE)
    office.used("ann", 1000)
    office.used("bob", 10)
    at_work(office, "ann", "bob")
    ann, bob = office.permit("ann"), office.permit("bob")
    assert ann.must_wait(NOW)
    assert not bob.must_wait(NOW)
    assert ann.denial("m", NOW) is None
    assert not ann.must_wait(NOW + AT_WORK_SECONDS), "bob has gone home"


def test_who_has_waited_long_enough_for_others_is_told() -> None:
    office = Office(person(), person("bob"), level=CLOSE)
    office.used("ann", 1000)
    at_work(office, "bob")
    ann = office.permit("ann")
    assert ann.must_wait(NOW + QUEUE_SECONDS - 1)
    denial = ann.denial("m", NOW + QUEUE_SECONDS)
    assert denial is not None
    assert (denial.rule, denial.until) == (PersonRule.FAIR_SHARE, NOW + DAY)
    assert "had more than others who are at work" in denial.sentence
    assert not ann.must_wait(NOW - HOUR), "the clock went back: nobody waits for ever"


def test_while_there_is_plenty_nobody_waits() -> None:
    office = Office(person(), person("bob"))
    office.used("ann", 1000)
    at_work(office, "ann", "bob")
    assert not office.permit("ann").must_wait(NOW)


def test_over_a_soft_budget_comes_last_and_is_served_in_the_end() -> None:
    office = Office(person(limits=tokens(1), soft=True, priority=9), person("bob"), level=CLOSE)
    office.used("ann", 10)
    office.used("bob", 1000)
    at_work(office, "ann", "bob")
    ann, bob = office.permit("ann"), office.permit("bob")
    assert ann.must_wait(NOW)
    assert not bob.must_wait(NOW)
    assert ann.denial("m", NOW + QUEUE_SECONDS) is None
    assert not ann.must_wait(NOW + QUEUE_SECONDS)


def test_a_change_holds_for_turns_that_wait() -> None:
    office = Office(person(at_once=1))
    _running = office.begun("ann")
    waiting = office.permit("ann")
    assert waiting.must_wait(NOW)
    office.load(person())
    assert not waiting.must_wait(NOW)
    office.load()
    assert waiting.denial("m", NOW) is None
    assert waiting.applied(Ask()) == Ask()


def test_somebody_new_of_the_same_name_begins_anew() -> None:
    office = Office(person(limits=tokens(10)))
    office.used("ann", 10)
    office.load()
    office.load(person(limits=tokens(10)))
    assert office.permit("ann").denial("m", NOW) is None


def test_a_thousand_people_who_wait_cost_little() -> None:
    """Who comes first is worked out every few seconds, not for each turn that asks."""
    people = [person(f"p{number}", limits=tokens(100), soft=True) for number in range(1000)]
    office = Office(*people, level=CLOSE)
    at_work(office, *(each.name for each in people))
    office.used("p0", 10)
    asked: list[str] = []
    lately = office.admission.spending.lately

    def counted(name: str, minutes: int, now: float) -> Sums:
        asked.append(name)
        return lately(name, minutes, now)

    office.admission.spending.lately = counted  # type: ignore[method-assign]
    waits = [each.name for each in people for _ in range(3) if office.permit(each.name).must_wait(NOW)]
    assert waits == ["p0"] * 3
    assert len(asked) == len(people) + 1
