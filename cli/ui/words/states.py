"""Accounts for people and programs: a record of each, and how long something is past.

What a state is and how it is called is in accounts/states.py.
"""

from accounts.model import Account
from accounts.states import AccountState, State, in_words


def described(number: int, account: Account, told: AccountState, now: float) -> dict[str, object]:
    """An account as programs see it; `number` is its place in the list."""
    rests = told.state in {State.RESTING, State.RESERVED}
    return {
        "number": number,
        "label": account.label,
        "email": account.email,
        "plan": account.plan,
        "state": str(told.state),
        "state_in_words": in_words(told, now),
        "serves": told.serves,
        "until": told.until,
        "resting_until": told.until if rests else None,
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
