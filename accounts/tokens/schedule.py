"""Which token to renew before anybody needs it. Pure: values and the time in, one account or none out."""

from collections.abc import Iterable, Mapping
from typing import Final

from accounts.choice.selection import Candidate
from accounts.model import Credentials, Standing
from accounts.tokens.lifetime import is_due

FIRST_RETRY: Final = 30.0
LAST_RETRY: Final = 1800.0


def next_due(
    candidates: Iterable[Candidate], tokens: Mapping[str, Credentials], not_before: Mapping[str, float], now: float
) -> str | None:
    """The account whose token ends first of those that are due, None when nobody is."""
    due = []
    for candidate in candidates:
        key = candidate.account.key
        held = tokens.get(key)
        if (
            held is not None
            and held.expires_at is not None
            and candidate.account.enabled
            and candidate.account.standing is Standing.GOOD
            and is_due(key, held.expires_at, now)
            and not_before.get(key, 0.0) <= now
        ):
            due.append((held.expires_at, key))
    return min(due)[1] if due else None


def next_look(renewed: Credentials, now: float) -> float:
    """When a token that was just renewed may be due again: one that lives for minutes only is not renewed in a loop."""
    lifetime = (renewed.expires_at or now) - now
    return now + max(60.0, lifetime / 2)


def retry_after(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row (1 or more). `chance` is from 0 to 1."""
    steps = min(max(failures, 1) - 1, 16)
    return min(LAST_RETRY, FIRST_RETRY * 2.0**steps) * (0.5 + chance / 2)
