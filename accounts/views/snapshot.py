"""How the pool is doing, as its file says: the accounts and their states, what was asked, what happened last."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.codex_files.reconcile import shown_counters
from accounts.history import Decision, RequestTally, decisions, tally
from accounts.model import Account, Event
from accounts.policy import stored_pool
from accounts.states import AccountState
from accounts.store.store import EVENTS_KEPT, Store
from accounts.views.account_list import states_in

if TYPE_CHECKING:  # pydantic takes a while to load: whoever has settings has it already
    from config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What the pool's file says. `told` is by key, like `chosen` (for every client, "" for none) and `pin`, the only
    account that may serve ("": any); `events` and `decisions` are newest first."""

    accounts: tuple[Account, ...]
    told: Mapping[str, AccountState]
    next_reset: tuple[float, str] | None
    chosen: str
    pin: str
    decisions: tuple[Decision, ...]
    tally: RequestTally
    events: tuple[Event, ...]
    counters: Mapping[str, int]

    @property
    def labels(self) -> dict[str, str]:
        """By key."""
        return {each.key: each.label for each in self.accounts}


def take_snapshot(store: Store, settings: "Settings", now: float) -> Snapshot:
    """What the pool's file says."""
    events, pool = store.events(EVENTS_KEPT), stored_pool(store, settings, now)
    told = states_in(pool, now)
    return Snapshot(
        accounts=tuple(candidate.account for candidate in pool.candidates.values()),
        told=told,
        next_reset=min(((each.back, key) for key, each in told.items() if each.back is not None), default=None),
        chosen=store.chosen_account(),
        pin=pool.policy.pin,
        decisions=tuple(decisions(events)),
        tally=tally(events),
        events=events,
        counters=shown_counters(store.counters()),
    )
