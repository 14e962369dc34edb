"""How long the accounts of the pool's file last."""

from typing import TYPE_CHECKING

from accounts.choice.selection import Situation
from accounts.errors import NoAccounts
from accounts.forecast import Forecast, forecast
from accounts.policy import stored_pool
from accounts.store.store import Store

if TYPE_CHECKING:  # pydantic takes a while to load: whoever has settings has it already
    from config.settings import Settings


def stored_forecast(store: Store, settings: "Settings", now: float) -> Forecast:
    """What is ahead, from what is stored. Raises NoAccounts."""
    pool = stored_pool(store, settings, now)
    if not pool.candidates:
        raise NoAccounts
    candidates = [pool.candidates[account.key] for account in store.accounts() if account.key in pool.candidates]
    return forecast(candidates, Situation(now=now, policy=pool.policy), pool.tokens)
