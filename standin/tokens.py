"""The tokens of one stand-in: JWTs made at run time with a throw-away key, and the ledger of all that were issued.

Claims and refusals are the client's wire behaviour, docs/codex-wire.md section 4.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Any

import jwt

from standin.replies import EXPIRED, INVALIDATED, NO_TOKEN, UNKNOWN_TOKEN, Reply, error_reply

CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann"
ISSUER = "https://auth.openai.com"
AUTH_CLAIM = "https://api.openai.com/auth"
PROFILE_CLAIM = "https://api.openai.com/profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who an account is. `expires_in` is the life of its access tokens in seconds; `backend_origin`,
    `routing_override` and `name` are what `/wham/accounts/check` says of it, docs/codex-wire.md section 1.1.
    """

    account_id: str
    user_id: str
    email: str
    plan: str
    fedramp: bool
    expires_in: float
    backend_origin: str
    routing_override: str
    name: str

    @property
    def key(self) -> str:
        """One seat: team seats share the account id."""
        return f"{self.account_id}:{self.user_id}"


@dataclass(slots=True)
class Token:
    """One token that was issued, and what became of it. `expires_at` is in seconds since the epoch."""

    value: str = field(repr=False)
    owner: Identity
    expires_at: float = float("inf")
    expired: bool = False
    revoked: bool = False
    used: bool = False
    used_at: float = 0.0
    sendings: int = 0
    """How often a refresh token has arrived."""
    bought: "Grant | None" = None


@dataclass(slots=True)
class Grant:
    """What a login or a refresh gives: three tokens and the time, in seconds since the epoch."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    id_token: str = field(repr=False)
    at: float

    def reply(self) -> dict[str, Any]:
        """The token endpoint's answer."""
        return {
            "id_token": self.id_token,
            "access_token": self.access,
            "refresh_token": self.refresh,
            "token_type": "Bearer",
        }


class Ledger:
    """Every token ever issued. Not locked: the stand-in's state is, around every call."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(48)
        self.access: dict[str, Token] = {}
        self.refresh: dict[str, Token] = {}
        self.reused = 0
        self.grace = 0.0
        """For so many seconds after its use a refresh token gives the same tokens again."""

    def issue(self, owner: Identity, now: float) -> Grant:
        """A new set of tokens; the ones issued before stay as they are."""
        expires_at = now + owner.expires_in
        grant = Grant(
            access=self._jwt(_access_claims(owner), now, expires_at),
            refresh=f"rt_{secrets.token_urlsafe(32)}",
            id_token=self._jwt(_id_claims(owner), now, expires_at),
            at=now,
        )
        self.access[grant.access] = Token(grant.access, owner, expires_at)
        self.refresh[grant.refresh] = Token(grant.refresh, owner)
        return grant

    def issued(self, tokens: dict[str, Token], owner: Identity) -> list[Token]:
        """The tokens of one account in the order they were issued."""
        return [token for token in tokens.values() if token.owner.key == owner.key]

    def bearer(self, authorization: str | None) -> Token | None:
        """The access token an Authorization header bears, valid or not; None for one never issued."""
        scheme, _, value = (authorization or "").partition(" ")
        return self.access.get(value) if scheme.lower() == "bearer" else None

    def refusal(self, authorization: str | None, now: float) -> Reply | None:
        """Why a request with this Authorization header is refused, None if it is not."""
        token = self.bearer(authorization)
        if token is None:
            return UNKNOWN_TOKEN if authorization else NO_TOKEN
        if token.revoked:
            return INVALIDATED
        return EXPIRED if token.expired or token.expires_at <= now else None

    def spend(self, value: str, now: float, lives: float | None = None) -> Grant | Reply:
        """Trade a refresh token, which works once, for a new set of tokens; `lives` is for how many seconds, if not for
        as long as the first ones."""
        token = self.refresh.get(value)
        if token is None:
            return _refused("refresh_token_expired", "Your refresh token has expired.")
        if token.revoked:
            return _refused("refresh_token_invalidated", "Your session has ended.")
        token.sendings += 1
        if token.used and token.bought is not None and now - token.used_at < self.grace:
            return token.bought
        if token.used:
            self.reused += 1
            return _refused("refresh_token_reused", "Your refresh token has already been used.")
        token.used, token.used_at = True, now
        token.bought = self.issue(token.owner if lives is None else replace(token.owner, expires_in=lives), now)
        return token.bought

    def _jwt(self, claims: dict[str, Any], now: float, expires_at: float) -> str:
        times = {"iat": int(now), "exp": int(expires_at), "jti": secrets.token_hex(8), "iss": ISSUER}
        return jwt.encode(claims | times, self._key, algorithm="HS256")


def _refused(code: str, message: str) -> Reply:
    return error_reply(401, code, f"{message} Please try signing in again.")


def _shared_claims(owner: Identity) -> dict[str, Any]:
    return {
        "sub": f"auth0|{owner.user_id}",
        AUTH_CLAIM: {
            "chatgpt_account_id": owner.account_id,
            "chatgpt_user_id": owner.user_id,
            "user_id": owner.user_id,
            "chatgpt_plan_type": owner.plan,
            "chatgpt_account_is_fedramp": owner.fedramp,
        },
    }


def _access_claims(owner: Identity) -> dict[str, Any]:
    profile = {"email": owner.email, "email_verified": True}
    return _shared_claims(owner) | {
        "aud": ["https://api.openai.com/v1"],
        "client_id": CLIENT_ID,
        "scp": ["openid", "profile", "email", "offline_access"],
        PROFILE_CLAIM: profile,
    }


def _id_claims(owner: Identity) -> dict[str, Any]:
    profile = {"email": owner.email, "email_verified": True}
    return _shared_claims(owner) | {"aud": [CLIENT_ID], "email": owner.email, PROFILE_CLAIM: profile}
