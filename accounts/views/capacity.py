"""How much of its limits a pool has used, told as one account's: that of the account which has most left. Pure.

A thread that needs another account gets one, so what a client can still do is what the best one of them can.
"""

from collections.abc import Iterable
from dataclasses import replace

from accounts.choice import quota
from accounts.choice.quota import MAIN, Window
from accounts.choice.selection import Candidate, Policy, Situation, barred


def pool_windows(candidates: Iterable[Candidate], policy: Policy, now: float) -> tuple[Window, ...]:
    """The windows of the account's own limit, with what is used of them now. Of those who can serve; of everybody's if
    nobody can. Empty where nothing is known, and for a pool of accounts that have not been used."""
    situation = Situation(now=now, policy=policy)
    everybody = [each for each in candidates if each.account.enabled]
    serving = [each for each in everybody if barred(each, situation) is None] or everybody
    return min((_windows(each, now) for each in serving), key=_fullest, default=())


def _windows(candidate: Candidate, now: float) -> tuple[Window, ...]:
    mine = (each for each in candidate.windows if each.family == MAIN)
    return tuple(replace(each, used_percent=quota.used(each, now)) for each in mine)


def _fullest(windows: tuple[Window, ...]) -> float:
    return max((each.used_percent for each in windows), default=0.0)
