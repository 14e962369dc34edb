"""How a login gets into the pool: as a new account, or in the place of the one that it is of."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from accounts.errors import LabelTaken
from accounts.logins.auth_file import Login
from accounts.logins.import_formats import same_seat
from accounts.model import Account, Credentials, Event, Standing
from accounts.owner.names import named, typed
from accounts.policy import stored_states
from accounts.states import AccountState
from accounts.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """What the user says of an imported account; None leaves it as it is, or as the login says."""

    label: str | None = None
    backend_origin: str | None = None
    routing_override: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What became of a login. `kind` is `imported`, `renewed` or `kept`; `account` is stored now, `number` its place in
    the list, `state` what it is doing, and `words` a sentence."""

    kind: str
    number: int
    account: Account
    state: AccountState
    words: str


def adopt(store: Store, login: Login, options: ImportOptions, now: float) -> Adopted:
    """Put a login into the pool. A known seat is renewed in place and keeps what its owner chose, its label too. Raises
    LabelTaken."""
    login = _as_known(login, store.accounts(), store.all_credentials())
    key = login.account.key
    known = {account.key: account for account in store.accounts()}
    old, label = known.get(key), options.label or login.account.label
    if old is None and options.label and options.label.casefold() in {a.label.casefold() for a in known.values()}:
        raise LabelTaken(options.label)
    spent = bool(store.spent([login.credentials.refresh]))
    if old is not None and (why := _kept(old, store.credentials(key), login, spent=spent)):
        outcome, kind = f"is already in the pool, {why}", "kept"
    else:
        origin, override = options.backend_origin, options.routing_override
        account = replace(login.account, label=label, backend_origin=origin, routing_override=override, added_at=now)
        is_new = store.put_account(account, login.credentials).result()
        outcome, kind = ("was added to the pool", "imported") if is_new else (_renewed(old), "renewed")
    if kind != "imported":
        given = {name: value for name, value in asdict(options).items() if value is not None and name != "label"}
        store.update_account(key, **given).result()
    store.record(Event(at=now, kind=kind, key=key))  # not waited for: the account is in the pool without it too
    numbers = {account.key: (number, account) for number, account in enumerate(store.accounts(), 1)}
    number, stored = numbers[key]
    words = f"{named(stored)} {outcome}.{_not_called(stored, options) if old else ''}"
    return Adopted(kind=kind, number=number, account=stored, state=stored_states(store, now)[key], words=words)


def _renewed(old: Account | None) -> str:
    """What became of an account that was there. One in good standing has hardly been meant: most people who log in once
    more want another one."""
    if old is None or old.standing is not Standing.GOOD:
        return "was renewed and keeps its label"
    return (
        f"is in the pool already: this login is of the same account, workspace {old.account_id}. It was renewed and "
        "keeps its label"
    )


def _not_called(stored: Account, options: ImportOptions) -> str:
    if options.label is None or options.label == stored.label:
        return ""
    rename = f"codex-rotate label {typed(stored.label)} {typed(options.label)}"
    return f" To call it {options.label!r}, run `{rename}`."


def _as_known(login: Login, accounts: Sequence[Account], stored: Mapping[str, Credentials]) -> Login:
    """The login under the name its seat has in the pool. A file may not know the user, and two seats must not share a
    refresh token: it works only once."""
    if any(each.key == login.account.key for each in accounts):
        return login
    for each in accounts:
        has = stored.get(each.key)
        if same_seat(each, login.account) or (has is not None and has.refresh == login.credentials.refresh):
            return replace(login, account=replace(login.account, account_id=each.account_id, user_id=each.user_id))
    return login


def _kept(old: Account, stored: Credentials | None, login: Login, *, spent: bool) -> str:
    """Why the pool keeps the tokens it has, "" if it does not. A refresh token works only once, so putting back one
    that the pool has used since would lose the account."""
    given = login.credentials
    if spent:
        return "and this file's login was used up since; it was left aside"
    if stored is None or old.standing is not Standing.GOOD:
        return ""
    if login.account.standing is not Standing.GOOD:
        return "in good standing; the flagged login of this file was left aside"
    newer = "with newer tokens than this file has; they were kept"
    if not given.access and stored.access:
        return newer
    if stored.expires_at is None or given.expires_at is None or stored.expires_at <= given.expires_at:
        return ""
    return newer if stored.refreshed_at > given.refreshed_at or not given.refreshed_at else ""
