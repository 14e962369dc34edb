"""Which of people's turns are served now, later or not: one per proxy.

A turn has a permit of its own, which says so anew whenever it is asked. What it asks is what the owner wants at that
moment: a change counts for turns that wait, too.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final
from weakref import WeakSet

from accounts.choice.selection import Ask
from accounts.people import fair_share
from accounts.people.budgets import Used, judge, moment
from accounts.people.fair_share import Claim, PoolLevel
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.registry import PeopleRegistry
from accounts.people.rules import Denial, PersonRule
from accounts.people.spending import EVERYBODY, Spending, used_by

QUEUE_SECONDS: Final = 60.0
"""A turn waits for other people so long at most: its client hears nothing meanwhile, and would give up after 300."""
AT_WORK_SECONDS: Final = 900.0
"""So long after somebody has last asked they count as being at work."""
AT_ONCE_SECONDS: Final = 20.0
"""The same for a turn of somebody who has as many under way as they may."""
LEVEL_SECONDS: Final = 5.0
"""So long it holds how the pool is doing, and who waits for whom."""

type Level = Callable[[float], PoolLevel | None]


class Permit:
    """Of one turn of a client with this key ("": none)."""

    def __init__(self, admission: "Admission", key: str, now: float) -> None:
        self._admission = admission
        self._key = key
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
        """Whether others come first. Asked after `denial`, which knows who has waited for long enough."""
        person = self.person
        return person is not None and self._admission.must_wait(self, person, now)

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
        self._under_way: defaultdict[str, WeakSet[Permit]] = defaultdict(WeakSet)
        """The turns that are served, by the names of people."""
        self._level = level
        self._known: tuple[float, PoolLevel | None] | None = None
        self._at_work: dict[str, float] = {}
        """When people have last asked."""
        self._held: tuple[float, frozenset[str]] | None = None

    def load(self, people: Iterable[Person], keys: Iterable[ClientKey]) -> None:
        """Take over what the store knows."""
        before = self.registry.people
        self.registry = PeopleRegistry(people, keys)
        for gone in before.keys() - self.registry.people.keys():
            self.spending.forget(gone)

    def recall(self, now: float) -> None:
        """Have what people with budgets have used looked up, so that it is known when they ask."""
        for person in self.registry.people.values():
            self._over(person, now)

    def used(self, person: Person, now: float) -> Used:
        """What they have used of their budgets, the turns that are under way included."""
        level = self._pool_level(now) if person.budgets.share else None
        return used_by(person, self.spending, level, now, under_way=len(self._under_way[person.name]))

    def permit(self, key: str, now: float) -> Permit:
        """Of a turn that begins, for a client with this key."""
        return Permit(self, key, now)

    # For permits

    def denial(self, permit: Permit, person: Person, model: str, now: float) -> Denial | None:
        if not person.may_use(model):
            named = f"{model} is not" if model else "a model that the request does not name is not"
            told = f"{named} among the models that {person.name} may use: {', '.join(person.models)}"
            return Denial(rule=PersonRule.MODEL, sentence=told)
        over, waited = self._over(person, now), now - permit.since
        if over is not None and not person.budgets.soft:
            return over
        if self._has_all_places(person) and not 0 <= waited < AT_ONCE_SECONDS:
            most = person.budgets.at_once
            turns = "1 turn" if most == 1 else f"{most} turns"
            told = f"{person.name} has {turns} under way already, as many as may be at once; more when one is over"
            return Denial(rule=PersonRule.AT_ONCE, sentence=told)
        if over is None and not 0 <= waited < QUEUE_SECONDS and self._is_held(person, now):
            level = self._pool_level(now)
            until = level.resets_at if level is not None else None
            told = f"{person.name} has had more than others who are at work, and what is left of the pool is theirs"
            more = f"; more {moment(until, now, self.spending.zone)}" if until is not None else ""
            return Denial(rule=PersonRule.FAIR_SHARE, sentence=f"{told}{more}", until=until)
        return None

    def must_wait(self, permit: Permit, person: Person, now: float) -> bool:
        self._at_work[person.name] = now
        if self._has_all_places(person):
            return True
        return 0 <= now - permit.since < QUEUE_SECONDS and self._is_held(person, now)

    def begins(self, permit: Permit) -> None:
        if permit.person is not None:
            self._under_way[permit.person.name].add(permit)

    def ends(self, permit: Permit) -> None:
        if permit.person is not None:
            self._under_way[permit.person.name].discard(permit)

    # Inside

    def _has_all_places(self, person: Person) -> bool:
        return bool(person.budgets.at_once) and len(self._under_way[person.name]) >= person.budgets.at_once

    def _over(self, person: Person, now: float) -> Denial | None:
        if not person.budgets.limits and not person.budgets.share:
            return None
        return judge(person, self.used(person, now), now, self.spending.zone)

    def _is_held(self, person: Person, now: float) -> bool:
        """Whether others come before this person now, because the pool is close to its limits."""
        if self._held is None or not 0 <= now - self._held[0] < LEVEL_SECONDS:
            level = self._pool_level(now)
            names = self._held_by(level, now) if level is not None and level.is_close else frozenset[str]()
            self._held = (now, names)
        return person.name in self._held[1]

    def _held_by(self, level: PoolLevel, now: float) -> frozenset[str]:
        self._at_work = {name: at for name, at in self._at_work.items() if 0 <= now - at < AT_WORK_SECONDS}
        found = {name for name, each in self._under_way.items() if each} | self._at_work.keys()
        people = [self.registry.people[name] for name in found & self.registry.people.keys()]
        claims = [
            Claim(
                each.name,
                self.spending.lately(each.name, level.minutes, now).tokens,
                each.priority,
                each.budgets.soft and self._over(each, now) is not None,
            )
            for each in people
        ]
        return fair_share.held(claims, level, self.spending.lately(EVERYBODY, level.minutes, now).tokens, now)

    def _pool_level(self, now: float) -> PoolLevel | None:
        if self._known is None or not 0 <= now - self._known[0] < LEVEL_SECONDS:
            self._known = (now, self._level(now))
        return self._known[1]
