"""How an account's state is told: one word for programs, a few for people, and what to do about it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from accounts.errors import LoginNeeded
from accounts.model import Account, Cooldown, Standing
from accounts.quota import Window, deferred_until
from cli.naming import listed, typed
from config.local_time import clock_time


class State(StrEnum):
    READY = "ready"
    RESTING = "resting"
    RESERVED = "reserved"
    """What is left of it is kept for its owner."""
    NEEDS_LOGIN = "needs_login"
    CLOSED = "closed"
    PAUSED = "paused"


class Told(NamedTuple):
    """`until` is in epoch seconds and set for a resting or reserved account only, `reason` for a resting one."""

    state: State
    until: float | None = None
    reason: str = ""


def tell(account: Account, cooldown: Cooldown | None, now: float, windows: Sequence[Window] = ()) -> Told:
    """The one state that explains best why an account serves or does not: what only its owner can mend comes first.

    Without `windows`, what the owner has kept is not seen.
    """
    if account.standing is Standing.DEACTIVATED:
        return Told(State.CLOSED)
    if account.standing is Standing.NEEDS_LOGIN:
        return Told(State.NEEDS_LOGIN)
    if not account.enabled:
        return Told(State.PAUSED)
    if cooldown is not None and cooldown.until > now:
        return Told(State.RESTING, cooldown.until, cooldown.reason)
    kept = account.reserve_percent
    until = deferred_until(windows, limit_percent=100.0 - kept, now=now) if kept > 0 else None
    return Told(State.READY) if until is None else Told(State.RESERVED, until)


def in_words(told: Told, now: float) -> str:
    """For a table cell."""
    if told.until is not None:
        reason = f" ({told.reason.replace('_', ' ')})" if told.reason else ""
        doing = "kept for its owner" if told.state is State.RESERVED else "resting"
        return f"{doing} until {clock_time(told.until, now)}{reason}"
    return {State.NEEDS_LOGIN: "needs login", State.CLOSED: "closed by provider"}.get(told.state, str(told.state))


def remedies(seats: Sequence[tuple[Account, Told]], now: float) -> list[str]:
    """What to do about accounts that will not serve by themselves, and about a pool in which nobody serves."""
    by_state = {state: [account.label for account, told in seats if told.state is state] for state in State}
    dead, closed, paused = by_state[State.NEEDS_LOGIN], by_state[State.CLOSED], by_state[State.PAUSED]
    told = []
    if len(dead) == 1:
        told.append(str(LoginNeeded(dead[0])))
    elif dead:
        told.append(
            f"{listed(dead)} were signed out by the provider. Run `codex-rotate login` with each: "
            "they are renewed in their places."
        )
    if closed:
        name = typed(closed[0]) if len(closed) == 1 else "ACCOUNT"
        told.append(
            f"{listed(closed)}: closed by the provider, and no login opens that again. "
            f"Run `codex-rotate remove {name}` for what will not come back."
        )
    if seats and not by_state[State.READY]:
        back = min((each.until for _, each in seats if each.until is not None), default=None)
        waiting = "Nobody can serve now" if back is None else f"Nobody can serve before {clock_time(back, now)}"
        way = f"`codex-rotate resume {typed(paused[0])}`" if paused else "`codex-rotate login`"
        told.append(f"{waiting}. {way} brings in {'a paused' if paused else 'another'} account.")
    return told


def described(number: int, account: Account, told: Told) -> dict[str, object]:
    """An account as programs see it; `number` is its place in the list."""
    return {
        "number": number,
        "label": account.label,
        "email": account.email,
        "plan": account.plan,
        "state": str(told.state),
        "resting_until": told.until,
        "reason": told.reason,
        "account_id": account.account_id,
        "user_id": account.user_id,
        "backend_origin": account.backend_origin,
        "routing_override": account.routing_override,
        "added_at": account.added_at,
    }


def ago(moment: float, now: float) -> str:
    """How long something is past, in two words at most."""
    seconds = max(0.0, now - moment)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit} ago"
    return "just now"
