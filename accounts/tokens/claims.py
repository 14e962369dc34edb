"""What a login's tokens say about whose they are. Read without checking the signature: the key is the provider's, and
whatever is read here decides only how an account is named and kept apart, never whether it is trusted."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from accounts.model import Credentials
from config.provider import PROVIDER

_AUTH: Final = PROVIDER.auth_claim
_PROFILE: Final = PROVIDER.profile_claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Whose tokens these are; "" for what they do not say. `expires_at` and `issued_at` are the access token's, in
    epoch seconds of the provider's clock."""

    account_id: str = ""
    user_id: str = ""
    email: str = ""
    plan: str = ""
    fedramp: bool = False
    expires_at: float | None = None
    issued_at: float | None = None


def read_claims(access: str, id_token: str = "") -> Claims | None:
    """The claims of an access token, completed from the id token; None when neither is a JWT."""
    of_access, of_id = _payload(access), _payload(id_token)
    payloads = [payload for payload in (of_access, of_id) if payload is not None]
    if not payloads:
        return None
    return Claims(
        account_id=_text(payloads, (_AUTH, "chatgpt_account_id")),
        user_id=_text(payloads, *_USER),
        email=_text(payloads, (_PROFILE, "email"), ("email",)),
        plan=_text(payloads, (_AUTH, "chatgpt_plan_type")),
        fedramp=any(_at(payload, (_AUTH, "chatgpt_account_is_fedramp")) is True for payload in payloads),
        expires_at=_seconds(of_access.get("exp")) if of_access else None,
        issued_at=_seconds(of_access.get("iat")) if of_access else None,
    )


_USER: Final = ((_AUTH, "chatgpt_user_id"), (_AUTH, "user_id"), ("sub",))
"""The claims that name the user, the surest first. Not every token has all of them."""


def names_another(token: str, old: Credentials, key: str) -> bool:
    """Whether a new token says that it is another account's, or another user's, than the account with this key, whose
    tokens were `old` until now. A token that says nothing of it does not.

    Users are compared by one claim, the surest that both sides have: the same person goes by different names in
    different claims.
    """
    new = _payload(token)
    if new is None:
        return False
    account_id, _, user_id = key.partition(":")
    claimed = _text([new], (_AUTH, "chatgpt_account_id"))
    if claimed and claimed != account_id:
        return True
    before = [payload for payload in (_payload(old.access), _payload(old.id_token)) if payload is not None]
    known = [({_text([each], path) for each in before} - {""}, _text([new], path)) for path in _USER]
    if both := [(mine, theirs) for mine, theirs in known if mine and theirs]:
        mine, theirs = both[0]
        return theirs not in mine
    if any(mine for mine, _ in known) or "@" in user_id or user_id == account_id:  # a file did not say whose it is
        return False
    *sure, _ = known  # a subject alone may be the name of a way to log in
    named = {theirs for _, theirs in sure} - {""}
    return bool(named) and user_id not in named


def _payload(token: str) -> Mapping[str, Any] | None:
    if token.count(".") != 2 or not token.isascii():
        return None
    import jwt  # late: it brings the whole of cryptography along

    unsigned = token.rpartition(".")[0] + "."  # nobody here can check the signature, so nothing of it is read
    try:
        return jwt.decode(unsigned, options={"verify_signature": False})
    except jwt.PyJWTError:
        return None


def _text(payloads: Iterable[Mapping[str, Any]], *paths: tuple[str, ...]) -> str:
    """The first text found, by path first and payload second. Unprintable text is none: it ends up on terminals."""
    found = (_at(payload, path) for path in paths for payload in payloads)
    return next((value for value in found if isinstance(value, str) and value and value.isprintable()), "")


def _at(payload: Mapping[str, Any], path: tuple[str, ...]) -> object:
    value: object = payload
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _seconds(value: object) -> float | None:
    """A moment in epoch seconds. Zero and what is before it is none: no token was ever made to end then."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = float(value)
    except OverflowError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None
