"""What the ledger shows: sums by what was asked for, all of them together, and what of it needs a word. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from accounts.ledger.prices import PriceList, PriceSource
from accounts.ledger.queries import Grouping, LostTurns, UsageCell, UsageQuery
from accounts.ledger.records import NO_TOKENS, TokenCount, TurnKind, TurnOutcome
from accounts.people.keys import LOCAL

NONE_LOST: Final = LostTurns()
NAMELESS: Final[Mapping[Grouping, str]] = {
    Grouping.PERSON: "the owner",
    Grouping.ACCOUNT: "no account",
    Grouping.PROJECT: "no project",
    Grouping.MODEL: "no model named",
    Grouping.THREAD: "no thread, or older",
}
"""What a group without a name is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSum:
    """Turns of one group, warm-ups not among them, but in all else. `shown` is what people call the group; `seconds`
    how long they took in all; `floors` how many have not said all they took; `cold` the input tokens that were not
    cached because the account had changed. `cost` is in US dollars, of the models whose price is known; `unpriced` has
    the tokens of the others."""

    group: str = ""
    shown: str = ""
    turns: int = 0
    warm_ups: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    rotations: int = 0
    seconds: float = 0.0
    tokens: TokenCount = NO_TOKENS
    floors: int = 0
    cold: int = 0
    cost: float | None = None
    unpriced: Mapping[str, int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        return self.outcomes.get(TurnOutcome.REFUSED, 0)

    @property
    def cached_percent(self) -> float | None:
        """How much of the input was cached; None without any input."""
        return 100 * self.tokens.cached / self.tokens.input if self.tokens.input else None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """`groups` are in the order of time, or those that took most come first. `rules` says how often each rule has
    refused a turn; `sources` where built-in prices are from, None with no prices at all."""

    query: UsageQuery
    zone: str
    groups: tuple[UsageSum, ...]
    total: UsageSum
    rules: Mapping[str, int]
    sources: tuple[PriceSource, ...] | None = None
    lost: LostTurns = NONE_LOST


def usage_view(
    cells: Iterable[UsageCell], query: UsageQuery, prices: PriceList | None, zone: str, lost: LostTurns
) -> UsageView:
    """`cells` as `by_local_time` gives them; `prices` None: nothing is said of them."""
    known = sorted(cells, key=lambda each: each.last)
    of_group: dict[str, list[UsageCell]] = {}
    for each in known:
        of_group.setdefault(str(each.group), []).append(each)
    groups = [summed(found, prices, group) for group, found in of_group.items()]
    if query.by in {Grouping.DAY, Grouping.HOUR}:
        groups.sort(key=lambda each: each.group)
    else:
        groups.sort(key=lambda each: (-each.tokens.total, -each.turns, each.shown))
    rules = Counter[str]()
    for each in known:
        if each.outcome == TurnOutcome.REFUSED and each.kind != TurnKind.WARM_UP:
            rules[each.rule] += each.turns
    sources = None
    if prices is not None:
        found = {prices.source(each.model) for each in known if each.tokens.total}
        sources = tuple(sorted(each for each in found if each is not None))
    return UsageView(
        query=query,
        zone=zone,
        groups=tuple(groups),
        total=summed(known, prices),
        rules=dict(rules.most_common()),
        sources=sources,
        lost=lost,
    )


def summed(cells: Iterable[UsageCell], prices: PriceList | None, group: str = "") -> UsageSum:
    """One sum; what the last of the cells is called is what all are."""
    known = list(cells)
    turns = [each for each in known if each.kind != TurnKind.WARM_UP]
    outcomes, cost, unpriced = Counter[str](), 0.0, Counter[str]()
    for each in turns:
        outcomes[each.outcome] += each.turns
    for each in known if prices is not None else ():
        told = prices.cost(each.model, each.tokens) if prices is not None else None
        if told is None:
            unpriced[each.model] += each.tokens.total
        else:
            cost += told
    return UsageSum(
        group=group,
        shown=next((each.shown for each in reversed(known) if each.shown), group),
        turns=sum(each.turns for each in turns),
        warm_ups=sum(each.turns for each in known if each.kind == TurnKind.WARM_UP),
        outcomes=dict(outcomes),
        attempts=sum(each.attempts for each in known),
        rotations=sum(each.rotations for each in known),
        seconds=sum(each.seconds for each in known),
        tokens=sum((each.tokens for each in known), NO_TOKENS),
        floors=sum(each.floors for each in known),
        cold=sum(each.cold for each in known),
        cost=cost if prices is not None else None,
        unpriced=dict(unpriced.most_common()),
    )


def usage_data(view: UsageView) -> dict[str, Any]:
    """For programs: times are in seconds since the epoch, costs in US dollars."""
    query = view.query
    return {
        "by": str(query.by),
        "since": query.since,
        "until": query.until,
        "time_zone": view.zone,
        "person": query.person or None,
        "account": query.account or None,
        "groups": [{"group": each.group, "name": each.shown, **sum_data(each)} for each in view.groups],
        "total": sum_data(view.total),
        "refused_by": [{"rule": rule, "turns": turns} for rule, turns in view.rules.items()],
        "prices_from": None if view.sources is None else [each._asdict() for each in view.sources],
        "lost": view.lost._asdict(),
    }


def sum_data(each: UsageSum) -> dict[str, Any]:
    """One sum for programs."""
    tokens = each.tokens
    return {
        "turns": each.turns,
        "warm_ups": each.warm_ups,
        **{outcome.name.lower(): each.outcomes.get(outcome, 0) for outcome in TurnOutcome},
        "attempts": each.attempts,
        "rotations": each.rotations,
        "seconds": round(each.seconds, 3),
        "input_tokens": tokens.input,
        "cached_tokens": tokens.cached,
        "output_tokens": tokens.output,
        "reasoning_tokens": tokens.reasoning,
        "cold_tokens": each.cold,
        "turns_without_all_tokens": each.floors,
        "cost": None if each.cost is None else round(each.cost, 6),
        "tokens_without_a_price": [{"model": model, "tokens": count} for model, count in each.unpriced.items()],
    }


def group_name(by: Grouping, group: str, shown: str = "") -> str:
    """A group as a person reads it."""
    nameless = not group or (by is Grouping.PERSON and group == LOCAL)
    return NAMELESS.get(by, "?") if nameless else shown or group
