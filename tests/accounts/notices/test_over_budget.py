"""Who has used up a budget."""

from datetime import UTC

from accounts.ledger.records import TokenCount, TurnRecord
from accounts.notices.over_budget import over_budget
from accounts.people.budgets import Budgets, Measure, read_limits
from accounts.people.fair_share import PoolLevel
from accounts.people.people import Person
from accounts.people.rules import PersonRule
from accounts.people.spending import Spending
from tests.builders import NOW


def spent(**tokens: int) -> Spending:
    spending = Spending(UTC)
    for person, count in tokens.items():
        spending.add(TurnRecord(when=NOW, person=person, tokens=TokenCount(input=count)))
    return spending


def person(name: str, tokens: str = "none", **more: object) -> Person:
    budgets = {key: more.pop(key) for key in ("share", "soft") if key in more}
    return Person(name=name, budgets=Budgets(limits=read_limits(Measure.TOKENS, tokens), **budgets), **more)  # type: ignore[arg-type]


def test_who_is_over_is_named_with_the_budget() -> None:
    people = [person("ann", "1k/day"), person("bob", "1k/day"), person("eve")]
    over = over_budget(people, spent(ann=1000, bob=999, eve=10**9), None, NOW)
    assert {name: denial.rule for name, denial in over.items()} == {"ann": PersonRule.TOKENS}
    assert over["ann"].sentence.startswith("ann has used the 1k tokens of today")


def test_a_soft_budget_is_one_too_and_who_is_paused_is_left_alone() -> None:
    people = [person("ann", "1k/day", soft=True), person("bob", "1k/day", paused=True)]
    assert list(over_budget(people, spent(ann=1000, bob=1000), None, NOW)) == ["ann"]


def test_a_share_is_of_the_pools_scarcest_window() -> None:
    level = PoolLevel(300, 40.0, NOW + 60)
    people = [person("ann", share=30), person("bob", share=30)]
    over = over_budget(people, spent(ann=800, bob=200), level, NOW)
    assert {name: denial.rule for name, denial in over.items()} == {"ann": PersonRule.SHARE}
    assert over_budget(people, spent(ann=800), None, NOW) == {}
