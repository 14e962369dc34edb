"""How long the accounts of the pool's file last, as values and in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accounts.choice.selection import Situation
from accounts.errors import NoAccounts
from accounts.forecast import Forecast, forecast
from accounts.model import Account
from accounts.owner.names import listed
from accounts.policy import stored_pool
from accounts.store.store import Store
from config.times.local_time import clock_time

if TYPE_CHECKING:  # pydantic takes a while to load: whoever has settings has it already
    from config.settings import Settings


def stored_forecast(store: Store, settings: "Settings", now: float) -> Forecast:
    """What is ahead, from what is stored. Raises NoAccounts."""
    pool = stored_pool(store, settings, now)
    if not pool.candidates:
        raise NoAccounts
    candidates = [pool.candidates[account.key] for account in store.accounts() if account.key in pool.candidates]
    return forecast(candidates, Situation(now=now, policy=pool.policy), pool.tokens)


def outlook_verdict(found: Forecast, now: float, *, asked: bool = False) -> str:
    """How long the pool lasts. `asked`: the provider has just said what it knows."""
    parts = [_uncounted(found.unknown, asked=asked)] if found.unknown else []
    who = "all others" if found.unknown else "the pool"
    counted = any(each.courses for each in found.prospects)
    if found.out_at is not None:
        parts.append(_empty(found.out_at, found.back_at, now, who))
    elif found.until is not None:
        whole = found.until >= max((each.until for each in found.prospects if each.until is not None), default=0.0)
        goal = "until every window resets" if whole else "as far as can be looked ahead"
        lasts = "last" if found.unknown else "lasts"
        parts.append(f"At this pace {who} {lasts} {goal} ({clock_time(found.until, now)}).")
    elif counted:
        parts.append("Nothing is used of the windows that are known, so there is no pace to go by.")
    return " ".join(parts)


def _empty(out_at: float, back_at: float | None, now: float, who: str) -> str:
    how = {"the pool": "is empty", "all others": "are out"}[who]
    back = "None comes back by itself: see `codex-rotate list`."
    if back_at is not None:
        back = f"The first account is back {clock_time(back_at, now)}."
    if out_at <= now:
        return f"{who.capitalize()} {how} now. {back}"
    return f"At this pace {who} {how} {clock_time(out_at, now)}. {back}"


def _uncounted(unknown: Sequence[Account], *, asked: bool) -> str:
    names = listed([each.label for each in unknown])
    why = "the provider names no limit" if asked else "`codex-rotate forecast --live` asks the provider"
    return f"What {names} {'has' if len(unknown) == 1 else 'have'} left is not known and not counted: {why}."
