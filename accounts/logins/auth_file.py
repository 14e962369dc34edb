"""Reads the official client's auth.json. The client owns it: only `sync push` writes it."""

import codecs
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from accounts.errors import BadAuthFile, VirtualLoginFile
from accounts.model import Account, Credentials
from accounts.people.virtual_login import BEARER, is_virtual
from accounts.tokens.claims import Claims, read_claims

LARGEST: Final = 1024 * 1024
"""Bytes. A login is a few KiB; anything larger is another file."""


PERSONAL: Final = "at-"
"""How a personal access token begins (docs/codex-wire.md section 4)."""
OF_A_PERSON: Final = (
    "The official client works with one, for as long as it was made for; the pool cannot, because it says neither "
    "whose it is nor when it ends, and nothing renews it."
)
ACCESS_ONLY: Final = "There is only an access token, which ends within days and which nothing could renew."
INSTEAD: Final = "Run `codex-rotate login` with that account: it gives the pool a login that can be renewed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A seat and its tokens. The account's label is a proposal, its `added_at` is left to whoever stores it."""

    account: Account
    credentials: Credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSource:
    """Where in which file a login lies, for messages: `where` comes before a field's name, `names` has other names.

    Only an auth.json must have an access token; elsewhere an account without one has it fetched at its first use.
    """

    path: Path
    where: str = "tokens."
    names: Mapping[str, str] = field(default_factory=dict)
    needs_access: bool = True

    def bad(self, name: str, trouble: str) -> BadAuthFile:
        return BadAuthFile(self.path, f"{self.where}{self.names.get(name, name)} {trouble}")

    def not_renewable(self, name: str, trouble: str) -> BadAuthFile:
        return BadAuthFile(self.path, f"{self.where}{self.names.get(name, name)} {trouble}", INSTEAD)


def read_auth_file(path: Path) -> Login:
    """The ChatGPT login in `path`. Raises BadAuthFile, which names the file and the field and shows no token."""
    return login_in(path, read_document(path))


def login_in(path: Path, document: Mapping[str, Any]) -> Login:
    """The same, of a file that has been read already."""
    tokens = document.get("tokens")
    if not isinstance(tokens, dict):
        if is_personal(document):
            raise BadAuthFile(path, f"it holds a personal access token. {OF_A_PERSON}", INSTEAD)
        raise BadAuthFile(path, _no_tokens(document))
    login = login_at(LoginSource(path=path), tokens)
    refreshed_at = _epoch(document.get("last_refresh"))
    return replace(login, credentials=replace(login.credentials, refreshed_at=refreshed_at))


def is_personal(document: Mapping[str, Any]) -> bool:
    """Whether a login of the client's is a personal access token."""
    return bool(document.get("personal_access_token")) or document.get("auth_mode") == "personalAccessToken"


def login_at(source: LoginSource, tokens: Mapping[str, Any], email: str = "") -> Login:
    """The login that these fields make. Raises BadAuthFile."""
    credentials = _credentials(source, tokens)
    return login_of(_account_id(source, tokens, credentials), credentials, email)


def login_of(account_id: str, credentials: Credentials, email: str = "") -> Login:
    """The seat these tokens are for, in the workspace `account_id`; `email` is for tokens that name none."""
    claims = read_claims(credentials.access, credentials.id_token) or Claims()
    email = claims.email or email
    account = Account(
        account_id=account_id,
        # A token that names no user is somebody's all the same: the e-mail's, else the workspace's only one.
        user_id=claims.user_id or email.strip().lower() or account_id,
        label=email.partition("@")[0].strip() or account_id[:8],
        email=email,
        plan=claims.plan,
        fedramp=claims.fedramp,
    )
    return Login(account=account, credentials=credentials)


def read_document(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """The JSON object in a file of at most so many bytes. Raises BadAuthFile."""
    return parse(path, read_content(path, largest))


def read_content(path: Path, largest: int = LARGEST) -> bytes:
    """What is in a file of at most so many bytes. Raises BadAuthFile."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise BadAuthFile(path, "this is not a file.")
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as e:  # ValueError: a NUL in the name
        raise BadAuthFile(path, f"it cannot be read ({getattr(e, 'strerror', None) or e}).") from e
    if len(content) > largest:
        raise BadAuthFile(path, f"it is larger than {largest // 1024 // 1024} MiB, so it is not a login.")
    return content


def parse(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object in a file's content, in any encoding that editors save. Raises BadAuthFile."""
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


def _credentials(source: LoginSource, tokens: Mapping[str, Any]) -> Credentials:
    _refuse_what_nothing_renews(source, tokens)
    absent = not source.needs_access and tokens.get("access_token") in (None, "")
    access = "" if absent else _token(source, tokens, "access_token")
    refresh = _token(source, tokens, "refresh_token")
    id_token = _token(source, tokens, "id_token") if tokens.get("id_token") else ""
    claims = read_claims(access)
    expires_at = claims.expires_at if claims else None
    return Credentials(access=access, refresh=refresh, id_token=id_token, expires_at=0.0 if absent else expires_at)


def _refuse_what_nothing_renews(source: LoginSource, tokens: Mapping[str, Any]) -> None:
    if is_virtual(f"{BEARER}{tokens.get('access_token')}"):
        raise VirtualLoginFile(source.path)
    for name in ("access_token", "refresh_token"):
        if str(tokens.get(name)).startswith(PERSONAL):
            raise source.not_renewable(name, f"is a personal access token. {OF_A_PERSON}")
    if tokens.get("access_token") and tokens.get("refresh_token") in (None, ""):
        raise source.not_renewable("refresh_token", f"is missing. {ACCESS_ONLY}")


def _token(source: LoginSource, tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name)
    if value is None or value == "":
        raise source.bad(name, "is missing.")
    if not isinstance(value, str) or not fits_a_header(value):
        raise source.bad(name, "is not a token.")
    return value


def _account_id(source: LoginSource, tokens: Mapping[str, Any], credentials: Credentials) -> str:
    """The one account id that the file and both tokens agree on; those that name none do not count."""
    named = tokens.get("account_id") or ""
    if not isinstance(named, str):
        raise source.bad("account_id", "is not text.")
    claimed = [read_claims(token) for token in (credentials.access, credentials.id_token)]
    found = {named, *(claims.account_id for claims in claimed if claims)} - {""}
    if not found:
        raise source.bad("account_id", "is missing.")
    if len(found) > 1:
        raise source.bad("account_id", "and the tokens name different accounts.")
    account_id = found.pop()
    if not fits_a_header(account_id):
        raise source.bad("account_id", "is not an account id.")
    return account_id


def fits_a_header(value: str) -> bool:
    """Whether a token or an id can be sent as it is."""
    return value.isascii() and value.isprintable() and " " not in value


def _epoch(moment: object) -> float:
    """RFC 3339 as epoch seconds, 0 for anything else."""
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else None
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() if parsed else 0.0
    except (ValueError, OverflowError):
        return 0.0
