"""How much of its limits a pool has used, told as one account's: that of the account which has most left. Pure.

A thread that needs another account gets one, so what a client can still do is what the best one of them can.
"""

from collections.abc import Iterable
from dataclasses import replace

from accounts.choice import quota
from accounts.choice.quota import MAIN, Window
from accounts.choice.selection import Ask, Candidate, Policy, Situation, barred
from accounts.people.subset import in_subset

_ANYBODY = Ask()


def pool_windows(
    candidates: Iterable[Candidate], policy: Policy, now: float, *, ask: Ask = _ANYBODY, family: str = MAIN
) -> tuple[Window, ...]:
    """The windows of the limit `family`, with what is used of them now. Of those who can serve what is asked; if nobody
    can, of all who ever may.

    An account of which nothing is known has not been used: its windows are those of another one, with nothing used of
    them. Empty where nothing is known of anybody.
    """
    situation = Situation(now=now, ask=ask, policy=policy)
    pin = ask.pin or policy.pin
    everybody = [
        each
        for each in candidates
        if each.account.enabled and pin in {"", each.account.key} and in_subset(each.account, ask.only)
    ]
    serving = [each for each in everybody if barred(each, situation) is None] or everybody
    best = min((_windows(each, family, now) for each in serving), key=_fullest, default=())
    return best or _unused(next(filter(None, (_windows(each, family, now) for each in everybody)), ()), now)


def _windows(candidate: Candidate, family: str, now: float) -> tuple[Window, ...]:
    mine = (each for each in candidate.windows if each.family == family)
    return tuple(replace(each, used_percent=quota.used(each, now)) for each in mine)


def _fullest(windows: tuple[Window, ...]) -> float:
    return max((each.used_percent for each in windows), default=0.0)


def _unused(windows: tuple[Window, ...], now: float) -> tuple[Window, ...]:
    return tuple(replace(each, used_percent=0.0, resets_at=now + each.minutes * 60.0) for each in windows)
