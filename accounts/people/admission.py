"""Which of people's turns are served now, later or not: one per proxy.

A turn has a permit of its own, which says so anew whenever it is asked. What it asks is what the owner wants at that
moment: a change counts for turns that wait, too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from accounts.choice.selection import Ask
from accounts.people import fair_share
from accounts.people.budgets import Period, PoolShare, Sums, Used, judge
from accounts.people.fair_share import Claim, PoolLevel
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.registry import PeopleRegistry
from accounts.people.rules import Denial, Rule
from accounts.people.spending import EVERYBODY, Spending

QUEUE_SECONDS: Final = 60.0
"""A turn waits for others so long at most: its client hears nothing meanwhile, and would give up after 300."""
AT_ONCE_SECONDS: Final = 20.0
"""The same for a turn of somebody who has as many under way as they may."""
LEVEL_SECONDS: Final = 1.0
"""So long it holds how the pool is doing."""

type Level = Callable[[float], PoolLevel | None]


class Permit:
    """Of one turn of a client with this key ("": none)."""

    def __init__(self, admission: "Admission", key: str, number: int, now: float) -> None:
        self._admission = admission
        self._key = key
        self.number = number
        self.since = now

    @property
    def person(self) -> Person | None:
        return self._admission.registry.of_key(self._key)

    @property
    def wants_model(self) -> bool:
        """Whether it matters to the person's turns which model they name."""
        person = self.person
        return person is not None and bool(person.models)

    def applied(self, ask: Ask) -> Ask:
        """What is asked of the pool, with what its owner has ruled about who asks."""
        person = self.person
        return replace(ask, person=person.name, only=frozenset(person.accounts)) if person is not None else ask

    def denial(self, model: str, now: float) -> Denial | None:
        """Why the turn is refused now; None for one that is served, or may wait."""
        person = self.person
        return self._admission.denial(self, person, model, now) if person is not None else None

    def must_wait(self, now: float) -> bool:
        """Whether others come first. Whoever has waited for long enough does not wait for them any more."""
        person = self.person
        return person is not None and self._admission.must_wait(self, person, now)

    def wait(self) -> None:
        """The turn waits from now on."""
        self._admission.queue.add(self)

    def begin(self) -> None:
        """The turn is served from now on."""
        self._admission.begins(self)

    def over(self) -> None:
        """The turn is over, whether it was served or not."""
        self._admission.ends(self)


class Admission:
    """Whoever asks, what they have used, and who is served now. `level` says how the pool is doing."""

    def __init__(self, spending: Spending, level: Level) -> None:
        self.spending = spending
        self.registry = PeopleRegistry()
        self.queue: WeakSet[Permit] = WeakSet()
        """The turns that wait."""
        self._under_way: defaultdict[str, WeakSet[Permit]] = defaultdict(WeakSet)
        """The turns that are served, by the names of people."""
        self._level = level
        self._known: tuple[float, PoolLevel | None] | None = None
        self._claims: WeakKeyDictionary[Permit, tuple[float, Claim]] = WeakKeyDictionary()
        self._numbers = count(1)

    def load(self, people: Iterable[Person], keys: Iterable[ClientKey]) -> None:
        """Take over what the store knows."""
        before = self.registry.people
        self.registry = PeopleRegistry(people, keys)
        for gone in before.keys() - self.registry.people.keys():
            self.spending.forget(gone)

    def permit(self, key: str, now: float) -> Permit:
        """Of a turn that begins, for a client with this key."""
        return Permit(self, key, next(self._numbers), now)

    # For permits

    def denial(self, permit: Permit, person: Person, model: str, now: float) -> Denial | None:
        if not person.may_use(model):
            named = f"{model} is not" if model else "a model that the request does not name is not"
            told = f"{named} among the models that {person.name} may use: {', '.join(person.models)}"
            return Denial(rule=Rule.MODEL, sentence=told)
        over = self._over(person, now)
        if over is not None and not person.budgets.soft:
            return over
        if self._has_all_places(person) and not 0 <= now - permit.since < AT_ONCE_SECONDS:
            most = person.budgets.at_once
            turns = "1 turn" if most == 1 else f"{most} turns"
            told = f"{person.name} has {turns} under way already, as many as may be at once; more when one is over"
            return Denial(rule=Rule.AT_ONCE, sentence=told)
        return None

    def must_wait(self, permit: Permit, person: Person, now: float) -> bool:
        if self._has_all_places(person):
            return True
        level = self._pool_level(now)
        if level is None or not level.is_close or not 0 <= now - permit.since < QUEUE_SECONDS:
            return False
        free = max(1, level.places) - sum(len(each) for each in self._under_way.values())
        claims = [claim for each in self.queue if each is not permit and (claim := self._claim(each, level, now))]
        mine = self._claim(permit, level, now)
        return mine is not None and not fair_share.is_next(mine, claims, free)

    def begins(self, permit: Permit) -> None:
        self.queue.discard(permit)
        if permit.person is not None:
            self._under_way[permit.person.name].add(permit)

    def ends(self, permit: Permit) -> None:
        self.queue.discard(permit)
        if permit.person is not None:
            self._under_way[permit.person.name].discard(permit)

    # Inside

    def _has_all_places(self, person: Person) -> bool:
        return bool(person.budgets.at_once) and len(self._under_way[person.name]) >= person.budgets.at_once

    def _over(self, person: Person, now: float) -> Denial | None:
        budgets = person.budgets
        if not budgets.limits and not budgets.share:
            return None
        sums: dict[Period, Sums] = {}
        for limit in budgets.limits:
            spent = self.spending.sums(person.name, limit.period, now)
            sums[limit.period] = Sums(spent.tokens, spent.turns + len(self._under_way[person.name]))
        share = self._share(person, now) if budgets.share else None
        return judge(person, Used(sums=sums, share=share), now, self.spending.zone)

    def _share(self, person: Person, now: float) -> PoolShare | None:
        level = self._pool_level(now)
        if level is None:
            return None
        mine = self.spending.lately(person.name, level.minutes, now).tokens
        all_of_it = self.spending.lately(EVERYBODY, level.minutes, now).tokens
        percent = level.used_percent * min(1.0, mine / all_of_it) if all_of_it else 0.0
        return PoolShare(percent, level.minutes, level.resets_at)

    def _claim(self, permit: Permit, level: PoolLevel, now: float) -> Claim | None:
        """None for somebody who is gone."""
        known = self._claims.get(permit)
        if known is not None and 0 <= now - known[0] < LEVEL_SECONDS:
            return known[1]
        person = permit.person
        if person is None:
            return None
        had = self.spending.lately(person.name, level.minutes, now).tokens
        over = person.budgets.soft and self._over(person, now) is not None
        claim = Claim(over, -person.priority, float(had), permit.since, permit.number)
        self._claims[permit] = (now, claim)
        return claim

    def _pool_level(self, now: float) -> PoolLevel | None:
        if self._known is None or not 0 <= now - self._known[0] < LEVEL_SECONDS:
            self._known = (now, self._level(now))
        return self._known[1]
