"""The accounts as a list of them shows each: what it is doing, how much of it is used, and which one serves."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from accounts.choice.outcomes import Kind
from accounts.choice.pool import Pool
from accounts.choice.quota import MAIN, Window, left, window_name
from accounts.choice.selection import Candidate, Situation
from accounts.history import decisions
from accounts.model import Account
from accounts.policy import stored_candidates, stored_states
from accounts.states import AccountState, tell_all
from accounts.store.store import Store

SERVED: Final = frozenset({Kind.OK, Kind.UPGRADED})
RECENT_THREADS: Final = 2_000
RECENT_EVENTS: Final = 300
"""So many threads and events are looked at for when an account was last used: all of them would be felt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One account. `number` counts from 1, the oldest first. `windows` are as they are now, those of its own limit
    first, the shortest first. `last_used` is in seconds since the epoch, None when nobody knows. `active`: it is the
    one that everybody uses (`chosen`), or else the one that served last."""

    number: int
    account: Account
    told: AccountState
    windows: tuple[Window, ...] = ()
    last_used: float | None = None
    active: bool = False
    chosen: bool = False


def stored_rows(store: Store, now: float, environ: Mapping[str, str] = os.environ) -> tuple[AccountRow, ...]:
    """What the pool's file says of every account."""
    states, chosen = stored_states(store, now, environ), store.chosen_account()
    return rows(stored_candidates(store).values(), states, now, chosen=chosen, uses=last_uses(store))


def rows(
    candidates: Iterable[Candidate],
    states: Mapping[str, AccountState],
    now: float,
    *,
    chosen: str = "",
    uses: Mapping[str, float] = MappingProxyType({}),
) -> tuple[AccountRow, ...]:
    """A row for each of these, in their order. `states` and `uses`, when each last served, are by key; `chosen` is the
    key of the account for everybody, "" for none."""
    known = {candidate.account.key: candidate for candidate in candidates}
    last = max((key for key in uses if key in known), key=lambda key: uses[key], default="")
    active = chosen if chosen in known else last
    return tuple(
        AccountRow(
            number=number,
            account=candidate.account,
            told=states[key],
            windows=tuple(sorted((_current(each, now) for each in candidate.windows), key=window_order)),
            last_used=uses.get(key),
            active=key == active,
            chosen=key == chosen,
        )
        for number, (key, candidate) in enumerate(known.items(), 1)
    )


def states_in(pool: Pool, now: float) -> dict[str, AccountState]:
    """What every account of a pool is doing, by key, for a new thread."""
    return tell_all(pool.candidates, Situation(now=now, policy=pool.policy), pool.tokens)


def last_uses(store: Store) -> dict[str, float]:
    """When each account last served, by account key: as far as the last threads and requests tell."""
    uses: dict[str, float] = {}
    for thread in store.affinities(RECENT_THREADS):
        key = thread.detour or thread.key
        uses[key] = max(thread.used_at, uses.get(key, 0.0))
    for event in store.events(RECENT_EVENTS):  # a thread's time is up to a minute old, and a request may have no thread
        if event.key and event.at > uses.get(event.key, 0.0):
            attempts = [attempt for each in decisions([event]) for attempt in each.record.attempts]
            if attempts and attempts[-1].kind in SERVED:
                uses[event.key] = event.at
    return uses


def _current(window: Window, now: float) -> Window:
    """The window as it is now: when its end has passed, all of it is free."""
    is_over = left(replace(window, used_percent=100.0), now) > 0
    return replace(window, used_percent=0.0, resets_at=None) if is_over else window


def window_order(window: Window) -> tuple[bool, str, int]:
    return window.family != MAIN, window.family, window.minutes


def window_label(window: Window) -> str:
    """A window of the account's own limit goes by its length, one of another limit by that limit's name too."""
    name = window_name(window.minutes)
    return name if window.family == MAIN else f"{window.family} {name}"


def set_by_owner(account: Account) -> str:
    """What the owner has set, "" for nothing."""
    told: Mapping[str, object] = {
        " ".join(f"#{tag}" for tag in account.tags): account.tags,
        f"priority {account.priority}": account.priority,
        f"keeps {account.reserve_percent} %": account.reserve_percent,
    }
    return ", ".join(text for text, is_set in told.items() if is_set)
