"""What the pool and the official client's files have to learn from each other. Pure: both sides in, changes out.

One row per seat (account id and user id), whatever the input. Of two copies of a login the newer one counts, whichever
side it is on: a refresh token works once, so an older copy is a dead one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from accounts.logins.auth_file import Login
from accounts.model import Account, Credentials, Standing

COUNTERS: Final = (
    "read_attempts",
    "read_successes",
    "read_failures",
    "read_misses",
    "write_attempts",
    "write_successes",
    "write_failures",
    "reconcile_attempts",
    "reconcile_changes",
    "reconcile_noops",
    "reconcile_failures",
    "legacy_sync_env_uses",
)
"""What is counted in the store, in the order it is shown."""
MTIME_TOLERANCE_MS: Final = 1000
"""A file's time says less exactly when its selection was made than a version that was written for that."""

_ON: Final = "CODEX_ROTATE_SYNC"
_ON_ELSEWHERE: Final = "CODEX_MULTI_AUTH_SYNC_CODEX_CLI"
LEGACY: Final = "CODEX_AUTH_SYNC_CODEX_CLI"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLogin:
    """A login as the client's files hold it, and where. Its account id is "" when nothing names one.

    `known_only`: it may renew an account, but not add one.
    """

    login: Login
    path: Path
    place: str
    active: bool = False
    known_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientState:
    """What the client's files say. `selected_ms` is when their active login was chosen, `exact` whether that was
    written into them on purpose."""

    held: tuple[HeldLogin, ...]
    selected_ms: int = 0
    exact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """What the pool has. `selected_ms` is when it last chose the client's login."""

    accounts: tuple[Account, ...]
    credentials: Mapping[str, Credentials]
    selected_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRenewal:
    """Newer tokens for an account, and the refresh token that the pool has instead (None: no tokens at all)."""

    account: Account
    credentials: Credentials
    replaces: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`kept` are accounts that the client holds too, with nothing newer. `active` is the key of the account that the
    client uses by its own later choice, None when the pool chose later or it uses none of these. `unplaced` are logins
    that name no account and are nobody's."""

    adds: tuple[Login, ...] = ()
    renewals: tuple[FileRenewal, ...] = ()
    kept: tuple[str, ...] = ()
    active: str | None = None
    unplaced: tuple[HeldLogin, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.adds or self.renewals)


def shown_counters(counted: Mapping[str, int]) -> dict[str, int]:
    """Every counter of the sync, those that never counted too."""
    return {name: counted.get(name, 0) for name in COUNTERS}


def switched_off(environ: Mapping[str, str]) -> str:
    """The variable that switches the sync off, "" when it is on. The first one that is set decides."""
    name = _deciding(environ)
    return name if name and environ[name].strip().lower() in {"0", "false", "no", "off"} else ""


def by_legacy(environ: Mapping[str, str]) -> bool:
    """Whether the variable that decides is the one of long ago."""
    return _deciding(environ) == LEGACY


def _deciding(environ: Mapping[str, str]) -> str:
    return next((name for name in (_ON, _ON_ELSEWHERE, LEGACY) if environ.get(name)), "")


def newer(given: Credentials, stored: Credentials) -> bool:
    """Whether `given` was issued after `stored`, as far as the tokens and the times beside them tell."""
    if (given.access, given.refresh) == (stored.access, stored.refresh):
        return False
    if given.expires_at is not None and stored.expires_at is not None and given.expires_at != stored.expires_at:
        return given.expires_at > stored.expires_at
    return given.refreshed_at > stored.refreshed_at


def place_of(login: Login, accounts: Iterable[Account], credentials: Mapping[str, Credentials]) -> Account | None:
    """The account that a login belongs to: by its seat, else its refresh token, else its e-mail."""
    seats, mine = tuple(accounts), login.account
    if same := [each for each in seats if each.key == mine.key]:
        return same[0]
    if mine.account_id:
        # A seat whose tokens name no user: the only one of that e-mail in its workspace.
        near = [each for each in seats if each.account_id == mine.account_id and _may_be(each, mine)]
        if len(near) == 1:
            return near[0]
    refresh = login.credentials.refresh
    for each in seats:
        stored = credentials.get(each.key)
        if stored is not None and stored.refresh == refresh:
            return each
    mail = _mail(mine)
    near = [each for each in seats if mail and _mail(each) == mail and not mine.account_id]
    return near[0] if len(near) == 1 else None


def reconcile(pool: PoolState, client: ClientState, now: float) -> Changes:
    """What the pool has to take over from the client's files. `now` becomes the age of what is new."""
    logins = {each.key: Login(account=each, credentials=pool.credentials[each.key]) for each in pool.accounts
              if each.key in pool.credentials}  # fmt: skip
    accounts = {each.key: each for each in pool.accounts}
    active, unplaced, seen = None, [], dict[str, None]()
    # Those that say most come first, so that what they are taken for does not depend on their order in a file.
    for held in sorted(
        client.held, key=lambda each: (not each.login.account.account_id, not _named(each.login.account))
    ):
        known = {key: login.credentials for key, login in logins.items()}
        found = place_of(held.login, accounts.values(), known)
        if found is None:
            if not held.login.account.account_id:
                unplaced.append(held)
            if not held.login.account.account_id or held.known_only:
                continue
            found = replace(held.login.account, added_at=now)
            accounts[found.key] = found
        if _speaks_against(found, held.login.account):
            continue
        seen[found.key] = None
        active = found.key if held.active else active
        old = logins.get(found.key)
        if old is None or _better(held.login.credentials, old):
            logins[found.key] = Login(account=found, credentials=held.login.credentials)
    keys = {each.key for each in pool.accounts}
    renewals = tuple(
        FileRenewal(
            account=accounts[key], credentials=logins[key].credentials, replaces=before.refresh if before else None
        )
        for key in seen
        if key in keys and logins[key].credentials != (before := pool.credentials.get(key))
    )
    renewed = {each.account.key for each in renewals}
    tolerance = 0 if client.exact else MTIME_TOLERANCE_MS
    return Changes(
        adds=tuple(logins[key] for key in seen if key not in keys),
        renewals=renewals,
        kept=tuple(key for key in seen if key in keys - renewed),
        active=active if client.selected_ms >= pool.selected_ms - tolerance else None,
        unplaced=tuple(unplaced),
    )


def _better(given: Credentials, old: Login) -> bool:
    """Newer, or of unknown age where the pool's own refresh token is dead.

    Where the pool has a login of its own that works, the client's is another one: taking it would make them one token
    with two owners.
    """
    stored = old.credentials
    dead = old.account.standing is Standing.NEEDS_LOGIN or bool(stored.ended)
    if stored.own and old.account.standing is Standing.GOOD and not dead:
        return False
    if newer(given, stored):
        return True
    return dead and given.refresh != stored.refresh and not newer(stored, given)


def _may_be(one: Account, other: Account) -> bool:
    """Whether two users of a workspace are the same: one of them is not named, and the e-mail is the same."""
    return _mail(one) == _mail(other) != "" and not (_named(one) and _named(other))


def _speaks_against(account: Account, given: Account) -> bool:
    """The same refresh token under two seats: whoever is right, these tokens are not taken for that account."""
    if given.account_id and given.account_id != account.account_id:
        return True
    return _named(given) and _named(account) and given.user_id != account.user_id


def _named(account: Account) -> bool:
    """Whether the tokens named the user; else the e-mail or the workspace stands in."""
    return account.user_id not in {"", _mail(account), account.account_id}


def _mail(account: Account) -> str:
    return account.email.strip().lower()
