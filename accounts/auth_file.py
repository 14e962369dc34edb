"""Reads the official client's auth.json. It is never written to: the client owns it."""

import codecs
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from accounts.claims import Claims, read_claims
from accounts.errors import BadAuthFile
from accounts.model import Account, Credentials

LARGEST: Final = 1024 * 1024
"""Bytes. A login is a few KiB; anything larger is another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A seat and its tokens. The account's label is a proposal, its `added_at` is left to whoever stores it."""

    account: Account
    credentials: Credentials


def read_auth_file(path: Path) -> Login:
    """The ChatGPT login in `path`. Raises BadAuthFile, which names the file and the field and shows no token."""
    document = _document(path)
    tokens = document.get("tokens")
    if not isinstance(tokens, dict):
        raise BadAuthFile(path, _no_tokens(document))
    credentials = _credentials(path, tokens, document.get("last_refresh"))
    claims = read_claims(credentials.access, credentials.id_token) or Claims()
    account_id = _account_id(path, tokens, credentials)
    account = Account(
        account_id=account_id,
        # A token that names no user is somebody's all the same: the e-mail's, else the workspace's only one.
        user_id=claims.user_id or claims.email.strip().lower() or account_id,
        label=claims.email.partition("@")[0] or account_id[:8],
        email=claims.email,
        plan=claims.plan,
        fedramp=claims.fedramp,
    )
    return Login(account=account, credentials=credentials)


def _document(path: Path) -> dict[str, Any]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadAuthFile(path, "this is not a file.")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        raise BadAuthFile(path, f"it cannot be read ({getattr(e, 'strerror', None) or e}).") from e
    if len(content) > LARGEST:
        raise BadAuthFile(path, "it is larger than 1 MiB, so it is not a login.")
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        document = json.loads(content.decode(encoding))
    except (ValueError, RecursionError):  # from None: the decoder's error holds the content
        raise BadAuthFile(path, "it is not JSON.") from None
    if not isinstance(document, dict):
        raise BadAuthFile(path, "it is JSON, but not an object.")
    return document


def _no_tokens(document: Mapping[str, Any]) -> str:
    if document.get("OPENAI_API_KEY"):
        return "it holds only an API key (OPENAI_API_KEY); the pool needs a ChatGPT login (tokens)."
    return "it holds no ChatGPT login (tokens)."


def _credentials(path: Path, tokens: Mapping[str, Any], last_refresh: object) -> Credentials:
    access = _token(path, tokens, "access_token")
    refresh = _token(path, tokens, "refresh_token")
    id_token = _token(path, tokens, "id_token") if tokens.get("id_token") else ""
    claims = read_claims(access)
    return Credentials(
        access=access,
        refresh=refresh,
        id_token=id_token,
        expires_at=claims.expires_at if claims else None,
        refreshed_at=_epoch(last_refresh),
    )


def _token(path: Path, tokens: Mapping[str, Any], field: str) -> str:
    value = tokens.get(field)
    if value is None or value == "":
        raise BadAuthFile(path, f"tokens.{field} is missing.")
    if not isinstance(value, str) or not _fits_a_header(value):
        raise BadAuthFile(path, f"tokens.{field} is not a token.")
    return value


def _account_id(path: Path, tokens: Mapping[str, Any], credentials: Credentials) -> str:
    """The one account id that the file and both tokens agree on; those that name none do not count."""
    named = tokens.get("account_id") or ""
    if not isinstance(named, str):
        raise BadAuthFile(path, "tokens.account_id is not text.")
    claimed = [read_claims(token) for token in (credentials.access, credentials.id_token)]
    found = {named, *(claims.account_id for claims in claimed if claims)} - {""}
    if not found:
        raise BadAuthFile(path, "tokens.account_id is missing.")
    if len(found) > 1:
        raise BadAuthFile(path, "tokens.account_id and the tokens name different accounts.")
    account_id = found.pop()
    if not _fits_a_header(account_id):
        raise BadAuthFile(path, "tokens.account_id is not an account id.")
    return account_id


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value


def _epoch(moment: object) -> float:
    """RFC 3339 as epoch seconds, 0 for anything else."""
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() if parsed else 0.0
    except (ValueError, OverflowError):
        return 0.0
