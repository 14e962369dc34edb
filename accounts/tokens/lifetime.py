"""How long tokens last, and how close to its end one may be for each purpose. Pure; all numbers are seconds.

The order is meant: the keeper renews first, a request renews what the keeper could not, a question to the provider
takes what is left.
"""

import hashlib
from typing import Final

FOR_KEEPER: Final = 900.0
"""A token this close to its end is renewed while nobody waits for it."""
STAGGER: Final = 600.0
"""Accounts of one login spree expire together. Each is renewed up to this much earlier, by its own measure: tokens of
siblings renewed at the same instant have been revoked."""
FOR_REQUEST: Final = 300.0
"""A request has its token renewed first: an answer may take minutes."""
FOR_QUESTION: Final = 60.0
"""A question of ours to the provider is short."""
FRESH_SECONDS: Final = 300.0
"""A token that was renewed so short a time ago and is refused again is not renewed once more."""


def ends_within(expires_at: float | None, seconds: float, now: float) -> bool:
    """Whether a token ends in less than that. One that does not say when it ends, does not."""
    return expires_at is not None and expires_at - now < seconds


def is_over(expires_at: float | None, now: float) -> bool:
    """Whether a token has expired."""
    return expires_at is not None and expires_at <= now


def is_due(key: str, expires_at: float | None, now: float) -> bool:
    """Whether the keeper renews the token of this account now."""
    return ends_within(expires_at, FOR_KEEPER + stagger(key), now)


def stagger(key: str) -> float:
    """How much earlier than the others this account is renewed: always the same for it, from 0 to STAGGER."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32 * STAGGER
