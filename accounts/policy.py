"""What the owner wants of the pool, by the settings and by choice, and the pool as a proxy builds it."""

import os
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from accounts.choice.clock_sense import SensibleSource
from accounts.choice.pool import Pool, key_named
from accounts.choice.ports import Source
from accounts.choice.selection import Candidate, Policy, Situation, Strategy
from accounts.states import AccountState, tell_all
from accounts.store.store import Store
from config import paths

if TYPE_CHECKING:  # pydantic takes a while to load: whoever has settings has it already
    from config.settings import Settings

KEYS: Final = ("strategy", "pinned_account", "defer_percent", "on_foreign_compaction")
"""The settings that a policy is made of."""


def policy_of(settings: "Settings", candidates: Mapping[str, Candidate], chosen: str = "") -> Policy:
    """What the owner wants of the pool: `chosen`, the key of an account (`codex-rotate use`), goes before the settings.

    An account that the settings pin and that is not there bars everybody, and says so.
    """
    pinned = settings.strategy == "pinned"
    return Policy(
        strategy=Strategy.BALANCED if pinned else Strategy(settings.strategy),
        pin=chosen if chosen in candidates else key_named(candidates, settings.pinned_account) if pinned else "",
        defer_percent=settings.defer_percent,
        drop_compaction=settings.on_foreign_compaction == "drop",
    )


def stored_pool(store: Store, settings: "Settings", now: float) -> Pool:
    """The pool as a proxy that starts now has it. What only a running one knows is not in it: what is in flight, whose
    turn it was last, which models a catalogue named."""
    pool = Pool(store)
    pool.load(SensibleSource(store, now))
    pool.policy = policy_of(settings, pool.candidates, store.chosen_account())
    return pool


def stored_candidates(store: Source) -> dict[str, Candidate]:
    """The accounts by key, oldest first, as selection sees them for a request of no particular model."""
    rests, windows, tokens = store.cooldowns(), store.windows(), store.all_credentials()
    return {
        each.key: Candidate(
            account=each,
            cooldown=rests.get(each.key),
            has_tokens=each.key in tokens,
            windows=windows.get(each.key, ()),
        )
        for each in store.accounts()
    }


def stored_states(store: Store, now: float, environ: Mapping[str, str] = os.environ) -> dict[str, AccountState]:
    """What every account is doing, by key, for a new thread. Settings that cannot be used count as none: a command that
    only shows accounts goes on, and `config show` says what is wrong."""
    candidates = stored_candidates(SensibleSource(store, now))
    about = Situation(now=now, policy=stored_policy(candidates, store.chosen_account(), environ))
    return tell_all(candidates, about, store.all_credentials())


def stored_policy(candidates: Mapping[str, Candidate], chosen: str, environ: Mapping[str, str] = os.environ) -> Policy:
    """The policy in force for these accounts. The settings are loaded only if they say something about it, because
    that takes longer than all the rest."""
    if not _has_wishes(environ):
        return Policy(pin=chosen if chosen in candidates else "")
    from config.settings import ConfigError, load  # late: msgspec

    try:
        return policy_of(load(environ), candidates, chosen)
    except ConfigError:
        return Policy(pin=chosen if chosen in candidates else "")


def _has_wishes(environ: Mapping[str, str]) -> bool:
    if any(f"CODEX_ROTATE_{key.upper()}" in environ for key in KEYS):
        return True
    try:
        return not tomllib.loads(paths.config_file(environ).read_text("utf-8-sig")).keys().isdisjoint(KEYS)
    except (OSError, ValueError):
        return False
