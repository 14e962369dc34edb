"""How an account's state is told: one word for programs, a few for people."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from accounts.model import Account, Cooldown, Standing


class State(StrEnum):
    READY = "ready"
    RESTING = "resting"
    NEEDS_LOGIN = "needs_login"
    CLOSED = "closed"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Told:
    """`until` is in epoch seconds and, like `reason`, set for a resting account only."""

    state: State
    until: float | None = None
    reason: str = ""


def tell(account: Account, cooldown: Cooldown | None, now: float) -> Told:
    """The one state that explains best why an account serves or does not: what only its owner can mend comes first."""
    if account.standing is Standing.DEACTIVATED:
        return Told(State.CLOSED)
    if account.standing is Standing.NEEDS_LOGIN:
        return Told(State.NEEDS_LOGIN)
    if not account.enabled:
        return Told(State.PAUSED)
    if cooldown is not None and cooldown.until > now:
        return Told(State.RESTING, cooldown.until, cooldown.reason)
    return Told(State.READY)


def in_words(told: Told, now: float) -> str:
    """For a table cell."""
    if told.until is not None:
        reason = f" ({told.reason.replace('_', ' ')})" if told.reason else ""
        return f"resting until {clock_time(told.until, now)}{reason}"
    return {State.NEEDS_LOGIN: "needs login", State.CLOSED: "closed by provider"}.get(told.state, str(told.state))


def clock_time(moment: float, now: float) -> str:
    """Local time: HH:MM today, with the day of the week within six days, with the date otherwise."""
    there, here = _local(moment), _local(now)
    days = abs((there.date() - here.date()).days)
    if days == 0:
        return f"{there:%H:%M}"
    return f"{there:%a %H:%M}" if days < 7 else f"{there:%Y-%m-%d %H:%M}"


def _local(moment: float) -> datetime:
    try:
        return datetime.fromtimestamp(moment, UTC).astimezone()
    except (ValueError, OverflowError, OSError):  # a reset time beyond the calendar
        return datetime.max.replace(tzinfo=UTC)
