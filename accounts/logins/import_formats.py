"""Logins from the files of other programs: the client's own, codex-multi-auth's, and folders of them.

A file's format is recognised by its content, never by its name. All of a file is taken or nothing.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from accounts.errors import BadAuthFile
from accounts.logins.auth_file import (
    INSTEAD,
    OF_A_PERSON,
    Login,
    LoginSource,
    is_personal,
    login_at,
    login_in,
    read_document,
)
from accounts.model import Account, Standing

LARGEST: Final = 16 * 1024 * 1024
"""Bytes. Hundreds of accounts fit into one."""
_NAMES: Final = {"access_token": "accessToken", "refresh_token": "refreshToken", "id_token": "idToken"}
_NAMES_OF_MULTI_AUTH: Final = _NAMES | {"account_id": "accountId", "expires_at": "expiresAt"}
_CHOSEN: Final = frozenset({"org", "manual"})
"""Values of codex-multi-auth's `accountIdSource` for an id that was not read from the token: the token's is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What is in a file or folder: each login once, and a sentence per file that is none. `single`: an auth.json."""

    logins: tuple[Login, ...]
    problems: tuple[str, ...] = ()
    single: bool = False


def read_logins(path: Path) -> Imported:
    """The logins in `path`. Raises BadAuthFile, which shows no token: what is wrong where, or that nothing is there."""
    try:
        is_folder = path.is_dir()
        files = sorted(each for each in path.iterdir() if each.suffix.lower() == ".json") if is_folder else [path]
    except (OSError, ValueError) as e:
        raise BadAuthFile(path, f"it cannot be read ({getattr(e, 'strerror', None) or e}).") from e
    if not is_folder:
        logins, single = _in_file(path)
        return Imported(logins=deduplicated(logins), single=single)
    found: list[Login] = []
    problems: list[str] = []
    for file in files:
        try:
            found += _in_file(file)[0]
        except BadAuthFile as e:
            problems.append(e.trouble)
    if not found:
        raise BadAuthFile(path, " ".join(["no file in this folder is a login.", *problems]))
    return Imported(logins=deduplicated(found), problems=tuple(problems))


def _in_file(path: Path) -> tuple[list[Login], bool]:
    """A file's logins, and whether it is an auth.json."""
    document = read_document(path, LARGEST)
    if "accounts" not in document or isinstance(document.get("tokens"), dict):
        return [login_in(path, document)], True
    accounts = document["accounts"]
    if not isinstance(accounts, list):
        raise BadAuthFile(path, "accounts is not a list.")
    if not accounts:
        raise BadAuthFile(path, "accounts is empty.")
    return [_login(path, f"accounts[{number}]", entry) for number, entry in enumerate(accounts)], False


def _login(path: Path, where: str, entry: object) -> Login:
    if not isinstance(entry, dict):
        raise BadAuthFile(path, f"{where} is not an object.")
    login = _of_client(path, where, entry) if "auth" in entry else _of_multi_auth(path, where, entry)
    flagged = entry.get("flaggedAt") is not None or entry.get("flaggedReason") is not None
    account = replace(
        login.account,
        label=_label(entry.get("accountLabel")) or login.account.label,
        enabled=entry.get("enabled") is not False,
        standing=Standing.NEEDS_LOGIN if flagged else Standing.GOOD,
    )
    return replace(login, account=account)


def _of_client(path: Path, where: str, entry: Mapping[str, Any]) -> Login:
    """An account of the client's accounts.json."""
    auth = entry["auth"]
    tokens = auth.get("tokens") if isinstance(auth, dict) else None
    if not isinstance(tokens, dict):
        if isinstance(auth, dict) and is_personal(auth):
            raise BadAuthFile(path, f"{where} is a personal access token. {OF_A_PERSON}", INSTEAD)
        raise BadAuthFile(path, f"{where}.auth.tokens is not an object.")
    given = {"account_id": tokens.get("account_id") or entry.get("accountId")}
    source = LoginSource(path=path, where=f"{where}.auth.tokens.", needs_access=False)
    return _dated(source, tokens, login_at(source, {**tokens, **given}, _email(path, where, entry)))


def _of_multi_auth(path: Path, where: str, entry: Mapping[str, Any]) -> Login:
    """An account of codex-multi-auth's account file or of its file of flagged accounts."""
    source = LoginSource(path=path, where=f"{where}.", names=_NAMES_OF_MULTI_AUTH, needs_access=False)
    tokens = {ours: entry.get(theirs) for ours, theirs in _NAMES_OF_MULTI_AUTH.items()}
    email = _email(path, where, entry)
    if str(entry.get("accountIdSource")) in _CHOSEN:
        try:
            return _dated(source, tokens, login_at(source, tokens | {"account_id": None}, email))
        except BadAuthFile:  # the tokens name no account, or something else is wrong and will be again
            pass
    return _dated(source, tokens, login_at(source, tokens, email))


def _dated(source: LoginSource, tokens: Mapping[str, Any], login: Login) -> Login:
    """With the file's word on when an access token ends that does not say so itself. Files have milliseconds."""
    given = tokens.get("expires_at")
    if given is not None and (isinstance(given, bool) or not isinstance(given, int | float)):
        raise source.bad("expires_at", "is not a number.")
    if given is None or login.credentials.expires_at is not None:
        return login
    try:
        seconds = float(given) / 1000
    except OverflowError:
        return login
    return (
        replace(login, credentials=replace(login.credentials, expires_at=seconds)) if math.isfinite(seconds) else login
    )


def _email(path: Path, where: str, entry: Mapping[str, Any]) -> str:
    email = entry.get("email") or ""
    if not isinstance(email, str) or not email.isprintable():
        raise BadAuthFile(path, f"{where}.email is not text.")
    return email.strip()


def _label(given: object) -> str:
    """A label that can be typed and shown; anything else is none."""
    return given.strip() if isinstance(given, str) and given.isprintable() else ""


# --- the same account twice ------------------------------------------------------------------------------------------


def same_seat(one: Account, other: Account) -> bool:
    """Whether two accounts that may be known by different user ids are one: the same workspace and e-mail, and at
    least one of them does not know its user. One e-mail in two workspaces is two seats."""
    if one.key == other.key:
        return True
    mails = {one.email.strip().lower(), other.email.strip().lower()}
    return (
        one.account_id == other.account_id
        and len(mails) == 1
        and "" not in mails
        and not (_named(one) and _named(other))
    )


def deduplicated(logins: Iterable[Login]) -> tuple[Login, ...]:
    """Each login once, in order: the same seat, else the same refresh token, else the same e-mail in a workspace."""
    found = list(logins)
    while True:
        merged: dict[int, Login] = {}
        places: dict[tuple[object, ...], int] = {}
        for number, login in enumerate(found):
            place = next((places[mark] for mark in _sought(login) if mark in places), number)
            merged[place] = _merged(merged[place], login) if place in merged else login
            for mark in (*_marks(login), *_marks(merged[place])):
                places.setdefault(mark, place)
        if len(merged) == len(found):
            return tuple(merged.values())
        found = list(merged.values())


def _marks(login: Login) -> Iterator[tuple[object, ...]]:
    """What a later login of the same account can be known by."""
    account = login.account
    yield "seat", account.key
    yield "refresh", login.credentials.refresh
    if email := account.email.strip().lower():
        yield "email", account.account_id, email, _named(account)


def _sought(login: Login) -> Iterator[tuple[object, ...]]:
    """The marks of an earlier login of the same account."""
    *sure, last = _marks(login)
    if last[0] != "email":
        yield from (*sure, last)
        return
    yield from sure
    yield *last[:-1], False
    if not _named(login.account):
        yield *last[:-1], True


def _named(account: Account) -> bool:
    """Whether the tokens named the user; else the e-mail or the workspace stands in."""
    return account.user_id not in {account.email.strip().lower(), account.account_id}


def _merged(old: Login, new: Login) -> Login:
    """The newest tokens under the name that says most."""
    best, other = (new, old) if _worth(new) >= _worth(old) else (old, new)
    known, less = (other, best) if _named(other.account) and not _named(best.account) else (best, other)
    account = replace(
        known.account,
        email=known.account.email or less.account.email,
        standing=best.account.standing,
        enabled=best.account.enabled,
    )
    return Login(account=account, credentials=best.credentials)


def _worth(login: Login) -> tuple[bool, bool, float, float]:
    credentials = login.credentials
    good = login.account.standing is Standing.GOOD
    return good, bool(credentials.access), credentials.expires_at or 0.0, credentials.refreshed_at
