"""How long the accounts last if it goes on as it did: when each one is used up, and when nobody is left. Pure.

No history of the windows is stored, only what of each is used now. So the pace is the average of the present window:
what is used, by the time since it began. For the pool as a whole, the work of accounts that are out goes to the others,
in proportion to their size (quota.PLAN_WEIGHT). An account that one window keeps out is counted on as if it went on in
its other windows, so the forecast errs on the early side; in return more use never makes it a later one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from accounts.choice import quota
from accounts.choice.quota import Window
from accounts.choice.reset_times import LONGEST
from accounts.choice.selection import Candidate, Excluded, Exclusion, Situation, barred
from accounts.model import Account, Credentials
from accounts.states import AccountState, tell

HOUR: Final = 3600.0
LEAST_PASSED: Final = 0.05
"""Part of a window that counts as passed even when less has: what was used in its first minutes is no pace yet."""
MOST_RESETS: Final = 2000
"""So many resets are looked ahead at most. Only many accounts with short windows beside a long one have more."""
MOST_CHANGES: Final = 50
"""So many changes on the way are told."""


class Outlook(StrEnum):
    """How an account fares: now, or at worst until some moment."""

    READY = "ready"
    LOW = "low"
    """So much is used that it waits behind the others (`defer_percent`)."""
    OUT = "out"
    BACK = "back"
    """It is out now, and serves again before that moment."""
    UNKNOWN = "unknown"
    """It can serve, and nobody has seen how much it has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where one window goes. `used` is in percent, `pace` in percent an hour, `limit` the percent at which the account
    stops. `passed` is how many seconds the pace was taken over. `resets_at` is None when nothing is used yet, and
    `full_at` when the window does not fill up before its reset."""

    window: Window
    used: float
    pace: float
    limit: float
    passed: float = 0.0
    resets_at: float | None = None
    full_at: float | None = None

    def used_at(self, moment: float, now: float) -> float:
        """How much is used by then, at most 100; nothing after the reset."""
        if self.resets_at is not None and moment >= self.resets_at:
            return 0.0
        return min(100.0, self.used + self.pace * max(0.0, moment - now) / HOUR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What is ahead of one account, which is doing now what `told` says. `out_at` is when it stops serving (now, if it
    does not serve), `back_at` when it serves again after that; None for never, by itself. `until` is its last reset,
    None when none is known."""

    account: Account
    told: AccountState
    barred: Excluded | None
    courses: tuple[Course, ...]
    now: Outlook
    next_hour: Outlook
    until_reset: Outlook
    out_at: float | None = None
    back_at: float | None = None
    until: float | None = None

    @property
    def tightest(self) -> Course | None:
        """The window that ends it first, else the one that will be the fullest at its reset."""
        return min(self.courses, key=_tightness, default=None)


@dataclass(frozen=True, slots=True)
class ForecastChange:
    """On the way, at this moment, an account goes out, or serves again."""

    at: float
    account: Account
    serves: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is ahead of the pool. From `out_at` to `back_at` nobody serves but, perhaps, accounts in `unknown`; None for
    never. Those are not counted, because nobody has seen what they have left. `until` is how far the forecast looks:
    when every window that is known has reset once, unless that is too far. `paces` is by the length of a window in
    minutes, in percent of what all accounts have there together, an hour."""

    prospects: tuple[Prospect, ...] = ()
    out_at: float | None = None
    back_at: float | None = None
    until: float | None = None
    paces: Mapping[int, float] = field(default_factory=dict)
    unknown: tuple[Account, ...] = ()
    changes: tuple[ForecastChange, ...] = ()


def forecast(
    candidates: Iterable[Candidate], about: Situation, logins: Mapping[str, Credentials] = MappingProxyType({})
) -> Forecast:
    """What is ahead, for every account and for all of them together. `logins` are the stored ones, by key of the
    account. Never raises."""
    prospects = tuple(_prospect(candidate, about, logins.get(candidate.account.key)) for candidate in candidates)
    serving = [each for each in prospects if each.barred is None or each.barred.until is not None]
    counted = [each for each in serving if each.courses]
    unknown = tuple(each.account for each in serving if not each.courses)
    paces = _demand(prospects)
    shares = {minutes: _share(pace, minutes, prospects) for minutes, pace in paces.items()}
    if not counted:
        out = None if unknown else about.now
        return Forecast(prospects=prospects, out_at=out, paces=shares, unknown=unknown)
    run = _Run(counted, paces, about.now)
    run.go()
    return Forecast(
        prospects=prospects,
        out_at=run.out_at,
        back_at=run.back_at,
        until=about.now + run.end if run.end else None,
        paces=shares,
        unknown=unknown,
        changes=tuple(run.changes),
    )


# --- one account -----------------------------------------------------------------------------------------------------


def course(window: Window, limit: float, now: float) -> Course | None:
    """Where a window goes at its average pace so far; None for one without a length."""
    span = window.minutes * 60.0
    if not 0 < span < math.inf:
        return None
    used = max(0.0, min(100.0, window.used_percent))
    named = window.resets_at is not None and math.isfinite(window.resets_at)
    ends = window.resets_at if named and window.resets_at is not None else window.seen_at + span
    if not now < ends < math.inf:
        return Course(window=window, used=0.0, pace=0.0, limit=limit, full_at=None if limit > 0 else now)
    # Without a reset it is only known that the window is no older than it is long.
    passed = min(span, max(now - (ends - span), span * LEAST_PASSED)) if named else span
    pace = used / passed
    full = now if used >= limit else now + (limit - used) / pace if pace > 0 else math.inf
    return Course(
        window=window,
        used=used,
        pace=pace * HOUR,
        limit=limit,
        passed=passed,
        resets_at=ends,
        full_at=full if full < ends else None,
    )


def _prospect(candidate: Candidate, about: Situation, login: Credentials | None) -> Prospect:
    now, limit = about.now, 100.0 - max(0.0, min(100.0, float(candidate.account.reserve_percent)))
    own = [window for window in candidate.windows if window.family == quota.MAIN]
    courses = tuple(found for each in own if (found := course(each, limit, now)) is not None)
    bar = barred(candidate, about)
    out_at = now if bar is not None else min((c.full_at for c in courses if c.full_at is not None), default=None)
    back_at = _back(bar, courses, out_at)
    until = max((c.resets_at for c in courses if c.resets_at is not None), default=None)

    def by(moment: float | None) -> Outlook:
        """How it fares at worst until then."""
        if out_at == now:
            return Outlook.BACK if back_at is not None and (moment is None or back_at <= moment) else Outlook.OUT
        if not courses:
            return Outlook.UNKNOWN
        if out_at is not None and (moment is None or out_at <= moment):
            return Outlook.OUT
        fullest = max(_fullest(c, moment, now) for c in courses)
        return Outlook.LOW if fullest >= about.policy.defer_percent else Outlook.READY

    present = by(now)
    return Prospect(
        account=candidate.account,
        told=tell(candidate, about, login),
        barred=bar,
        courses=courses,
        now=Outlook.READY if present is Outlook.UNKNOWN else present,
        next_hour=by(now + HOUR),
        until_reset=by(max((until, back_at), key=lambda each: each or 0.0) if until is not None else None),
        out_at=out_at,
        back_at=back_at,
        until=until,
    )


def _back(bar: Excluded | None, courses: Sequence[Course], out_at: float | None) -> float | None:
    """When an account serves again that is out from `out_at` on."""
    if out_at is None or (bar is not None and bar.until is None):
        return None
    full = [c.resets_at for c in courses if c.resets_at and c.full_at is not None and c.full_at <= out_at]
    ends = full + ([bar.until] if bar is not None and bar.until is not None else [])
    return max(ends, default=None)


def _fullest(found: Course, moment: float | None, now: float) -> float:
    """The most that is used on the way to a moment: use only grows until the reset."""
    if found.resets_at is None:
        return found.used
    last = found.resets_at if moment is None else min(moment, found.resets_at)
    return min(100.0, found.used + found.pace * max(0.0, last - now) / HOUR)


def _tightness(found: Course) -> tuple[float, float]:
    to_come = found.window.minutes * 60.0 - found.passed if found.resets_at is not None else 0.0
    in_the_end = found.used + found.pace * to_come / HOUR
    return (math.inf if found.full_at is None else found.full_at), -in_the_end


# --- all of them -----------------------------------------------------------------------------------------------------


def _demand(prospects: Iterable[Prospect]) -> dict[int, float]:
    """What is asked of windows of each length (minutes): percent an hour of one account of plan `plus`. What a paused
    account uses is its owner's; what one used that was signed out since falls to the others."""
    asked: dict[int, float] = {}
    for each in prospects:
        if each.account.enabled:
            for found in each.courses:
                minutes = found.window.minutes
                asked[minutes] = asked.get(minutes, 0.0) + found.pace * quota.capacity(each.account.plan)
    return dict(sorted(asked.items()))


def _share(asked: float, minutes: int, prospects: Iterable[Prospect]) -> float:
    """The same in percent of what those accounts have together."""
    having = [
        quota.capacity(each.account.plan)
        for each in prospects
        if each.account.enabled
        if any(found.window.minutes == minutes for found in each.courses)
    ]
    return asked / sum(having) if having else 0.0


@dataclass(slots=True, kw_only=True)
class _Tank:
    """A window while it is used up. Times are seconds from now; `resets` moves on by `span` with each reset."""

    minutes: int
    level: float
    limit: float
    resets: float
    span: float


@dataclass(slots=True, kw_only=True)
class _Member:
    """An account while the pool is used up. Until `rests` it neither serves nor is counted on."""

    account: Account
    size: float
    rests: float
    tanks: list[_Tank]
    served: bool = False

    def serves(self, at: float) -> bool:
        return self.rests <= at and all(tank.level < tank.limit for tank in self.tanks)

    def back(self, at: float) -> float:
        """When it serves again, if nobody uses it meanwhile."""
        return max(self.rests, *(tank.resets for tank in self.tanks if tank.level >= tank.limit), at)


class _Run:
    """The pool on its way to the end: from one thing that changes the pace to the next."""

    def __init__(self, counted: Sequence[Prospect], asked: Mapping[int, float], now: float) -> None:
        self.now = now
        self.asked = {minutes: pace / HOUR for minutes, pace in asked.items()}
        self.members = [_member(each, now) for each in counted]
        self.end = _horizon(self.members, counted, now)
        self.out_at: float | None = None
        self.back_at: float | None = None
        self.changes: list[ForecastChange] = []

    def go(self) -> None:
        at, began = 0.0, True
        while True:
            size = self._serving(at, tell=not began)
            if size <= 0:
                self.out_at = self.now + at
                self.back_at = self.now + min(member.back(at) for member in self.members)
                return
            paces = {minutes: pace / size for minutes, pace in self.asked.items()}
            following = self._next(at, paces)
            if following > self.end:
                return
            self._pass(at, following, paces)
            at, began = following, False

    def _serving(self, at: float, *, tell: bool) -> float:
        """The size of all that serve. What has changed since the last look is written down if it is to be told."""
        size = 0.0
        for member in self.members:
            serves = member.serves(at)
            size += member.size if serves else 0.0
            if tell and serves is not member.served and len(self.changes) < MOST_CHANGES:
                self.changes.append(ForecastChange(self.now + at, member.account, serves))
            member.served = serves
        return size

    def _next(self, at: float, paces: Mapping[int, float]) -> float:
        """When something changes next: a window is full or resets, or a rest is over."""
        moments = [member.rests for member in self.members if member.rests > at]
        for member in self.members:
            for tank in member.tanks:
                moments.append(tank.resets)
                if member.rests <= at and tank.level < tank.limit and paces[tank.minutes] > 0:
                    moments.append(_full(tank, at, paces))
        return min(moments)

    def _pass(self, at: float, to: float, paces: Mapping[int, float]) -> None:
        for member in self.members:
            for tank in member.tanks:
                if member.rests <= at and tank.level < tank.limit:
                    full = paces[tank.minutes] > 0 and _full(tank, at, paces) <= to
                    tank.level = tank.limit if full else tank.level + paces[tank.minutes] * (to - at)
                if tank.resets <= to:
                    tank.level, tank.resets = 0.0, to + tank.span


def _full(tank: _Tank, at: float, paces: Mapping[int, float]) -> float:
    return at + (tank.limit - tank.level) / paces[tank.minutes]


def _member(prospect: Prospect, now: float) -> _Member:
    """The account as it is now. What is left to its owner is in the limit of its windows, not a rest."""
    bar = prospect.barred
    rests = bar.until if bar is not None and bar.bar is not Exclusion.RESERVED and bar.until is not None else now
    tanks = [
        _Tank(
            minutes=each.window.minutes,
            level=each.used,
            limit=each.limit,
            resets=each.window.minutes * 60.0 if each.resets_at is None else each.resets_at - now,
            span=each.window.minutes * 60.0,
        )
        for each in prospect.courses
    ]
    size = quota.capacity(prospect.account.plan)
    return _Member(account=prospect.account, size=size, rests=max(0.0, rests - now), tanks=tanks)


def _horizon(members: Sequence[_Member], counted: Sequence[Prospect], now: float) -> float:
    """How far to look, in seconds: until the last reset that is known. It does not depend on how much is used."""
    last = max((each.until - now for each in counted if each.until is not None), default=0.0)
    often = sum(1 / tank.span for member in members for tank in member.tanks)
    return min(last, LONGEST, MOST_RESETS / often)
