"""Why an account is out, first, or behind another one for a conversation, in words."""

import math
from collections.abc import Mapping
from typing import Final

from accounts.choice import quota
from accounts.choice.explanation import Assessment
from accounts.choice.quota import window_name
from accounts.choice.selection import Policy, Rank, Strategy
from accounts.states import LOGIN_ENDS, in_words
from cli.ui.bars import in_percent
from cli.ui.choices import BY_STRATEGY
from config.local_time import clock_time

BEHIND: Final[Mapping[str, str]] = {
    "failed": "it has just failed this thread",
    "place": "the thread lives elsewhere",
    "unlisted": "its catalogue lacks the model",
    "priority": "its priority is lower",
    "crowded": "it was just given other threads whose account failed",
    "added_at": "it was added later",
    "key": "they are equal but for their names",
}
"""What keeps an account behind the one before it, by the field that decides. The other fields have words of their own
in `_traits`, or in BY_STRATEGY."""


def standing(each: Assessment, before: Assessment | None, policy: Policy, now: float) -> str:
    """Why an account is out, or behind the one before it, and what else is special about it."""
    if each.barred is not None:
        return f"cannot serve: {in_words(each.told, now)}"
    traits = _traits(each, policy, now)
    if each.rank is None or before is None or before.rank is None:
        return "; ".join(["first", *traits.values()])
    decides = next(name for name, one, other in zip(Rank._fields, before.rank, each.rank, strict=True) if one != other)
    behind = BEHIND.get(decides) or traits.pop(decides, "") or BY_STRATEGY[policy.strategy][1]
    return "; ".join([f"next: {behind}", *traits.values()])


def _traits(each: Assessment, policy: Policy, now: float) -> dict[str, str]:
    """What is special about an account that can serve, by the field of its rank, and the end of its login."""
    rank, state = each.rank, in_words(each.told, now)
    assert rank is not None
    here = ("the thread lives here", "the thread is here while its home is away", "")
    found = {
        "tired": state if rank.tired else "",
        "deferred": state if rank.deferred and not rank.tired else "",
        "place": here[rank.place],
        "priority": f"priority {-rank.priority}" if rank.priority else "",
        "strategy": _drained(rank, now) if policy.strategy is Strategy.DRAIN else "",
        "login": state if each.told.reason == LOGIN_ENDS else "",
    }
    return {field: words for field, words in found.items() if words}


def _drained(rank: Rank, now: float) -> str:
    return (
        f"resets {clock_time(rank.strategy, now)}"
        if math.isfinite(rank.strategy)
        else "says of no window when it resets"
    )


def used(each: Assessment, now: float) -> str:
    """What is used of each window of the account's own limit."""
    main = [window for window in each.candidate.windows if window.family == quota.MAIN]
    return ", ".join(f"{window_name(w.minutes)} {in_percent(quota.used(w, now)).strip()}" for w in main)
