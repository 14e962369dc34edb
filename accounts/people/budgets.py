"""Budgets of people: how they are written, when they begin anew, and whether one is used up. Pure.

A period is one of the calendar in the owner's time zone. It begins and ends where the clock of now says: whatever the
clock has done before, a budget is never longer than one period and never less than nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from accounts.errors import UsageError
from accounts.people.rules import Denial, PersonRule

if TYPE_CHECKING:
    from accounts.people.people import Person

MOST: Final = 10**12
"""A budget of more is none."""
MOST_AT_ONCE: Final = 1000
NONE: Final = "none"
_LIMIT: Final = re.compile(r"(\d{1,13}(?:\.\d{1,6})?)\s*([kmgb]?)\s*/\s*([a-z]+)", re.ASCII | re.IGNORECASE)
_SIZES: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
_PERCENT: Final = re.compile(r"(\d{1,3})\s*%?", re.ASCII)
_EARLIEST: Final = 0.0
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


class Period(StrEnum):
    """What a budget is for."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """From Monday on."""
    MONTH = "month"


_PERIODS: Final[Mapping[str, Period]] = {
    **{str(each): each for each in Period}, "h": Period.HOUR, "d": Period.DAY, "w": Period.WEEK,
}  # fmt: skip
NOW_OF: Final[Mapping[Period, str]] = {
    Period.HOUR: "this hour",
    Period.DAY: "today",
    Period.WEEK: "this week",
    Period.MONTH: "this month",
}
"""The one of now, in words."""


class Measure(StrEnum):
    """What a budget counts."""

    TOKENS = "tokens"
    """Input and output, as the provider counts them; cached input as well."""
    TURNS = "turns"


_RULES: Final[Mapping[Measure, PersonRule]] = {Measure.TOKENS: PersonRule.TOKENS, Measure.TURNS: PersonRule.TURNS}


class BadBudget(UsageError):
    """A budget that is none."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(f"{text!r} is no budget: {why}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So much in each period."""

    measure: Measure
    amount: int
    period: Period

    def __str__(self) -> str:
        return f"{shortened(self.amount)}/{self.period}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Of one person; 0 and no limits stand for as much as there is. `share` is in percent of the pool's scarcest
    window, `at_once` how many turns may be under way. `soft`: who is over a budget comes last, and is not refused."""

    limits: tuple[Limit, ...] = ()
    share: int = 0
    at_once: int = 0
    soft: bool = False

    def of(self, measure: Measure) -> tuple[Limit, ...]:
        return tuple(each for each in self.limits if each.measure is measure)


class Sums(NamedTuple):
    """What was spent."""

    tokens: int = 0
    turns: int = 0

    def of(self, measure: Measure) -> int:
        return self.tokens if measure is Measure.TOKENS else self.turns


class PoolShare(NamedTuple):
    """How much of the pool's scarcest window a person has used, in percent of all of it, and when it begins anew
    (seconds since the epoch, None where nobody knows). `minutes` is how long the window is."""

    percent: float
    minutes: int
    resets_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a person has used, the turns that are under way included."""

    sums: Mapping[Period, Sums] = field(default_factory=dict)
    share: PoolShare | None = None


# --- how they are written --------------------------------------------------------------------------------------------


def read_limits(measure: Measure, text: str) -> tuple[Limit, ...]:
    """`2M/day`, or several with commas between them; `none` for none. Raises BadBudget."""
    if text.strip().casefold() == NONE:
        return ()
    found = tuple(_read_limit(measure, each) for each in text.split(","))
    if len({each.period for each in found}) < len(found):
        raise BadBudget(text, "it has two limits for the same period. Say one of them")
    return found


def _read_limit(measure: Measure, text: str) -> Limit:
    found = _LIMIT.fullmatch(text.strip())
    example = "2M/day" if measure is Measure.TOKENS else "200/day"
    if found is None:
        raise BadBudget(text, f"say how much and for how long, such as {example}, or none")
    number, size, word = found[1], found[2].casefold(), found[3].casefold()
    period = _PERIODS.get(word) or _PERIODS.get(word.removesuffix("s"))
    if period is None:
        raise BadBudget(text, f"a period is hour, day, week or month, not {word}. Say {example}")
    whole, _, part = number.partition(".")
    scaled = int(whole + part) * _SIZES[size]
    amount, rest = divmod(scaled, 10 ** len(part))
    if rest:
        raise BadBudget(text, f"there is no part of one of the {measure}. Say {example}")
    if not 1 <= amount <= MOST:
        why = "nothing is left of it; `codex-rotate people pause` lets somebody use nothing" if amount < 1 else ""
        raise BadBudget(text, why or "it is more than anybody can use. Say less, or none")
    return Limit(measure=measure, amount=amount, period=period)


def read_share(text: str) -> int:
    """`30%` or `30`, from 1 to 100; `none` is 0. Raises BadBudget."""
    if text.strip().casefold() == NONE:
        return 0
    found = _PERCENT.fullmatch(text.strip())
    if found is None or not 1 <= int(found[1]) <= 100:
        raise BadBudget(text, "a share of the pool is from 1% to 100%, or none")
    return int(found[1])


def read_at_once(text: str) -> int:
    """A whole number of turns from 1 on; `none` is 0. Raises BadBudget."""
    if text.strip().casefold() == NONE:
        return 0
    number = int(text) if re.fullmatch(r"\s*\d{1,6}\s*", text, re.ASCII) else 0
    if not 1 <= number <= MOST_AT_ONCE:
        raise BadBudget(text, f"turns at once are a whole number from 1 to {MOST_AT_ONCE}, or none")
    return number


def shortened(number: int) -> str:
    """A whole number in few characters, and exact: 200, 1.5k, 2M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size and number * 100 % size == 0:
            return f"{number / size:.2f}".rstrip("0").rstrip(".") + unit
    return str(number)


# --- periods ---------------------------------------------------------------------------------------------------------


def begin_of(period: Period, now: float, zone: tzinfo) -> float:
    """When the period began that `now` is in. Seconds since the epoch, here and below."""
    now = min(max(now, _EARLIEST), _LATEST)
    local = datetime.fromtimestamp(now, zone)
    if period is Period.HOUR:
        return float(int(now) - local.minute * 60 - local.second)
    return min(_midnight(_first_day(period, local.date()), zone), now)


def end_of(period: Period, now: float, zone: tzinfo) -> float:
    """When that period ends: later than `now`."""
    now = min(max(now, _EARLIEST), _LATEST)
    begin = begin_of(period, now, zone)
    if period is Period.HOUR:
        return begin + 3600.0
    first = _first_day(period, datetime.fromtimestamp(now, zone).date())
    days = {Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 32}[period]
    return max(_midnight(_first_day(period, first + timedelta(days=days)), zone), now + 1.0)


def _first_day(period: Period, day: date) -> date:
    if period is Period.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if period is Period.WEEK else day


def _midnight(day: date, zone: tzinfo) -> float:
    return datetime.combine(day, time(), zone).timestamp()


# --- judging ---------------------------------------------------------------------------------------------------------


def judge(person: "Person", used: Used, now: float, zone: tzinfo) -> Denial | None:
    """The budget that this person has used up, of several the one that ends last; None while there is none. Whether
    that refuses a turn is another question: a budget may be soft."""
    over = [_over(person.name, each, now, zone) for each in person.budgets.limits if _is_over(each, used)]
    share = used.share
    if person.budgets.share and share is not None and share.percent >= person.budgets.share:
        over.append(_over_share(person, share, now, zone))
    return max(over, key=lambda each: each.until or 0.0, default=None)


def _is_over(limit: Limit, used: Used) -> bool:
    return used.sums.get(limit.period, Sums()).of(limit.measure) >= limit.amount


def _over(name: str, limit: Limit, now: float, zone: tzinfo) -> Denial:
    until = end_of(limit.period, now, zone)
    what = f"{shortened(limit.amount)} {limit.measure}" if limit.amount != 1 else f"1 {limit.measure.removesuffix('s')}"
    told = f"{name} has used the {what} of {NOW_OF[limit.period]}; more {moment(until, now, zone)}"
    return Denial(rule=_RULES[limit.measure], sentence=told, until=until)


def _over_share(person: "Person", share: PoolShare, now: float, zone: tzinfo) -> Denial:
    until = share.resets_at if share.resets_at is not None and share.resets_at > now else None
    back = f"; more {moment(until, now, zone)}" if until is not None else ""
    told = f"{person.name} has used their {person.budgets.share} % of the pool's {_window(share.minutes)} limit{back}"
    return Denial(rule=PersonRule.SHARE, sentence=told, until=until)


def _window(minutes: int) -> str:
    return {10_080: "weekly", 43_200: "monthly", 1_440: "daily"}.get(minutes, f"{max(1, round(minutes / 60))}-hour")


def moment(when: float, now: float, zone: tzinfo) -> str:
    """`at 00:00 Europe/Berlin`; with the day where that is not within a day, with the date where not within a week."""
    there = datetime.fromtimestamp(min(max(when, _EARLIEST), _LATEST), zone)
    name = getattr(zone, "key", None) or there.tzname() or "local time"
    days = (when - now) / 86_400
    at = f"at {there:%H:%M}" if days <= 1 else f"on {there:%a %H:%M}" if days <= 7 else f"on {there:%Y-%m-%d %H:%M}"
    return f"{at} {name}"
