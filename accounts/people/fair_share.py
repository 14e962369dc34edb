"""Who comes first when the pool is close to its limits. Pure.

While there is plenty, nobody waits for anybody. Close to the limits, what is left is shared out among those who are at
work, so that who has had least gets most of it: like water, which fills the lowest places first. Who has had more than
the level that it comes to waits for the others, until those are at rest, or the window begins anew.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from accounts.choice import quota
from accounts.choice.selection import Candidate
from accounts.model import Standing

CLOSE_PERCENT: Final = 90.0
"""From so much of the scarcest window on, over all accounts, the pool is close to its limits."""
LAST_SECONDS: Final = 300.0
"""So short before the first account has more again nothing is kept for anybody: what is left then would be lost."""


class PoolLevel(NamedTuple):
    """The pool's scarcest window: how long it is, how much of it is used over all accounts, when the first account has
    more of it again (seconds since the epoch, None where nobody knows)."""

    minutes: int
    used_percent: float
    resets_at: float | None

    @property
    def is_close(self) -> bool:
        return self.used_percent >= CLOSE_PERCENT


class Claim(NamedTuple):
    """Somebody who is at work: the larger the `priority` the earlier, `over` a soft budget last of all. `had` is what
    they have used of the window, in tokens."""

    name: str
    had: int
    priority: int = 0
    over: bool = False


def level(candidates: Iterable[Candidate], now: float) -> PoolLevel | None:
    """How the pool's accounts are doing, each counted by its size; None where nothing is known. Accounts that serve
    nothing anyway do not count."""
    used: dict[int, float] = {}
    sizes: dict[int, float] = {}
    ends: dict[int, list[float]] = {}
    for each in candidates:
        if not each.account.enabled or each.account.standing is not Standing.GOOD or not each.has_tokens:
            continue
        size = quota.capacity(each.account.plan)
        for window in (one for one in each.windows if one.family == quota.MAIN):
            percent = 100.0 * (1.0 - quota.left(window, now))
            used[window.minutes] = used.get(window.minutes, 0.0) + size * percent
            sizes[window.minutes] = sizes.get(window.minutes, 0.0) + size
            if window.resets_at is not None and window.resets_at > now:
                ends.setdefault(window.minutes, []).append(window.resets_at)
    if not used:
        return None
    minutes = max(used, key=lambda each: (used[each] / sizes[each], each))
    first = min(ends.get(minutes, ()), default=None)
    return PoolLevel(minutes, min(100.0, used[minutes] / sizes[minutes]), first)


def held(claims: Iterable[Claim], pool: PoolLevel, used: int, now: float) -> frozenset[str]:
    """The names of those who wait for others. `used` is what everybody has used of the window, whoever they are."""
    at_work = list(claims)
    soon = pool.resets_at is not None and pool.resets_at - now <= LAST_SECONDS
    if not pool.is_close or soon or len(at_work) < 2:
        return frozenset()
    first = max((not each.over, each.priority) for each in at_work)
    ahead = [each for each in at_work if (not each.over, each.priority) == first]
    behind = {each.name for each in at_work if (not each.over, each.priority) != first}
    rest = used * (100.0 / pool.used_percent - 1.0)
    most = fair_level([each.had for each in ahead], rest)
    return frozenset(behind | {each.name for each in ahead if each.had > most + 1.0})


def fair_level(had: Iterable[float], rest: float) -> float:
    """How much each has had when `rest` is used up, if always the one gets something who has had least. Who has had
    more than that already gets nothing."""
    lowest = sorted(had)
    filled = 0.0
    for number, each in enumerate(lowest):
        following = lowest[number + 1] if number + 1 < len(lowest) else float("inf")
        filled += each
        filling = (filled + rest) / (number + 1)
        if filling <= following:
            return filling
    return 0.0
