"""How long tokens last, and how close to its end one may be for each purpose. Pure; all numbers are seconds.

The order is meant: the keeper renews first, a request renews what the keeper could not, a question to the provider
takes what is left. A token that lives for minutes only has all of this in proportion: it is used until near its end.
"""

import hashlib
from typing import Final, NamedTuple

from accounts.model import Credentials
from accounts.tokens.claims import Claims

FOR_KEEPER: Final = 900.0
"""A token this close to its end is renewed while nobody waits for it."""
STAGGER: Final = 600.0
"""Accounts of one login spree expire together. Each is renewed up to this much earlier, by its own measure: tokens of
siblings renewed at the same instant have been revoked."""
FOR_REQUEST: Final = 300.0
"""A request has its token renewed first: an answer may take minutes."""
FOR_QUESTION: Final = 60.0
"""A question of ours to the provider is short."""
LEAST_QUESTION: Final = 15.0
"""As long as the question is waited for."""
FRESH_SECONDS: Final = 300.0
"""A token that was renewed so short a time ago and is refused again is not renewed once more."""
LEAST_USE: Final = 30.0
"""A token that was renewed so short a time ago is used, whatever it says of its end: our clock may be wrong."""

CLOCKS_DIFFER: Final = 120.0
"""So much two clocks differ that are both said to be right."""


class Leads(NamedTuple):
    """How long before its end a token is renewed, and how long it counts as new."""

    keeper: float = FOR_KEEPER
    stagger: float = STAGGER
    request: float = FOR_REQUEST
    question: float = FOR_QUESTION
    fresh: float = FRESH_SECONDS
    least_use: float = LEAST_USE


def leads(login: Credentials) -> Leads:
    """Of this token. The shares matter below an hour of life; how long one lives is known of those that say when they
    end, and of which it is known when they were issued."""
    lives = (login.expires_at or 0.0) - login.refreshed_at
    if not login.refreshed_at or lives <= 0:
        return Leads()
    shares = (lives / 4, lives / 6, lives / 8, max(lives / 16, LEAST_QUESTION), lives / 4, lives / 2)
    return Leads(*(min(most, share) for most, share in zip(Leads(), shares, strict=True)))


def ends_within(expires_at: float | None, seconds: float, now: float) -> bool:
    """Whether a token ends in less than that. One that does not say when it ends, does not."""
    return expires_at is not None and expires_at - now < seconds


def ends_at(claims: Claims | None, now: float) -> float | None:
    """When a token that was given just now ends, by our clock. Where that is plainly not the provider's, the token
    lasts as long as it was made to last."""
    if claims is None or claims.expires_at is None or claims.issued_at is None:
        return claims.expires_at if claims is not None else None
    lives = claims.expires_at - claims.issued_at
    wrong = claims.expires_at <= now or claims.issued_at > now + CLOCKS_DIFFER
    return now + lives if wrong and lives > 0 else claims.expires_at


def is_over(expires_at: float | None, now: float) -> bool:
    """Whether a token has expired."""
    return expires_at is not None and expires_at <= now


def is_fresh(login: Credentials, now: float) -> bool:
    """Whether a token was renewed so short a time ago that a refusal is not for its age."""
    return 0 <= now - login.refreshed_at < leads(login).fresh


def wants_renewal(login: Credentials, now: float) -> bool:
    """Whether a request has the token renewed before it is used. One that cannot be renewed is used until its end."""
    if not login.renewable:
        return is_over(login.expires_at, now)
    allowed = leads(login)
    if login.expires_at and 0 <= now - login.refreshed_at < allowed.least_use:  # 0: it was refused
        return False
    return ends_within(login.expires_at, allowed.request, now)


def is_nearly_over(login: Credentials, now: float) -> bool:
    """Whether an account is as good as lost unless its token is renewed now."""
    return ends_within(login.expires_at, leads(login).request, now)


def is_due(key: str, login: Credentials, now: float) -> bool:
    """Whether the keeper renews the token of this account now."""
    allowed = leads(login)
    early = stagger(key) / STAGGER * allowed.stagger
    return login.renewable and ends_within(login.expires_at, allowed.keeper + early, now)


def stagger(key: str) -> float:
    """How much earlier than the others this account is renewed: always the same for it, from 0 to STAGGER."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) / 2**32 * STAGGER


def serves_until(login: Credentials, now: float) -> float | None:
    """When a login that cannot be renewed any more ends; None for one that can be, does not say, or is over."""
    return None if login.renewable or is_over(login.expires_at, now) else login.expires_at
