"""Who has used up a budget, whether or not that refuses their turns. Pure but for what the ledger is asked."""

from collections.abc import Iterable

from accounts.people.budgets import Period, PoolShare, Sums, Used, judge
from accounts.people.fair_share import PoolLevel
from accounts.people.people import Person
from accounts.people.rules import Denial
from accounts.people.spending import EVERYBODY, Spending


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
        share = _share(person, spending, level, now) if budgets.share and level is not None else None
        denial = judge(person, Used(sums=sums, share=share), now, spending.zone)
        if denial is not None:
            found[person.name] = denial
    return found


def _share(person: Person, spending: Spending, level: PoolLevel, now: float) -> PoolShare:
    mine = spending.lately(person.name, level.minutes, now).tokens
    all_of_it = spending.lately(EVERYBODY, level.minutes, now).tokens
    percent = level.used_percent * min(1.0, mine / all_of_it) if all_of_it else 0.0
    return PoolShare(percent, level.minutes, level.resets_at)
