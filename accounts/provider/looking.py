"""Which account out of service is looked at again, and when: slowly, one at a time, never in step. Pure.

A mark may have been put by mistake, or the provider may have taken back what it said: nobody else would find out.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from accounts.choice.selection import Candidate
from accounts.model import Credentials, LooksTaken, Standing
from accounts.tokens.lifetime import STAGGER, is_over, stagger

FIRST_LOOK: Final = 1800.0
LAST_LOOK: Final = 86_400.0
SPREAD: Final = 0.25
"""The share by which an account's waits are longer than that, by a measure of its own."""
APART: Final = 60.0
"""Seconds between the looks at two accounts, whoever looks."""


class NextLook(NamedTuple):
    """Whom to look at. `before` is the look before this one; None: there was none, and it is waited for from now on."""

    key: str
    before: LooksTaken | None


def next_look(
    candidates: Iterable[Candidate], tokens: Mapping[str, Credentials], looks: Mapping[str, LooksTaken], now: float
) -> NextLook | None:
    """The account to look at now, None when that is nobody."""
    marked = [
        candidate.account.key
        for candidate in candidates
        if candidate.account.standing is not Standing.GOOD
        and candidate.account.enabled
        and can_be_asked(tokens.get(candidate.account.key), now)
    ]
    if new := [key for key in marked if key not in looks]:
        return NextLook(new[0], None)
    if any(look.times and 0 <= now - look.at < APART for look in looks.values()):
        return None
    due = [(_due(key, looks[key], now), key) for key in marked]
    when, key = min(due, default=(now + 1, ""))
    return NextLook(key, looks[key]) if when <= now else None


def _due(key: str, look: LooksTaken, now: float) -> float:
    """When the next look at an account is due: at once when the clock was set back since."""
    return now if look.at > now else look.at + wait_of(key, look.times)


def can_be_asked(login: Credentials | None, now: float) -> bool:
    """Whether a look could find anything out: with a token that serves, or one that may be renewed. A refresh token
    that is known to be spent is never sent for it."""
    return login is not None and (login.renewable or bool(login.access and not is_over(login.expires_at, now)))


def wait_of(key: str, times: int) -> float:
    """Seconds until the next look after so many: half an hour, then doubling up to a day, and a bit of its own."""
    wait = min(LAST_LOOK, FIRST_LOOK * 2.0 ** min(times, 16))
    return wait * (1 + SPREAD * stagger(f"{key} {times}") / STAGGER)
