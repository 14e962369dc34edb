"""Who comes first when the pool is close to its limits. Pure.

While there is plenty, nobody waits for anybody. Close to the limits, one turn an account is served at a time, and of
those who wait the next one is whoever has had least.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from accounts.choice import quota
from accounts.choice.selection import Candidate
from accounts.model import Standing

CLOSE_PERCENT: Final = 90.0
"""From so much of the scarcest window on, over all accounts, the pool is close to its limits."""


class PoolLevel(NamedTuple):
    """The pool's scarcest window: how long it is, how much of it is used over all accounts, when the first account has
    more of it again (seconds since the epoch, None where nobody knows), and how many accounts have some left."""

    minutes: int
    used_percent: float
    resets_at: float | None
    places: int

    @property
    def is_close(self) -> bool:
        return self.used_percent >= CLOSE_PERCENT


class Claim(NamedTuple):
    """A turn that waits, in the order in which turns come: `over` a soft budget last, then by the person's priority
    (the larger the earlier: `behind` is its opposite), who has had least, who has waited longest."""

    over: bool
    behind: int
    had: float
    since: float
    number: int


def level(candidates: Iterable[Candidate], now: float) -> PoolLevel | None:
    """How the pool's accounts are doing, each counted by its size; None where nothing is known. Accounts that serve
    nothing anyway do not count."""
    used: dict[int, float] = {}
    sizes: dict[int, float] = {}
    ends: dict[int, list[float]] = {}
    places = 0
    for each in candidates:
        if not each.account.enabled or each.account.standing is not Standing.GOOD or not each.has_tokens:
            continue
        size, most = quota.capacity(each.account.plan), 0.0
        for window in (one for one in each.windows if one.family == quota.MAIN):
            percent = 100.0 * (1.0 - quota.left(window, now))
            used[window.minutes] = used.get(window.minutes, 0.0) + size * percent
            sizes[window.minutes] = sizes.get(window.minutes, 0.0) + size
            if window.resets_at is not None and window.resets_at > now:
                ends.setdefault(window.minutes, []).append(window.resets_at)
            most = max(most, percent)
        places += most < 100.0
    if not used:
        return None
    minutes = max(used, key=lambda each: (used[each] / sizes[each], each))
    first = min(ends.get(minutes, ()), default=None)
    return PoolLevel(minutes, min(100.0, used[minutes] / sizes[minutes]), first, places)


def is_next(mine: Claim, waiting: Iterable[Claim], free: int) -> bool:
    """Whether a turn goes on now: `free` is how many may, of those that wait."""
    return sum(each < mine for each in waiting) < free
