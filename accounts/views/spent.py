"""What somebody has used of what they may, as the ledger has it, for commands and for programs."""

from collections.abc import Sequence
from contextlib import closing
from datetime import tzinfo
from pathlib import Path
from typing import NamedTuple

from accounts.choice.clock_sense import SensibleSource
from accounts.ledger.queries import UsageReader
from accounts.people import fair_share
from accounts.people.admission import Admission
from accounts.people.budgets import NOW_OF, Limit, Period, PoolShare, Sums, end_of, moment, shortened
from accounts.people.people import Person
from accounts.people.spending import Spending
from accounts.policy import stored_candidates
from accounts.store.store import Store


class BudgetUse(NamedTuple):
    """So much of a limit is used, and it begins anew then (seconds since the epoch)."""

    limit: Limit
    used: int
    until: float

    @property
    def percent(self) -> int:
        return 100 * self.used // self.limit.amount


class PersonUse(NamedTuple):
    """Of one person: today's sums in the owner's time zone, each budget, and their part of the pool's scarcest window
    (None: they have no such budget, or nobody knows)."""

    today: Sums
    budgets: Sequence[BudgetUse]
    share: PoolShare | None


def stored_use(store: Store, person: Person, ledger: Path, zone: tzinfo, now: float) -> PersonUse:
    """What the ledger has of them. Turns under way are not in it yet. Raises sqlite3.Error."""
    with closing(UsageReader(ledger)) as reader:
        spending = Spending(zone, reader)
        candidates = stored_candidates(SensibleSource(store, now)).values()
        used = Admission(spending, lambda at: fair_share.level(candidates, at)).used(person, now)
        budgets = [
            BudgetUse(each, used.sums[each.period].of(each.measure), end_of(each.period, now, zone))
            for each in person.budgets.limits
        ]
        return PersonUse(spending.sums(person.name, Period.DAY, now, added_at=person.added_at), budgets, used.share)


def use_words(person: Person, use: PersonUse, now: float, zone: tzinfo) -> list[str]:
    """A line for each."""
    turns = "1 turn" if use.today.turns == 1 else f"{use.today.turns:,} turns"
    begins = moment(end_of(Period.DAY, now, zone), now, zone)
    told = [f"Today so far: {turns}, {use.today.tokens:,} tokens. The next day begins {begins}."]
    for each in use.budgets:
        limit = f"{shortened(each.limit.amount)} {each.limit.measure} {NOW_OF[each.limit.period]}"
        told.append(f"{each.used:,} of {limit} ({each.percent} %); anew {moment(each.until, now, zone)}.")
    if use.share is not None:
        back = f"; anew {moment(use.share.resets_at, now, zone)}" if use.share.resets_at is not None else ""
        told.append(f"{use.share.percent:.0f} of {person.budgets.share} % of the pool's scarcest window{back}.")
    return told


def use_data(use: PersonUse) -> dict[str, object]:
    """For programs. Times are seconds since the epoch."""
    share = use.share
    return {
        "today": {"tokens": use.today.tokens, "turns": use.today.turns},
        "budgets": [
            {
                "measure": str(each.limit.measure),
                "amount": each.limit.amount,
                "period": str(each.limit.period),
                "used": each.used,
                "resets_at": each.until,
            }
            for each in use.budgets
        ],
        "share": {"percent": round(share.percent, 1), "minutes": share.minutes, "resets_at": share.resets_at}
        if share is not None
        else None,
    }
