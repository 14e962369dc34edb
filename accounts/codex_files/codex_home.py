"""Brings the pool and the official client's files together: what the client refreshes is adopted, and an account of the
pool can be made the client's own. Two owners then share one refresh token, so the newer copy counts on both sides."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from accounts.choice.selection import Candidate, Choice, Situation, choose
from accounts.codex_files.client_files import (
    Places,
    Read,
    Writer,
    accounts_with,
    auth_with,
    locked,
    read_client,
    read_file,
    read_one,
    refresh_tokens,
    with_renewed,
)
from accounts.codex_files.reconcile import Changes, ClientState, FileRenewal, PoolState, place_of, reconcile
from accounts.errors import BadClientFile, LoginNeeded, NoAccounts, NothingUsable, StrangerInClientFile, UnknownAccount
from accounts.logins.auth_file import Login
from accounts.logins.export import auth_document
from accounts.model import Account, Credentials, Event, Standing
from accounts.store.store import Store

PUSHED: Final = "pushed"
"""The kind of event that says which account was made the client's, and when."""
_ROUNDS: Final = 3
"""How often somebody else may be first before the rest is left to the next time."""
_EVENTS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Watch:
    """What a file looked like when it was last read; the empty one stands for no file."""

    mtime_ns: int = 0
    size: int = -1

    @classmethod
    def of(cls, stat: os.stat_result | None) -> "Watch":
        return cls(stat.st_mtime_ns, stat.st_size) if stat else cls()

    def changed(self, stat: os.stat_result | None) -> bool:
        """Whether a file that looks like this now is worth reading again."""
        return Watch.of(stat) != self


# --- from the client -------------------------------------------------------------------------------------------------


def adopt(store: Store, path: Path, now: float, only: str | None = None) -> tuple[str, ...]:
    """Save the tokens in one of the client's files that are newer than the pool's, for accounts of the pool only, or
    for the one with the key `only`.

    Returns the keys of the accounts that were renewed. Waits for the disk. Raises BadClientFile or StoreError.
    """
    with _counted_reading(store) as found:
        client = read_one(path)
        found.append(client)
    if client is None:
        return ()
    if only is not None:
        seats, tokens = store.accounts(), store.all_credentials()
        mine = [each for each in client.held if (seat := place_of(each.login, seats, tokens)) and seat.key == only]
        client = replace(client, held=tuple(mine))
    return tuple(each.account.key for each in _taken_over(store, client, now, adding=False).renewals)


def tell(store: Store, places: Places, writer: Writer) -> tuple[Path, ...]:
    """Write tokens that the pool has renewed into the client's files, where those still hold what was replaced.

    Nothing else in the files changes, and a login that the pool never had stays as it is. Returns what was written.
    Raises ClientFileError or StoreError.
    """
    written = []
    for path in (places.auth, places.accounts):
        if _renewed_in(store, path) is None:
            continue
        with locked(path):
            found = _renewed_in(store, path)  # the client may have been faster
            if found is not None:
                store.count("write_attempts")
                writer.write(path, *found)
                store.count("write_successes")
                written.append(path)
    return tuple(written)


def _renewed_in(store: Store, path: Path) -> tuple[Read, dict[str, Any]] | None:
    """One of the client's files and what should be in it, None when it is as it should be."""
    read = read_file(path)
    if read is None:
        return None
    spent = store.spent(refresh_tokens(read.document), only_replaced=True)
    tokens = store.all_credentials()
    renewed = {old: tokens[key] for old, key in spent.items() if key in tokens and tokens[key].access}
    document = with_renewed(read.document, renewed) if renewed else None
    return (read, document) if document is not None else None


def read_places(store: Store, places: Places) -> tuple[Read | None, Read | None, ClientState | None]:
    """Both files and what they say together. Raises BadClientFile."""
    with _counted_reading(store) as found:
        accounts, auth = read_file(places.accounts), read_file(places.auth)
        client = read_client(accounts, auth)
        found.append(client)
    return accounts, auth, client


def pull(store: Store, client: ClientState, now: float) -> Changes:
    """Take over what the client has and the pool lacks. Raises BadClientFile, and has then changed nothing."""
    preview(store, client, now)
    return _taken_over(store, client, now, adding=True)


def preview(store: Store, client: ClientState, now: float) -> Changes:
    """What `pull` would change. Raises BadClientFile for a login that names no account and is nobody's."""
    changes = reconcile(pool_state(store), client, now)
    if changes.unplaced:
        store.count("reconcile_failures")
        held = changes.unplaced[0]
        raise BadClientFile(held.path, f"{held.place}.account_id is missing.")
    return changes


def pool_state(store: Store) -> PoolState:
    """The pool's side."""
    pushed = last_push(store)
    return PoolState(
        accounts=store.accounts(),
        credentials=store.all_credentials(),
        selected_ms=int(pushed.at * 1000) if pushed else 0,
    )


def last_push(store: Store) -> Event | None:
    """When the pool last chose the client's login, and which."""
    return next((event for event in store.events(_EVENTS) if event.kind == PUSHED), None)


def _taken_over(store: Store, client: ClientState, now: float, *, adding: bool) -> Changes:
    store.count("reconcile_attempts")
    adds: list[Login] = []
    renewals: list[FileRenewal] = []
    for _ in range(_ROUNDS):
        changes = reconcile(pool_state(store), client, now)
        missed = False
        for renewal in changes.renewals:
            saved = _renew(store, renewal, now)
            renewals += [renewal] if saved else []
            missed |= not saved
        for login in changes.adds if adding else ():
            added = store.put_account(login.account, login.credentials, only_new=True).result()
            if added:
                store.record(Event(at=now, kind="imported", key=login.account.key, detail="from the client's files"))
                adds.append(login)
            missed |= not added
        if not missed:
            break
    store.count("reconcile_changes" if adds or renewals else "reconcile_noops").result()
    return Changes(
        adds=tuple(adds),
        renewals=tuple(renewals),
        kept=tuple(key for key in changes.kept if key not in {each.account.key for each in renewals}),
        active=changes.active,
    )


def _renew(store: Store, renewal: FileRenewal, now: float) -> bool:
    """False when somebody else was first; the stored tokens have to be looked at again."""
    account = renewal.account
    if renewal.replaces is None:
        store.put_account(account, renewal.credentials).result()
    elif not store.save_credentials(account.key, renewal.credentials, replaces=renewal.replaces).result():
        return False
    if account.standing is Standing.NEEDS_LOGIN:
        store.set_standing(account.key, Standing.GOOD).result()
    store.record(Event(at=now, kind="renewed", key=account.key, detail="by the client")).result()
    return True


@contextmanager
def _counted_reading(store: Store) -> Iterator[list[ClientState | None]]:
    """Counts how reading the client's files went; what was read is put into the list."""
    store.count("read_attempts")
    found: list[ClientState | None] = []
    try:
        yield found
    except BadClientFile:
        store.count("read_failures").result()
        raise
    store.count("read_successes" if found[0] else "read_misses")


# --- to the client ---------------------------------------------------------------------------------------------------


def first_usable(store: Store, now: float) -> Account:
    """The account that the pool would use next. Raises NothingUsable."""
    accounts, rests, tokens = store.accounts(), store.cooldowns(), store.all_credentials()
    if not accounts:
        raise NoAccounts
    candidates = {each.key: Candidate(account=each, cooldown=rests.get(each.key), has_tokens=each.key in tokens)
             for each in accounts}  # fmt: skip
    chosen = choose(candidates, Situation(now=now))
    if isinstance(chosen, Choice):
        return chosen.account
    raise NothingUsable("No account of the pool is ready. Name one, or wait: `codex-rotate status` says for how long.")


def push(store: Store, places: Places, account: Account, writer: Writer, now: float) -> Changes:
    """Make `account` the client's login. Returns what the pool adopted from the client's files on the way.

    Raises ClientFileError, LoginNeeded, CannotExport or UnknownAccount. An error that names accounts.json alone came
    after auth.json was written; every other one left both as they were.
    """
    if account.standing is not Standing.GOOD:
        raise LoginNeeded(account.label, account.standing_reason)
    store.count("write_attempts")
    try:
        with locked(places.auth, *([places.accounts] if places.accounts.exists() else [])):
            changes = _push_locked(store, places, account, writer, now)
    except Exception:
        store.count("write_failures")
        raise
    store.count("write_successes")  # not waited for: what is done is done, counted or not
    return changes


def check_push(store: Store, places: Places, account: Account, now: float) -> Changes:
    """What `push` would adopt, after the same checks; writes nothing but counters."""
    accounts, auth = read_file(places.accounts), read_file(places.auth)
    state = pool_state(store)
    client = _overwritable(state, accounts, auth, now)
    if account.standing is not Standing.GOOD:
        raise LoginNeeded(account.label, account.standing_reason)
    auth_document(account, _stored(store, account))
    return reconcile(state, client, now) if client else Changes()


def _push_locked(store: Store, places: Places, account: Account, writer: Writer, now: float) -> Changes:
    accounts, auth = read_file(places.accounts), read_file(places.auth)
    client = _overwritable(pool_state(store), accounts, auth, now)
    changes = _taken_over(store, client, now, adding=False) if client else Changes()
    credentials = _stored(store, account)
    document = auth_with(auth.document if auth else {}, auth_document(account, credentials), account, now)
    store.share(account.key).result()
    writer.write(places.auth, auth, document)
    store.record(Event(at=now, kind=PUSHED, key=account.key, detail=account.label))
    if accounts is not None:
        writer.write(
            places.accounts, accounts, accounts_with(accounts.document, _mine(store, accounts, account), account, now)
        )
    return changes


def _overwritable(state: PoolState, accounts: Read | None, auth: Read | None, now: float) -> ClientState | None:
    """What the client's files say. Raises StrangerInClientFile when writing would lose a login that only they have."""
    holding = auth if auth and auth.document.get("tokens") else None
    own = read_client(None, holding)
    if own is not None:
        theirs = reconcile(state, own, now)
        if theirs.adds or theirs.unplaced:
            login = own.held[0].login.account
            raise StrangerInClientFile(own.held[0].path, login.email or login.account_id or "somebody")
    return read_client(accounts, holding)


def _stored(store: Store, account: Account) -> Credentials:
    credentials = store.credentials(account.key)
    if credentials is None:
        raise UnknownAccount(account.label)
    return credentials


def _mine(store: Store, accounts: Read, account: Account) -> frozenset[int]:
    """The entry of this account in accounts.json: of several, the one with the newest tokens."""
    client = read_client(accounts, None)
    assert client is not None
    seats, tokens = store.accounts(), store.all_credentials()
    fitting = [
        (held.login.credentials.expires_at or 0.0, number)
        for number, held in enumerate(client.held)
        if (found := place_of(held.login, seats, tokens)) is not None and found.key == account.key
    ]
    return frozenset({max(fitting)[1]} if fitting else ())
