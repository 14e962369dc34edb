"""What has happened, each with what is known of telling it: between two looks, and from one attempt to the next. Pure.

An occurrence begins when its condition holds for the first time, and is over when that has not held for a while,
whoever looks: several proxies of one pool share the list, and may see things seconds apart. It is told once. What is
over before it could be told is told no more.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from accounts.model import fingerprint
from accounts.notices.conditions import Condition, ConditionName, FoundConditions
from config.notify import NoticeKind

BACKOFF: Final = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds to the next attempt, after each one that failed; then it is given up."""
CLAIM_SECONDS: Final = 60.0
"""So long whoever has taken one to tell it has it for themselves; after that they have died."""
OVER_SECONDS: Final = 60.0
"""So long a condition must not have held for its occurrence to be over."""
DRY_SECONDS: Final = 15.0
"""The same of a dry pool: people wait for the word that it is back."""
APART_SECONDS: Final = 60.0
"""So much later than our own now the times are at most that another proxy has just written."""
MOST_WAITING: Final = 100
"""So many wait to be told at most; what is more is not told."""
MOST_KEPT: Final = 5_000

DRY: Final = ConditionName(NoticeKind.POOL_DRY)
BACK: Final = ConditionName(NoticeKind.POOL_BACK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """`since` and the other times are in seconds since the epoch. `gone` is since when its condition has not held;
    `settled`: it was told, given up, or is told to nobody. `reached` are the ways by which it was told so far, `tries`
    how often that failed, `next_at` when to try again, `claimed_until` until when another proxy is at it."""

    condition: Condition
    since: float
    gone: float | None = None
    settled: bool = False
    reached: tuple[str, ...] = ()
    tries: int = 0
    next_at: float = 0.0
    claimed_until: float = 0.0

    @property
    def name(self) -> ConditionName:
        return self.condition.name

    @property
    def id(self) -> str:
        """The same for every attempt, and for no other occurrence."""
        return fingerprint(f"{self.name.kind} {self.name.subject} {self.since:.3f}")[:24]


type Occurrences = tuple[Occurrence, ...]


def noted(
    known: Sequence[Occurrence], found: FoundConditions, wanted: Collection[NoticeKind], now: float
) -> tuple[Occurrences, int]:
    """The list after a look, and how many that are new there was no room for. `wanted` are the kinds to tell."""
    holding = {each.name: each for each in found.holding}
    kept: dict[ConditionName, Occurrence] = {}
    back = None
    for each in known:
        if each.name == BACK:
            if DRY not in holding and not each.settled:
                kept[BACK] = each
        elif each.name in holding:
            kept[each.name] = replace(each, gone=None)
        elif each.name in found.unsure:
            kept[each.name] = each
        else:
            gone = each.gone if each.gone is not None and each.gone <= now else now
            if now - gone < (DRY_SECONDS if each.name == DRY else OVER_SECONDS):
                kept[each.name] = replace(each, gone=gone)
            elif each.name == DRY and each.settled:
                back = found.back
    if back is not None and BACK.kind in wanted:
        kept[BACK] = Occurrence(condition=back, since=now)
    return _with_new(kept, holding, wanted, now)


def _with_new(
    kept: dict[ConditionName, Occurrence],
    holding: Mapping[ConditionName, Condition],
    wanted: Collection[NoticeKind],
    now: float,
) -> tuple[Occurrences, int]:
    room = MOST_WAITING - sum(not each.settled for each in kept.values())
    dropped = 0
    for name, condition in holding.items():
        if name in kept or len(kept) >= MOST_KEPT:
            continue
        tells = name.kind in wanted and not _said_by_another(condition, holding, wanted)
        dropped += tells and room <= 0
        kept[name] = Occurrence(condition=condition, since=now, settled=not tells or room <= 0)
        room -= tells
    return tuple(kept.values()), dropped


def _said_by_another(
    condition: Condition, holding: Mapping[ConditionName, Condition], wanted: Collection[NoticeKind]
) -> bool:
    """Whether a lower mark says it too, or that nothing is left at all."""
    if condition.percent is None:
        return False
    lower = any(each.percent is not None and each.percent < condition.percent for each in holding.values())
    return lower or (DRY in holding and DRY.kind in wanted)


# --- telling ---------------------------------------------------------------------------------------------------------


def due(known: Iterable[Occurrence], now: float) -> list[Occurrence]:
    """Those to be told now, the oldest first. Times that are further ahead than they can be are of a clock that was
    set back since."""
    found = [
        each
        for each in known
        if not each.settled
        and each.gone is None
        and not now < each.next_at <= now + BACKOFF[-1] + APART_SECONDS
        and not now < each.claimed_until <= now + CLAIM_SECONDS + APART_SECONDS
    ]
    return sorted(found, key=lambda each: each.since)


def claimed(known: Iterable[Occurrence], ids: Collection[str], now: float) -> Occurrences:
    """The list with these taken by whoever tells them now."""
    return tuple(replace(each, claimed_until=now + CLAIM_SECONDS) if each.id in ids else each for each in known)


def tried(
    known: Iterable[Occurrence], reached: Mapping[str, Collection[str]], ways: Collection[str], now: float
) -> tuple[Occurrences, list[Occurrence]]:
    """The list after an attempt, and those that are given up. `reached` are the ways by which each was told in it, by
    its id; `ways` all that there are."""
    after, given_up = [], []
    for each in known:
        if each.id not in reached:
            after.append(each)
            continue
        told = tuple(sorted({*each.reached, *reached[each.id]} & set(ways)))
        one = replace(each, reached=told, claimed_until=0.0, settled=len(told) == len(ways))
        if not one.settled:
            one = replace(one, tries=each.tries + 1)
            if one.tries > len(BACKOFF):
                one = replace(one, settled=True)
                given_up.append(one)
            else:
                one = replace(one, next_at=now + BACKOFF[one.tries - 1])
        after.append(one)
    return tuple(after), given_up
