"""A simulated week: how the strategies share five accounts among forty developers. `make week` prints the table.

The real Pool and Turn under a virtual clock, with an upstream that counts quota. No I/O, no threads, and every die is
seeded. All strategies face the same developers, who ask for the same turns whatever came of the last one: a refused
turn is work that was not done. Sizes and rates are guesses of ours, good for comparing one strategy with another.
"""

import argparse
import heapq
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import partial
from itertools import count, pairwise
from random import Random
from typing import Final

from accounts.choice import quota
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.quota import Window
from accounts.choice.selection import Ask, Exhausted, Policy, Strategy
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.model import Account
from accounts.people import fair_share
from accounts.people.admission import Admission
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.people.rules import Denial
from accounts.people.spending import Spending
from accounts.turn import events, steps
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from cli.ui.render import render
from cli.ui.result import Result, Table
from tests.builders import DAY, HOUR, account, pool_of

MONDAY: Final = (4 + 2900 * 7) * DAY
"""A Monday, 00:00: the first day of the epoch was a Thursday."""
TOKENS: Final = 10_000_000
"""What a week of a Plus account is worth; only how people's shares compare depends on it."""
SHORT_SHARE: Final = 1 / 6
"""What a 5-hour window holds, as a share of a 7-day window."""
CACHE_SECONDS: Final = HOUR
COLD_FACTOR: Final = 3.0
"""How much more a turn costs on an account that has not served the conversation for CACHE_SECONDS."""
CLIENT_PATIENCE: Final = 120.0
"""A wait up to this long (seconds) the client sits out by itself, without telling anybody."""
CLIENT_RETRIES: Final = 4
"""So often the client asks again by itself before it tells its developer that it did not work out."""
FAULTS: Final[Mapping[Kind, float]] = {Kind.OVERLOADED: 0.004, Kind.RESET: 0.002, Kind.TOKEN_EXPIRED: 0.0005}
"""How likely an attempt ends like this."""
BAD_MINUTES: Final = 6
"""So many minutes a day, upstream as a whole is overloaded: every second attempt fails."""
HEAVY: Final = 6
PLANS: Final = ("pro", "plus", "plus", "team", "team")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What happens, whatever the strategy. `load` is what all turns would cost from warm caches, as a share of what the
    accounts give in that time. The first `warm_up` days only fill the windows and are not counted."""

    seed: int = 1
    days: int = 14
    warm_up: int = 7
    seats: tuple[Account, ...] = tuple(account(name, plan=plan) for name, plan in zip("abcde", PLANS, strict=True))
    developers: int = 40
    load: float = 0.95
    faults: bool = True
    heavy: int = 0
    """So many of the developers have HEAVY times as many conversations as others."""


UNEQUAL: Final = Scenario(developers=20, heavy=3, load=1.15)
"""Three who ask for as much as all others together, of accounts that cannot give it."""
FAIR_OR_NOT: Final[Mapping[str, bool]] = {"first come": False, "fair share": True}


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of a conversation: how long the developer waits before it, how long it takes and what it costs warm."""

    pause: float
    seconds: float
    cost: float


@dataclass(slots=True)
class Request:
    """The `nth` turn of a conversation, which the client may send more than once. `end` is "served", "refused" (every
    account is at its limit) or "failed" (upstream's own trouble)."""

    thread: str
    starts: float
    steps: tuple[Step, ...]
    nth: int = 0
    retries: int = 0
    end: str = ""


def conversations(scenario: Scenario) -> list[Request]:
    """The first turn of every conversation, with costs in weeks of a Plus account that add up to the load."""
    found = [first for number in range(scenario.developers) for first in _conversations_of(number, scenario)]
    capacity = sum(quota.capacity(each.plan) for each in scenario.seats) * scenario.days / 7
    unit = scenario.load * capacity / sum(step.cost for first in found for step in first.steps)
    return [replace(each, steps=tuple(replace(step, cost=step.cost * unit) for step in each.steps)) for each in found]


def _conversations_of(number: int, scenario: Scenario) -> Iterator[Request]:
    dice = Random(f"developer {number}, seed {scenario.seed}")  # noqa: S311 - nothing secret
    comes, stays = dice.uniform(7.5, 10.5) * HOUR, dice.uniform(6.0, 9.0) * HOUR
    for day in (each for each in range(scenario.days) if each % 7 < 5):
        times = HEAVY if number < scenario.heavy else 1
        for nth in range(dice.randint(1, 4) * times):  # those that overlap are parallel
            starts = MONDAY + day * DAY + comes + dice.uniform(0.0, stays)
            steps = tuple(_step(dice) for _ in range(dice.randint(5, 60)))
            yield Request(f"{number}-{day}-{nth}", starts, steps)


def _step(dice: Random) -> Step:
    pause = dice.uniform(0.5, 2.0) * HOUR if dice.random() < 0.02 else dice.expovariate(1 / 90)
    return Step(pause, dice.uniform(5.0, 90.0), dice.lognormvariate(0.0, 0.6))


@dataclass(slots=True)
class Gauge:
    """One quota window: it opens with its first use and is empty again when its time is over."""

    minutes: int
    size: float
    opened: float
    used: float = 0.0

    def at(self, now: float) -> Window:
        """The window as upstream tells it."""
        if now >= self.opened + self.minutes * 60:
            self.opened, self.used = now, 0.0
        percent, ends = min(100.0, 100.0 * self.used / self.size), self.opened + self.minutes * 60
        return Window(family=quota.MAIN, minutes=self.minutes, used_percent=percent, resets_at=ends, seen_at=now)


class Upstream:
    """Answers every attempt, and counts what it costs. The weekly windows begin at different times of the week."""

    def __init__(self, scenario: Scenario) -> None:
        self._dice = Random(f"upstream, seed {scenario.seed}")  # noqa: S311 - nothing secret
        self._faults = FAULTS if scenario.faults else {}
        self._bad = set(self._dice.sample(range(scenario.days * 1440), scenario.days * BAD_MINUTES))
        self._gauges: dict[str, tuple[Gauge, Gauge]] = {}
        for index, each in enumerate(scenario.seats):
            size, age = quota.capacity(each.plan), index / len(scenario.seats)
            weekly = Gauge(10_080, size, MONDAY - age * 7 * DAY, used=age * min(scenario.load, 1.0) * size)
            self._gauges[each.key] = (Gauge(300, size * SHORT_SHARE, MONDAY - DAY), weekly)

    def answer(self, key: str, now: float) -> tuple[Outcome, tuple[Window, ...]]:
        """What an attempt that begins now will come to, and the windows as they are before it."""
        windows = tuple(gauge.at(now) for gauge in self._gauges[key])
        ends = [each.resets_at for each in windows if each.used_percent >= 100 and each.resets_at]
        if ends:
            return Outcome(kind=Kind.USAGE_LIMIT, until=max(ends)), windows
        kinds, chances = [Kind.OK, *self._faults], [1 - sum(self._faults.values()), *self._faults.values()]
        bad = self._faults and (now - MONDAY) // 60 in self._bad and self._dice.random() < 0.5
        return Outcome(kind=Kind.OVERLOADED if bad else self._dice.choices(kinds, chances)[0]), windows

    def charge(self, key: str, cost: float, now: float) -> None:
        """A turn is over. Upstream looks at the limits only when one begins, so the last ones may go beyond."""
        for gauge in self._gauges[key]:
            gauge.at(now)
            gauge.used += cost


@dataclass(frozen=True, slots=True, order=True)
class Due:
    """Something that happens at a moment; of two at the same moment, first what was planned first."""

    at: float
    number: int
    what: Callable[[float], None] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt that is over. One that did not serve has no cost. `used` is how full the fullest window was when it
    began, in percent."""

    began: float
    ended: float
    thread: str
    key: str
    outcome: Outcome
    cost: float
    cold: bool
    used: float


class Week:
    """One run. `tries` and `requests` are what happened, in the order in which it ended, and `waited` how many seconds
    each developer's turns waited for those of others. `fair`: who has had least comes first, close to the limits."""

    def __init__(self, scenario: Scenario, policy: Policy, *, fair: bool = False) -> None:
        self.pool = pool_of(*scenario.seats)
        self.pool.policy = policy
        self.tries: list[Try] = []
        self.requests: list[Request] = []
        self.waited: defaultdict[str, float] = defaultdict(float)
        self._people = _people(self.pool, scenario.developers) if fair else None
        self._upstream = Upstream(scenario)
        self._caches: dict[str, dict[str, float]] = {}
        self._numbers = count()
        self._due: list[Due] = []
        for first in conversations(scenario):
            self._at(first.starts, partial(self._begin, first))

    def run(self) -> "Week":
        while self._due:
            due = heapq.heappop(self._due)
            due.what(due.at)
        return self

    def _at(self, moment: float, what: Callable[[float], None]) -> None:
        heapq.heappush(self._due, Due(moment, next(self._numbers), what))

    def _begin(self, request: Request, now: float) -> None:
        permit = self._people.permit(developer(request.thread), now) if self._people is not None else None
        turn = Turn(pool=self.pool, ask=Ask(thread=request.thread), began=now, permit=permit)
        self._follow(request, turn, events.Begin(), now)

    def _follow(self, request: Request, turn: Turn, event: events.Event, now: float) -> None:
        """Tell the turn, and do what it says; renewing takes no time here."""
        step = turn.next(event, now)
        match step:
            case steps.Attempt():
                self._attempt(request, turn, step.lease, now)
            case steps.Renew():
                self.pool.renewed(step.lease.key, step.lease.credentials)
                self._follow(request, turn, events.Renewed(step.lease.credentials), now)
            case steps.Pause():
                if turn.phase is Phase.QUEUED:
                    self.waited[developer(request.thread)] += step.seconds
                self._at(now + step.seconds, partial(self._follow, request, turn, events.Waited()))
            case steps.Finish():
                self._over(request, "served", now)
            case steps.Refuse(denial=Denial()):
                self._over(request, "refused", now)  # the client stops at once
            case _:
                self._unserved(request, turn, now)

    def _attempt(self, request: Request, turn: Turn, lease: Lease, now: float) -> None:
        thread, step = request.thread, request.steps[request.nth]
        outcome, windows = self._upstream.answer(lease.key, now)
        self.pool.observed(lease.key, windows)
        used, caches = max(each.used_percent for each in windows), self._caches.get(thread)
        attempt = Try(now, now + 1.0, thread, lease.key, outcome, 0.0, cold=False, used=used)
        if outcome.kind is Kind.OK:
            cold = caches is not None and now - caches.get(lease.key, 0.0) > CACHE_SECONDS
            cost = step.cost * (COLD_FACTOR if cold else 1.0)
            attempt = replace(attempt, ended=now + step.seconds, cost=cost, cold=cold)
        self._at(attempt.ended, partial(self._answered, request, turn, attempt))

    def _answered(self, request: Request, turn: Turn, attempt: Try, now: float) -> None:
        self.tries.append(attempt)
        if attempt.cost:
            self._upstream.charge(attempt.key, attempt.cost, now)
            self._caches.setdefault(attempt.thread, {})[attempt.key] = now
            if self._people is not None:
                tokens = TokenCount(input=round(attempt.cost * TOKENS))
                self._people.spending.add(TurnRecord(when=now, person=developer(attempt.thread), tokens=tokens))
        served = bool(attempt.cost)
        event = events.Ended(attempt.outcome) if served else events.Failed(attempt.outcome, words=True)
        self._follow(request, turn, event, now)

    def _unserved(self, request: Request, turn: Turn, now: float) -> None:
        """As addons/exchange/pooled.py tells it: a limit with the time it ends, else what upstream said last."""
        left, end, wait = turn.left(now), "failed", 2.0**request.retries
        if isinstance(left, Exhausted) and left.limited and all(each.rule.bars for each in turn.log.outcomes[-1:]):
            end, wait = "refused", max(1.0, (left.resets_at or now) - now)
        if request.retries >= CLIENT_RETRIES or wait > CLIENT_PATIENCE:
            self._over(request, end, now)
            return
        request.retries += 1
        self._at(now + wait, partial(self._begin, request))

    def _over(self, request: Request, end: str, now: float) -> None:
        request.end = end
        self.requests.append(request)
        if request.nth + 1 < len(request.steps):
            following = replace(request, nth=request.nth + 1, retries=0, end="")
            self._at(now + request.steps[following.nth].pause, partial(self._begin, following))


def developer(thread: str) -> str:
    """Whose conversation it is."""
    return thread.partition("-")[0]


def _people(pool: Pool, developers: int) -> Admission:
    """Every developer is a person with a key of that name."""
    names = [str(number) for number in range(developers)]
    admission = Admission(Spending(UTC), lambda now: fair_share.level(pool.candidates.values(), now))
    keys = [ClientKey(name=name, digest="", person=name) for name in names]
    admission.load([Person(name=name) for name in names], keys)
    return admission


def shared(scenario: Scenario, *, fair: bool) -> dict[str, float]:
    """How a pool that cannot serve all of it is shared by developers who ask for much and those who ask for less."""
    week, since = Week(scenario, Policy(), fair=fair).run(), MONDAY + scenario.warm_up * DAY
    asked = [each for each in week.requests if each.starts >= since]
    found: dict[str, float] = {}
    for name, wanted in (("light", False), ("heavy", True)):
        theirs = [each for each in asked if (int(developer(each.thread)) < scenario.heavy) is wanted]
        unserved = sum(each.end != "served" for each in theirs)
        waited = sum(each for who, each in week.waited.items() if (int(who) < scenario.heavy) is wanted)
        found |= {
            f"{name}: turns": len(theirs),
            f"{name}: not served %": 100 * unserved / max(1, len(theirs)),
            f"{name}: waited s": waited / max(1, len(theirs)),
        }
    served = [each for each in week.tries if each.began >= since and each.cost]
    sizes = sum(quota.capacity(each.plan) for each in scenario.seats) * (scenario.days - scenario.warm_up) / 7
    return {**found, "used %": 100 * sum(each.cost for each in served) / sizes}


def measured(scenario: Scenario, policy: Policy) -> dict[str, float]:
    """What came of one policy. The last four are percentages of what the accounts give in the time that counts: the
    account that gave least, the one that gave most, how far they differ, and all together."""
    week, since = Week(scenario, policy).run(), MONDAY + scenario.warm_up * DAY
    asked = [each for each in week.requests if each.starts >= since]
    tries = [each for each in week.tries if each.began >= since]
    served, ends = [each for each in tries if each.cost], Counter(each.end for each in asked)
    threads: dict[str, list[str]] = {each.thread: [] for each in asked}
    given = {each.key: 0.0 for each in scenario.seats}
    for each in served:
        threads.setdefault(each.thread, []).append(each.key)
        given[each.key] += each.cost
    sizes = [quota.capacity(each.plan) * (scenario.days - scenario.warm_up) / 7 for each in scenario.seats]
    shares = [100 * units / size for units, size in zip(given.values(), sizes, strict=True)]
    return {
        "turns": len(asked),
        "refused": ends["refused"],
        "refused %": 100 * ends["refused"] / len(asked),
        "failed": ends["failed"],
        "attempts per turn": len(tries) / len(asked),
        "switches per thread": sum(a != b for keys in threads.values() for a, b in pairwise(keys)) / len(threads),
        "cold %": 100 * sum(each.cold for each in served) / max(1, len(served)),
        "least used %": min(shares),
        "most used %": max(shares),
        "deviation": statistics.pstdev(shares),
        "used %": 100 * sum(given.values()) / sum(sizes),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.week", description="A simulated week per strategy.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seed", type=int, default=1, help="another number is another week")
    parser.add_argument("--load", type=float, default=0.95, help="work, as a share of what the accounts give")
    parser.add_argument("--people", action="store_true", help="with and without fair share, of too much work")
    chosen = parser.parse_args()
    if chosen.people:
        scenario = replace(UNEQUAL, seed=chosen.seed)
        _show({name: shared(scenario, fair=fair) for name, fair in FAIR_OR_NOT.items()}, "who", as_json=chosen.json)
        return
    scenario = Scenario(seed=chosen.seed, load=chosen.load)
    policies = {str(each): Policy(strategy=each) for each in Strategy}
    policies["pinned"] = Policy(pin=scenario.seats[0].key)  # for contrast: what one account alone would do
    found = {name: measured(scenario, policy) for name, policy in policies.items()}
    _show(found, "strategy", as_json=chosen.json)


def _show(found: Mapping[str, Mapping[str, float]], heading: str, *, as_json: bool) -> None:
    """A row for each."""
    cells = {name: [str(v) if isinstance(v, int) else f"{v:.2f}" for v in row.values()] for name, row in found.items()}
    rows = tuple((name, *texts) for name, texts in cells.items())
    columns = (heading, *next(iter(found.values())))
    render(Result("", data=found, table=Table(columns=columns, rows=rows)), as_json=as_json)


if __name__ == "__main__":
    main()
