"""Who has used up a budget, whether or not that refuses their turns. Pure but for what the ledger is asked."""

from collections.abc import Iterable

from accounts.people.budgets import Period, Sums, Used, judge
from accounts.people.fair_share import PoolLevel
from accounts.people.people import Person
from accounts.people.rules import Denial
from accounts.people.spending import Spending, share_of


def over_budget(people: Iterable[Person], spending: Spending, level: PoolLevel | None, now: float) -> dict[str, Denial]:
    """The budget that each of them has used up, by name; of turns that are over. Who is paused uses nothing."""
    found = {}
    for person in people:
        budgets = person.budgets
        if person.paused or not (budgets.limits or budgets.share):
            continue
        sums: dict[Period, Sums] = {
            limit.period: spending.sums(person.name, limit.period, now, added_at=person.added_at)
            for limit in budgets.limits
        }
        share = share_of(person.name, spending, level, now) if budgets.share and level is not None else None
        denial = judge(person, Used(sums=sums, share=share), now, spending.zone)
        if denial is not None:
            found[person.name] = denial
    return found
