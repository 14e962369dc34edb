"""What people have used, in memory: judged at each turn without asking a disk.

Each period has a count of its own, by its beginning. A clock that jumps into another period and back finds the count
that it has left. What the ledger knows beyond that (from before this proxy, of other proxies) is asked for now and
then, and the larger number holds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final

from accounts.ledger.records import TurnKind, TurnOutcome, TurnRecord
from accounts.people.budgets import Period, PoolShare, Sums, Used, begin_of
from accounts.people.fair_share import PoolLevel
from accounts.people.people import Person
from accounts.people.ports import SpentSource

EVERYBODY: Final = ""
KEPT: Final = {Period.HOUR: 8, Period.DAY: 9, Period.WEEK: 2, Period.MONTH: 2}
"""So many periods of each kind are kept: enough for a window of five hours, and for one of a week."""
ASKED_SECONDS: Final = 60.0
"""So long what the ledger has said holds."""
MINUTE: Final = 60.0
HOURS_UP_TO: Final = 7 * 60
"""Minutes: of a longer window whole days are counted."""
_UNCOUNTED: Final = frozenset({TurnOutcome.REFUSED, TurnOutcome.RECONNECTED})


def counted(record: TurnRecord) -> Sums:
    """What a turn counts for in a budget: its tokens, and itself, if a person wanted it and it was not refused."""
    turn = record.kind is TurnKind.TURN and record.outcome not in _UNCOUNTED
    return Sums(record.tokens.total, int(turn))


@dataclass(slots=True)
class _Asked:
    """What the ledger said, and when."""

    at: float
    sums: Sums


@dataclass(slots=True)
class _OfAMinute:
    """What the turns of a minute took, by the number of the minute since the epoch; `at` is when the first one ended.
    No period begins within a minute."""

    minute: float
    at: float
    tokens: int
    turns: int


@dataclass(slots=True)
class PersonSums:
    """Of one person, by kind of period and the period's beginning in epoch seconds."""

    periods: dict[Period, dict[float, Sums]] = field(default_factory=lambda: {each: {} for each in Period})
    asked: dict[tuple[str, float], _Asked] = field(default_factory=dict)

    def add(self, period: Period, begin: float, more: Sums) -> None:
        known = self.periods[period]
        before = known.pop(begin, Sums())  # what was counted last comes last
        known[begin] = Sums(before.tokens + more.tokens, before.turns + more.turns)
        while len(known) > KEPT[period]:
            del known[next(iter(known))]


class Spending:
    """Of everybody. It is a TurnLedger (accounts/ledger/ports.py); `zone` is the pool's owner's."""

    def __init__(self, zone: tzinfo, source: SpentSource | None = None) -> None:
        self.zone = zone
        self.news: Callable[[], object] = tuple
        """Called before anything is told: brings what has not been added yet."""
        self._source = source
        self._people: dict[str, PersonSums] = {}
        self._new: dict[str, _OfAMinute] = {}
        """By person what is not counted where it belongs yet: what a minute brings is, at once."""

    def add(self, record: TurnRecord) -> None:
        """A turn is over. Of people who have no name the sum is all that is kept."""
        more = counted(record)
        if more == Sums():
            return
        minute = record.when // MINUTE
        for person in {record.person, EVERYBODY}:
            new = self._new.get(person)
            if new is not None and new.minute == minute:
                new.tokens += more.tokens
                new.turns += more.turns
            else:
                self._settle(person)
                self._new[person] = _OfAMinute(minute, record.when, more.tokens, more.turns)

    def _settle(self, person: str) -> None:
        """Count what is new where it belongs."""
        new = self._new.pop(person, None)
        if new is None:
            return
        known = self._of(person)
        for period in Period:
            known.add(period, begin_of(period, new.at, self.zone), Sums(new.tokens, new.turns))

    def forget(self, person: str) -> None:
        """Somebody is gone: another one of that name begins anew."""
        self.news()
        self._people.pop(person, None)
        self._new.pop(person, None)

    def sums(self, person: str, period: Period, now: float, *, added_at: float = 0.0) -> Sums:
        """What this person has used in the period that `now` is in. What the ledger knows from before they were added
        is an earlier one's of that name."""
        self.news()
        begin, known = begin_of(period, now, self.zone), self._of(person)
        told = self._told(person, period, max(begin, added_at), now)
        return _larger(known.periods[period].get(begin, Sums()), told)

    def lately(self, person: str, minutes: int, now: float) -> Sums:
        """About what this person has used within so many minutes: in whole hours, or days."""
        self.news()
        period = Period.HOUR if minutes <= HOURS_UP_TO else Period.DAY
        since = begin_of(period, now - minutes * 60.0, self.zone)
        counts = [each for begin, each in self._of(person).periods[period].items() if since <= begin <= now]
        here = Sums(sum(each.tokens for each in counts), sum(each.turns for each in counts))
        return _larger(here, self._told(person, f"{minutes} minutes", since, now))

    def _of(self, person: str) -> PersonSums:
        if person in self._new:
            self._settle(person)
        found = self._people.get(person)
        if found is None:
            found = self._people[person] = PersonSums()
        return found

    def _told(self, person: str, what: str, since: float, now: float) -> Sums:
        """What the ledger knows since then."""
        if self._source is None:
            return Sums()
        asked = self._of(person).asked
        known = asked.get((what, since))
        if known is None or not 0 <= now - known.at < ASKED_SECONDS:
            told = self._source.spent(person, since)
            if told is None:
                return known.sums if known is not None else Sums()
            known = _Asked(now, Sums(told[0].total, told[1]))
            for key in [each for each in asked if each[0] == what]:
                del asked[key]
            asked[what, since] = known
        return known.sums


def _larger(one: Sums, other: Sums) -> Sums:
    return Sums(max(one.tokens, other.tokens), max(one.turns, other.turns))


def used_by(person: Person, spending: Spending, level: PoolLevel | None, now: float, *, under_way: int = 0) -> Used:
    """What somebody has used of their budgets, with so many turns that are under way. `level` is how the pool is
    doing, None where nobody knows."""
    sums = dict[Period, Sums]()
    for limit in person.budgets.limits:
        spent = spending.sums(person.name, limit.period, now, added_at=person.added_at)
        sums[limit.period] = Sums(spent.tokens, spent.turns + under_way)
    wanted = level if person.budgets.share else None
    return Used(sums=sums, share=share_of(person.name, spending, wanted, now) if wanted is not None else None)


def share_of(name: str, spending: Spending, level: PoolLevel, now: float) -> PoolShare:
    """Which part of the pool's scarcest window somebody has used."""
    mine = spending.lately(name, level.minutes, now).tokens
    all_of_it = spending.lately(EVERYBODY, level.minutes, now).tokens
    percent = level.used_percent * min(1.0, mine / all_of_it) if all_of_it else 0.0
    return PoolShare(percent, level.minutes, level.resets_at)
