"""The provider's token endpoint, as values: what to send, what an answer means. No I/O, no clock.

docs/codex-wire.md section 4: refresh tokens are single-use; the answer may leave out any of the three tokens.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from accounts.choice.outcomes import WORD
from accounts.model import Credentials
from accounts.tokens.claims import read_claims
from config.provider import PROVIDER

CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
PERMANENT: Final = frozenset({"refresh_token_expired", "refresh_token_reused", "refresh_token_invalidated"})


def token_url(environ: Mapping[str, str] = os.environ) -> str:
    """Where tokens are renewed; the official client's own variable redirects us as well."""
    return environ.get("CODEX_REFRESH_TOKEN_URL_OVERRIDE") or PROVIDER.token_url


def refresh_body(credentials: Credentials, reason: str) -> dict[str, str]:
    """The JSON body of a refresh. `reason` is one of the client's own words, such as `unauthorized_recovery`."""
    return {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_reason": reason,
        "refresh_token": credentials.refresh,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """What the token endpoint's answer means: new credentials, a dead refresh token, or come back later."""

    credentials: Credentials | None = field(default=None, repr=False)
    dead: bool = False
    detail: str = ""


def read_renewal(status: int, body: bytes, old: Credentials, now: float) -> Renewal:
    """Read the endpoint's answer. Never raises; never puts a token in `detail`."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        payload = {}
    if status == 200:
        return _accepted(payload, old, now)
    error = payload.get("error")
    code = error.get("code") if isinstance(error, dict) else error
    word = code if isinstance(code, str) and WORD.fullmatch(code) else ""
    dead = status == 400 or (status == 401) or word in PERMANENT
    return Renewal(dead=dead, detail=f"{status} {word}".strip())


def _accepted(payload: Mapping[str, object], old: Credentials, now: float) -> Renewal:
    def text(name: str, default: str) -> str:
        value = payload.get(name)
        return value if isinstance(value, str) and value else default

    access = text("access_token", "")
    if not access:
        return Renewal(detail="200 without access_token")
    claims = read_claims(access)
    return Renewal(
        credentials=replace(
            old,
            access=access,
            refresh=text("refresh_token", old.refresh),
            id_token=text("id_token", old.id_token),
            expires_at=claims.expires_at if claims else None,
            refreshed_at=now,
        )
    )
