"""The provider's token endpoint, as values: what to send, what an answer means. No I/O, no clock.

docs/codex-wire.md section 4: refresh tokens are single-use; the answer may leave out any of the three tokens.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from accounts.choice.outcomes import WORD, Reply
from accounts.model import Credentials
from accounts.provider.error_places import described
from accounts.tokens.claims import names_another, read_claims
from accounts.tokens.endings import DEAD, OF_THE_MOMENT, Ending
from accounts.tokens.lifetime import ends_at
from config.provider import PROVIDER

CLIENT_ID: Final = "app_EMoamEEZ73f0CkXaXp7hrann"
LONGEST_TOKEN: Final = 16_384
"""Characters. The provider's are a few thousand at most; what is longer would not fit into a request's head."""


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
    """What the token endpoint's answer means: new credentials, or none, and why.

    `ended` says why the refresh token that was sent must not be sent again (accounts/tokens/endings.py); "": it may,
    later. `rotated` is what is to be sent then, if an answer that was no use otherwise has replaced it. `detail` is for
    people and never holds a token.
    """

    credentials: Credentials | None = field(default=None, repr=False)
    ended: str = ""
    rotated: str = field(default="", repr=False)
    detail: str = ""

    @property
    def dead(self) -> bool:
        """Whether this refresh token brings nothing any more."""
        return bool(self.ended)


def read_renewal(status: int, body: bytes, old: Credentials, now: float, key: str) -> Renewal:
    """Read the endpoint's answer about the account with this key. Never raises; never puts a token in `detail`."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    dead = _dead_word(payload)
    if 200 <= status < 300 and not dead and isinstance(payload, dict):
        return _accepted(payload, old, now, key)
    if status == 200 and not dead:
        return Renewal(detail="200, but no JSON")
    error = payload.get("error") if isinstance(payload, dict) else None
    code = error.get("code") if isinstance(error, dict) else error
    word = dead or (code if isinstance(code, str) and WORD.fullmatch(code) else "")
    ended = dead if status < 500 else ""
    seen = word or ("without a code" if payload is not None else "without JSON")
    return Renewal(ended=ended, detail=f"{status} {seen}")


def _dead_word(payload: object) -> str:
    """The word that ends a refresh token, wherever an answer that brings none says it; "" for none, or if the endpoint
    speaks of its own trouble before that."""
    if isinstance(payload, dict) and _text(payload, "access_token"):
        return ""

    def words(error: Mapping[str, object]) -> frozenset[str]:
        return Reply(status=0, error=error).words() & (DEAD | OF_THE_MOMENT)

    return min(words(described(payload, lambda error: bool(words(error)))) & DEAD, default="")


def fits(token: str) -> bool:
    """Whether this can be a token: it goes into a header as it is."""
    return 0 < len(token) <= LONGEST_TOKEN and token.isascii() and token.isprintable() and " " not in token


def _is_of_another_kind(access: str, old: str) -> bool:
    """Whether a token that says nothing of whose it is takes the place of one that does."""
    return read_claims(access) is None and read_claims(old) is not None


def _accepted(payload: Mapping[str, object], old: Credentials, now: float, key: str) -> Renewal:
    given = {name: _text(payload, f"{name}_token") for name in ("access", "refresh", "id")}
    access, refresh, id_token = given["access"], given["refresh"], given["id"]
    if any(fits(each) and names_another(each, old, key) for each in (access, id_token)):
        return Renewal(ended=Ending.OTHER_ACCOUNT, detail="200 with tokens of another account")
    ended = Ending.UNUSABLE if refresh and not fits(refresh) else ""
    if not fits(access) or _is_of_another_kind(access, old.access):
        detail = f"200 with an access_token that is none{', and a refresh_token that is none' if ended else ''}"
        rotated = refresh if not ended and refresh != old.refresh else ""
        return Renewal(ended=ended, rotated=rotated, detail=detail if access else "200 without access_token")
    renewed = replace(
        old,
        access=access,
        refresh=refresh if refresh and not ended else old.refresh,
        id_token=id_token if fits(id_token) else old.id_token,
        expires_at=ends_at(read_claims(access), now),
        refreshed_at=now,
        ended=ended,
    )
    return Renewal(credentials=renewed, ended=ended, detail="200 with a refresh_token that is none" if ended else "")


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload.get(name)
    return value if isinstance(value, str) else ""
