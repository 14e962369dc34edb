"""Rests of accounts that have no reason any more, and the end of one."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from accounts.choice import quota
from accounts.choice.outcomes import Kind
from accounts.choice.quota import Window
from accounts.model import Account, Cooldown, Event
from accounts.owner.changes import signed
from accounts.store.store import Store
from config.times.local_time import clock_time

FREE_AGAIN: Final = 0.05
"""The share of each window that must be free before a limit counts as over: just below it, answers waver."""


class StaleRest(NamedTuple):
    """A rest that an account no longer needs; `why` is the rest of a sentence."""

    account: Account
    rest: Cooldown
    why: str


def stale_rests(store: Store, now: float) -> list[StaleRest]:
    """Rests that have ended, and those of a limit that is not reached any more."""
    cooldowns, windows = store.cooldowns(), store.windows()
    found = []
    for account in store.accounts():
        rest = cooldowns.get(account.key)
        why = stale(rest, windows.get(account.key, ()), now) if rest else ""
        if rest and why:
            found.append(StaleRest(account, rest, why))
    return found


def stale(rest: Cooldown, windows: Sequence[Window], now: float) -> str:
    """Why a rest has no reason any more, "" when it has one.

    A usage limit is over when every window of the account was seen free after the rest began, or has been reset since.
    """
    if rest.until <= now:
        return f"it ended at {clock_time(rest.until, now)}"
    main = [each for each in windows if each.family == quota.MAIN]
    if rest.reason != Kind.USAGE_LIMIT or not main:
        return ""
    spoke = all(each.seen_at > rest.since or (each.resets_at or now) < now for each in main)
    free = all(quota.left(each, now) >= FREE_AGAIN for each in main)
    return "its limit is not reached any more" if spoke and free else ""


def end_rest(store: Store, account: Account, rest: Cooldown, why: str, now: float) -> bool:
    """Whether it was ended: one that began meanwhile is news, not stale, and stays."""
    if store.cooldowns().get(account.key) != rest:
        return False
    store.clear_cooldown(account.key).result()
    store.record(Event(at=now, kind="rest_ended", key=account.key, detail=why))
    return True


def restore_rest(store: Store, account: Account, rest: Cooldown, now: float, *, by: str = "") -> bool:
    """Let an account rest again as it did, if that rest is not over: the end of it was a mistake."""
    if rest.until <= now:
        return False
    store.set_cooldown(account.key, rest).result()
    detail = signed(f"until {clock_time(rest.until, now)}", by)
    store.record(Event(at=now, kind="rest_restored", key=account.key, detail=detail))
    return True
