"""The official client's login files: read with care, and written as a whole or not at all.

`accounts.json` holds several logins and is preferred; `auth.json` holds the one that the client uses (see
docs/codex-wire.md section 4). Whoever writes holds a lock of ours and the client's own, and looks
again before renaming.
"""

import errno
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from accounts.codex_files.reconcile import ClientState, HeldLogin
from accounts.errors import BadAuthFile, BadClientFile, ClientFileBusy, ClientFileChanged, ClientFileUnwritable
from accounts.logins.auth_file import Login, LoginSource, login_at, login_in, parse, read_content
from accounts.logins.export import rfc3339
from accounts.model import Account, Credentials
from accounts.tokens.claims import Claims, read_claims
from config import paths
from config.files import sync_folder, write_private

VERSION: Final = "codexMultiAuthSyncVersion"
LOCK_SECONDS: Final = 2.0
TRIES: Final = 5
FIRST_PAUSE: Final = 0.01

_FLAGS: Final = ("active", "isActive", "is_active")
_ACTIVE_IDS: Final = ("activeAccountId", "active_account_id")
_ACTIVE_MAILS: Final = ("activeEmail", "active_email")
_PASSING: Final = frozenset({errno.EBUSY, errno.EPERM, errno.EACCES})
"""What a virus scanner or an editor makes of a rename for a moment; EACCES is how Windows says so."""

type Pause = Callable[[float], object]
type Rename = Callable[[Path, Path], object]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the client's files are; neither has to exist."""

    accounts: Path
    auth: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One file as it was read: the parsed document, and a hash by which a later change is noticed."""

    path: Path
    document: Mapping[str, Any]
    digest: str
    changed_ms: int


def places(environ: Mapping[str, str] = os.environ) -> Places:
    return Places(accounts=paths.codex_accounts_file(environ), auth=paths.codex_auth_file(environ))


# --- reading ---------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> Read | None:
    """A file of the client's, None when there is none. Raises BadClientFile."""
    with _named_as_client_file(path):
        try:
            changed = path.stat().st_mtime_ns // 1_000_000
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            changed = 0  # the next line says what is wrong
        content = read_content(path)
        document = parse(path, content)
    return Read(path=path, document=document, digest=_digest(content), changed_ms=changed)


def read_client(accounts: Read | None, auth: Read | None) -> ClientState | None:
    """What the two files say together, None when there is neither. Raises BadClientFile.

    Beside accounts.json, the login of auth.json only renews: it is the one that the client itself keeps fresh.
    """
    chosen = accounts or auth
    if chosen is None:
        return None
    held = _several(accounts) if accounts else ()
    if auth and not (accounts and not isinstance(auth.document.get("tokens"), dict)):
        held += (_single(auth, beside=accounts is not None),)
    version = _version(chosen)
    return ClientState(held=held, selected_ms=version or chosen.changed_ms, exact=version is not None)


def read_one(path: Path) -> ClientState | None:
    """What a single file says, of whichever kind it is."""
    found = read_file(path)
    several = found is not None and "accounts" in found.document and "tokens" not in found.document
    return read_client(found, None) if several else read_client(None, found)


def _single(read: Read, *, beside: bool) -> HeldLogin:
    with _named_as_client_file(read.path):
        login = _without_any_account(login_in(read.path, _with_any_account(read.document)))
    return HeldLogin(login=login, path=read.path, place="tokens", active=not beside, known_only=beside)


def _several(read: Read) -> tuple[HeldLogin, ...]:
    entries = read.document.get("accounts")
    if not isinstance(entries, list):
        raise BadClientFile(read.path, f"accounts is {'missing' if entries is None else 'not a list'}.")
    return tuple(_entry(read, number, entry) for number, entry in enumerate(entries))


def _entry(read: Read, number: int, entry: object) -> HeldLogin:
    where = f"accounts[{number}]"
    if not isinstance(entry, dict):
        raise BadClientFile(read.path, f"{where} is not an object.")
    auth = entry.get("auth")
    tokens = auth.get("tokens") if isinstance(auth, dict) else None
    if not isinstance(tokens, dict):
        raise BadClientFile(read.path, f"{where}.auth.tokens is not an object.")
    email = entry.get("email") or ""
    if not isinstance(email, str) or not email.isprintable():
        raise BadClientFile(read.path, f"{where}.email is not text.")
    named = tokens.get("account_id") or entry.get("accountId") or entry.get("account_id")
    document = _with_any_account({"tokens": {**tokens, "account_id": named}})
    source = LoginSource(path=read.path, where=f"{where}.auth.tokens.")
    with _named_as_client_file(read.path):
        login = _without_any_account(login_at(source, document["tokens"], email.strip()))
    active = _is_active(read.document, entry, login.account)
    return HeldLogin(login=login, path=read.path, place=f"{where}.auth.tokens", active=active)


_ANY: Final = "-"
"""Stands in for the account id of a login that names none, which is told from its refresh token or e-mail later."""


def _with_any_account(document: Mapping[str, Any]) -> dict[str, Any]:
    tokens = document.get("tokens")
    if not isinstance(tokens, dict) or tokens.get("account_id"):
        return dict(document)
    claims = [read_claims(token) or Claims() for name in ("access_token", "id_token")
              if isinstance(token := tokens.get(name), str)]  # fmt: skip
    named = next((each.account_id for each in claims if each.account_id), _ANY)
    return {**document, "tokens": {**tokens, "account_id": named}}


def _without_any_account(login: Login) -> Login:
    account = login.account
    if account.account_id != _ANY:
        return login
    user = "" if account.user_id == _ANY else account.user_id
    return replace(login, account=replace(account, account_id="", user_id=user))


def _is_active(document: Mapping[str, Any], entry: Mapping[str, Any], account: Account) -> bool:
    """By the ids on top where there are any, else by the entry's own flags."""
    ids = {document.get(name) for name in _ACTIVE_IDS} - {None, ""}
    mails = {str(document[name]).strip().lower() for name in _ACTIVE_MAILS if document.get(name)}
    if not ids and not mails:
        return any(entry.get(name) is True for name in _FLAGS)
    fits_id = not ids or account.account_id in ids
    return fits_id and (not mails or not account.email or account.email.strip().lower() in mails)


def _version(read: Read) -> int | None:
    value = read.document.get(VERSION)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise BadClientFile(read.path, f"{VERSION} is not a time in milliseconds.")
    return int(value)


@contextmanager
def _named_as_client_file(path: Path) -> Iterator[None]:
    try:
        yield
    except BadAuthFile as e:
        raise BadClientFile(path, e.trouble.removeprefix(f"{path}: ")) from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- what to write ---------------------------------------------------------------------------------------------------


def auth_with(old: Mapping[str, Any], login: Mapping[str, Any], account: Account, now: float) -> dict[str, Any]:
    """`old` with another login in it: what is not about logins stays as it was, and so does an API key."""
    before = old.get("tokens") if isinstance(old.get("tokens"), dict) else {}
    tokens: Mapping[str, Any] = before or {}
    if tokens.get("account_id") != account.account_id:
        tokens = {name: value for name, value in tokens.items() if name != "login_owner_id"}
    return {
        **login,
        **old,
        "auth_mode": login["auth_mode"],
        "tokens": {**tokens, **login["tokens"]},
        "last_refresh": login["last_refresh"],
        **({"email": account.email} if account.email or "email" in old else {}),
        VERSION: int(now * 1000),
    }


def refresh_tokens(document: Mapping[str, Any]) -> frozenset[str]:
    """Every refresh token in one of the client's files."""
    entries = document.get("accounts")
    auths = [entry.get("auth") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    all_tokens = [each.get("tokens") for each in (document, *auths) if isinstance(each, Mapping)]
    found = [tokens.get("refresh_token") for tokens in all_tokens if isinstance(tokens, dict)]
    return frozenset(each for each in found if isinstance(each, str))


def with_renewed(old: Mapping[str, Any], renewed: Mapping[str, Credentials]) -> dict[str, Any] | None:
    """`old` with newer tokens wherever it has a refresh token that is a key of `renewed`; None when it has none."""
    if (newer := _newer_than(old, renewed)) is not None:
        last_refresh = rfc3339(newer.refreshed_at)
        return {**old, "tokens": _with_tokens(old["tokens"], newer), "last_refresh": last_refresh}
    entries, changed = old.get("accounts"), False
    if not isinstance(entries, list):
        return None
    written = []
    for entry in entries:
        auth: Any = entry.get("auth") if isinstance(entry, dict) else None
        if (newer := _newer_than(auth, renewed)) is not None:
            changed = True
            entry = {**entry, "auth": {**auth, "tokens": _with_tokens(auth["tokens"], newer)}}  # noqa: PLW2901
        written.append(entry)
    return {**old, "accounts": written} if changed else None


def _newer_than(holder: Any, renewed: Mapping[str, Credentials]) -> Credentials | None:
    tokens = holder.get("tokens") if isinstance(holder, Mapping) else None
    return renewed.get(str(tokens.get("refresh_token"))) if isinstance(tokens, dict) else None


def _with_tokens(old: Mapping[str, Any], newer: Credentials) -> dict[str, Any]:
    tokens = {**old, "access_token": newer.access, "refresh_token": newer.refresh}
    if newer.id_token:
        tokens["id_token"] = newer.id_token
    if "expires_at" in old and newer.expires_at is not None:
        tokens["expires_at"] = int(newer.expires_at * 1000)
    return tokens


def accounts_with(old: Mapping[str, Any], chosen: frozenset[int], account: Account, now: float) -> dict[str, Any]:
    """`old` with the entries `chosen` as the active ones; their tokens and everything else stay."""
    entries = [{**entry, **dict.fromkeys(_FLAGS, number in chosen)} for number, entry in enumerate(old["accounts"])]
    return {
        **old,
        "accounts": entries,
        **dict.fromkeys(_ACTIVE_IDS, account.account_id),
        **dict.fromkeys(_ACTIVE_MAILS, account.email),
        VERSION: int(now * 1000),
    }


# --- writing ---------------------------------------------------------------------------------------------------------


@contextmanager
def locked(*targets: Path) -> Iterator[None]:
    """Nobody of ours writes these files meanwhile, nor a client that takes its own locks. Raises ClientFileBusy."""
    from filelock import FileLock, Timeout

    taken = set[Path]()  # both files may lie beside the same lock
    with ExitStack() as held:
        for target in targets:
            try:
                target.parent.mkdir(mode=paths.PRIVATE_FOLDER, parents=True, exist_ok=True)
                for lock in _locks(target):
                    if lock not in taken:
                        held.enter_context(FileLock(lock, timeout=LOCK_SECONDS, mode=paths.PRIVATE_FILE))
                        taken.add(lock)
            except Timeout:
                raise ClientFileBusy(target, lock) from None
            except OSError as e:
                raise ClientFileUnwritable(target, e.strerror or str(e)) from e
        yield


def _locks(target: Path) -> list[Path]:
    """Ours, then the client's in its own order: it waits for the first of its two and gives up over the second."""
    ours = target.with_name(f".{target.name}.codex-rotate.lock")
    return [ours, target.with_name("auth.lock"), target.with_name(f"{target.name}.lock")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes files of the client's; `pause` waits that many seconds between two tries to rename."""

    pause: Pause
    rename: Rename = os.replace

    def write(self, path: Path, before: Read | None, document: Mapping[str, Any]) -> None:
        """Replace the file that was read as `before`. Raises ClientFileChanged or ClientFileUnwritable."""
        target = Path(os.path.realpath(path))  # a link stays one
        content = json.dumps(document, indent=2) + "\n"
        if open_to := paths.changeable_by_others(target, *target.parents):
            raise ClientFileUnwritable(path, open_to)
        try:
            write_private(target, content.encode(), put=partial(self._put, before=before))
        except OSError as e:
            raise ClientFileUnwritable(path, e.strerror or str(e)) from e
        with suppress(OSError):
            sync_folder(target.parent)

    def _put(self, written: Path, target: Path, *, before: Read | None) -> None:
        for tried in range(1, TRIES + 1):
            if _digest_of(target) != (before.digest if before else None):
                raise ClientFileChanged(target)
            try:
                self.rename(written, target)
            except OSError as e:
                if e.errno not in _PASSING or tried == TRIES:
                    raise
                self.pause(FIRST_PAUSE * 2 ** (tried - 1))
            else:
                return


def _digest_of(path: Path) -> str | None:
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return None
