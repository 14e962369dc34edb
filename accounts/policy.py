"""What the owner wants of the pool, by the settings and by choice, and the pool as a proxy builds it."""

from typing import TYPE_CHECKING

from accounts.pool import Pool
from accounts.selection import Policy, Strategy
from accounts.store import Store

if TYPE_CHECKING:  # pydantic takes a while to load: whoever has settings has it already
    from config.settings import Settings


def policy_of(settings: "Settings", pool: Pool, chosen: str = "") -> Policy:
    """What the owner wants of the pool: `chosen`, the key of an account (`codex-rotate use`), goes before the settings.

    An account that the settings pin and that is not there bars everybody, and says so.
    """
    pinned = settings.strategy == "pinned"
    return Policy(
        strategy=Strategy.BALANCED if pinned else Strategy(settings.strategy),
        pin=chosen if chosen in pool.seats else pool.named(settings.pinned_account) if pinned else "",
        defer_percent=settings.defer_percent,
        drop_compaction=settings.on_foreign_compaction == "drop",
    )


def stored_pool(store: Store, settings: "Settings") -> Pool:
    """The pool as a proxy that starts now has it. What only a running one knows is not in it: what is in flight, whose
    turn it was last, which models a catalogue named."""
    pool = Pool(store)
    pool.load(store)
    pool.policy = policy_of(settings, pool, store.chosen_account())
    return pool
