"""A made-up login for the official client: worth nothing anywhere but at a proxy of its pool. Pure.

It has the shape of a ChatGPT login (docs/codex-wire.md section 4), so the client needs no account of its own. Its
access token bears a key of a client (keys.py), and that alone is believed: whose it is, and until when, says the pool.
The client is to renew nothing: the token's own end is far away, and the refresh token says nothing. (Without
`last_refresh` the client takes the file for no login at all, seen with 0.171.0.)
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from config.provider import PROVIDER

ISSUER: Final = "https://codex-rotate.invalid"
"""Nobody's: `.invalid` is reserved for that (RFC 2606)."""
PLAN: Final = "team"
NO_REFRESH: Final = "codex-rotate-renews-nothing"
"""Without one the client signs out with the access token, seen with 0.171.0: this is what the provider then gets."""
BEARER: Final = "Bearer "
LASTS: Final = 10 * 365 * 86_400
"""Seconds until the token's own end, which nobody asks about but the client: five minutes before it would renew it."""


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


_HEADER: Final = _part({"alg": "HS256", "typ": "JWT"})
_BEGINS: Final = f'{{"iss":"{ISSUER}",'.encode()
PREFIX: Final = f"{_HEADER}.{base64.urlsafe_b64encode(_BEGINS[: len(_BEGINS) // 3 * 3]).decode()}"
"""What every such token begins with, and no other."""


def login_document(name: str, secret: str, now: float) -> dict[str, Any]:
    """The client's auth.json with the key `secret` of somebody by this name. Times are seconds since the epoch."""
    account = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{ISSUER}/{name}"))
    about = {"chatgpt_account_id": account, "chatgpt_user_id": f"user-{account}", "chatgpt_plan_type": PLAN}
    said = {
        "exp": int(now) + LASTS,
        "iat": int(now),
        "sub": account,
        "email": f"{name}@{ISSUER.removeprefix('https://')}",
        PROVIDER.auth_claim: about,
    }
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": _signed({"iss": ISSUER, **said}, secret),
            "access_token": _signed({"iss": ISSUER, "jti": secret, **said}, secret),
            "refresh_token": NO_REFRESH,
            "account_id": account,
        },
        "last_refresh": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
    }


def is_virtual(authorization: str) -> bool:
    """Whether an `Authorization` header bears a token of such a login, of whatever pool, intact or not."""
    return authorization.startswith(f"{BEARER}{PREFIX}")


def key_in(authorization: str) -> str:
    """The key of a client that it bears; "" if it bears none, or is not as it was made."""
    token = authorization.removeprefix(BEARER).strip()
    try:
        body = token.split(".")[1]
        said = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, IndexError):
        return ""
    secret = said.get("jti") if isinstance(said, Mapping) else None
    if not isinstance(secret, str) or not secret or not hmac.compare_digest(token, _signed(said, secret)):
        return ""
    return secret


def _signed(said: Mapping[str, object], secret: str) -> str:
    text = f"{_HEADER}.{_part(said)}"
    seal = hmac.digest(secret.encode("utf-8", "surrogatepass"), text.encode(), hashlib.sha256)
    return f"{text}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"
