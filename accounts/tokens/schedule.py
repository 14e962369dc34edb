"""Which token to renew before anybody needs it. Pure: values and the time in, one account or none out."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from accounts.choice.selection import Seat
from accounts.model import Credentials, Standing

AHEAD: Final = 900.0
"""A token this close to its end (seconds) is renewed by the keeper; requests themselves wait until 300 s."""
STAGGER: Final = 600.0
"""Accounts of one login spree expire together. Each is renewed up to this much (seconds) earlier, by its own measure:
tokens of siblings renewed at the same instant have been revoked."""
FIRST_RETRY: Final = 30.0
LAST_RETRY: Final = 1800.0


def next_due(
    seats: Iterable[Seat], tokens: Mapping[str, Credentials], not_before: Mapping[str, float], now: float
) -> str | None:
    """The account whose token ends first of those that are due, None when nobody is."""
    due = []
    for seat in seats:
        key = seat.account.key
        held = tokens.get(key)
        if (
            held is not None
            and held.expires_at is not None
            and seat.account.enabled
            and seat.account.standing is Standing.GOOD
            and held.expires_at - now < AHEAD + stagger(key)
            and not_before.get(key, 0.0) <= now
        ):
            due.append((held.expires_at, key))
    return min(due)[1] if due else None


def next_look(renewed: Credentials, now: float) -> float:
    """When a token that was just renewed may be due again: one that lives for minutes only is not renewed in a loop."""
    lifetime = (renewed.expires_at or now) - now
    return now + max(60.0, lifetime / 2)


def stagger(key: str) -> float:
    """How much earlier than the others this account is renewed: always the same for it, from 0 to STAGGER seconds."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32 * STAGGER


def retry_after(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row (1 or more). `chance` is from 0 to 1."""
    steps = min(max(failures, 1) - 1, 16)
    return min(LAST_RETRY, FIRST_RETRY * 2.0**steps) * (0.5 + chance / 2)
