"""Who has used up a budget, whether or not that refuses their turns. Pure but for what the ledger is asked."""

from collections.abc import Iterable

from accounts.people.budgets import judge
from accounts.people.fair_share import PoolLevel
from accounts.people.people import Person
from accounts.people.rules import Denial
from accounts.people.spending import Spending, used_by


def over_budget(people: Iterable[Person], spending: Spending, level: PoolLevel | None, now: float) -> dict[str, Denial]:
    """The budget that each of them has used up, by name; of turns that are over. Who is paused uses nothing."""
    found = {}
    for person in people:
        if person.paused or not (person.budgets.limits or person.budgets.share):
            continue
        denial = judge(person, used_by(person, spending, level, now), now, spending.zone)
        if denial is not None:
            found[person.name] = denial
    return found
