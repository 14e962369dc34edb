"""Why a login is at its end: the provider's own words for it, and ours. Pure.

Only a word of the provider's says that it has signed an account out. Ours say what happened to a refresh token that
left this machine and must not be sent a second time: reuse has cost whole families of logins.
"""

from enum import StrEnum
from typing import Final

DEAD: Final = frozenset(
    {
        "invalid_grant",
        "refresh_token_expired",
        "refresh_token_invalidated",
        "refresh_token_reused",
        "refresh_token_revoked",
        "token_invalidated",
        "token_revoked",
    }
)
"""Errors of the token endpoint that end a refresh token (docs/codex-wire.md section 4). Every other one is about the
request, the configuration or the moment."""

OF_THE_MOMENT: Final = frozenset({"temporarily_unavailable", "server_error", "rate_limit_exceeded", "slow_down"})
"""What the endpoint says of itself. Whatever it was told of others, and tells in passing, ends nothing then."""


class Ending(StrEnum):
    """What ended a refresh token without a word of the provider's."""

    CUT_OFF = "cut_off"
    USED_BEFORE = "used_before"
    OTHER_ACCOUNT = "other_account"
    UNUSABLE = "unusable_answer"
    NO_TOKEN = "no_refresh_token"  # noqa: S105 - a name, not a password


_WORDS: Final = {
    Ending.CUT_OFF: "the answer to its last renewal was lost",
    Ending.USED_BEFORE: "its refresh token was used before",
    Ending.OTHER_ACCOUNT: "its renewal brought tokens of another account",
    Ending.UNUSABLE: "the answer to its last renewal could not be used",
    Ending.NO_TOKEN: "it has no refresh token",
}


def in_words(reason: str) -> str:
    """The rest of a sentence about why a login cannot be renewed, "" where nobody knows."""
    if reason in _WORDS:
        return _WORDS[Ending(reason)]
    return f"the provider said {reason}" if reason else ""


def is_providers(reason: str) -> bool:
    """Whether the provider itself has said so, by a word of its own."""
    return bool(reason) and reason not in _WORDS
