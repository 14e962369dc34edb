"""`remove`, and how a login gets into the pool."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Final

import typer

from accounts.errors import LabelTaken, NoAccounts, StoreError, UsageError
from accounts.logins.auth_file import Login
from accounts.logins.import_formats import same_seat
from accounts.model import Account, Credentials, Event, Standing
from accounts.policy import stored_states
from accounts.store.backups import Backups
from accounts.store.store import Store
from cli.ui.asking import Asker, asker
from cli.ui.naming import AccountName, find_account, typed
from cli.ui.options import AsJson
from cli.ui.result import Result
from cli.ui.states import described
from config import clock, paths

NEXT_STEP = "codex-rotate run codex"
EMPTY = str(NoAccounts())
LONGEST_LABEL: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user says of an imported account; None leaves it as it is, or as the login says."""

    label: str | None = None
    backend_origin: str | None = None
    routing_override: str | None = None


def add_to(app: typer.Typer) -> None:
    app.command("remove")(remove_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def remove_command(
    account: AccountName,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Forget an account. Only our copy of its login is deleted."""
    with Store(paths.pool_file()) as store:
        backups = Backups(paths.pool_file(), paths.backups_folder())
        return replace(remove_account(store, backups, account, asker(yes=yes), clock.now()), notes=store.repairs)


def checked_label(label: str | None) -> str | None:
    """The label, if it can be shown, and typed as the name of an account."""
    if label is None:
        return None
    if not label.strip() or label != label.strip() or not label.isprintable():
        raise UsageError("A label needs at least one visible character and no space around it. Choose another one.")
    if label.startswith("-") or label.isdecimal() or len(label) > LONGEST_LABEL:
        raise UsageError(
            "A label may not begin with a dash (that is an option), nor be a number (that is a place in the list), nor "
            f"be longer than {LONGEST_LABEL} characters. Choose another one."
        )
    return label


# --- working ---------------------------------------------------------------------------------------------------------


def import_login(store: Store, login: Login, wishes: Wishes, now: float) -> Result:
    """Put a login into the pool. A known seat is renewed in place and keeps what its owner chose, its label too."""
    login = _as_known(login, store.accounts(), store.all_credentials())
    key = login.account.key
    known = {account.key: account for account in store.accounts()}
    old, label = known.get(key), wishes.label or login.account.label
    if old is None and wishes.label and wishes.label.casefold() in {a.label.casefold() for a in known.values()}:
        raise LabelTaken(wishes.label)
    spent = bool(store.spent([login.credentials.refresh]))
    if old is not None and (why := _kept(old, store.credentials(key), login, spent=spent)):
        outcome, kind = f"is already in the pool, {why}", "kept"
    else:
        origin, override = wishes.backend_origin, wishes.routing_override
        account = replace(login.account, label=label, backend_origin=origin, routing_override=override, added_at=now)
        is_new = store.put_account(account, login.credentials).result()
        outcome, kind = ("was added to the pool", "imported") if is_new else (_renewed(old), "renewed")
    if kind != "imported":
        given = {name: value for name, value in asdict(wishes).items() if value is not None and name != "label"}
        store.update_account(key, **given).result()
    store.record(Event(at=now, kind=kind, key=key))  # not waited for: the account is in the pool without it too
    numbers = {account.key: (number, account) for number, account in enumerate(store.accounts(), 1)}
    number, stored = numbers[key]
    message = f"{named(stored)} {outcome}.{_not_called(stored, wishes) if old else ''} Use it: {NEXT_STEP}"
    told = stored_states(store, now)[key]
    data = {
        "result": kind,
        "known": kind != "imported",
        "account": described(number, stored, told, now),
        "next": NEXT_STEP,
    }
    return Result(message, data)


def _renewed(old: Account | None) -> str:
    """What became of an account that was there. One in good standing has hardly been meant: most people who log in once
    more want another one."""
    if old is None or old.standing is not Standing.GOOD:
        return "was renewed and keeps its label"
    return (
        f"is in the pool already: this login is of the same account, workspace {old.account_id}. It was renewed and "
        "keeps its label"
    )


def _not_called(stored: Account, wishes: Wishes) -> str:
    if wishes.label is None or wishes.label == stored.label:
        return ""
    rename = f"codex-rotate label {typed(stored.label)} {typed(wishes.label)}"
    return f" To call it {wishes.label!r}, run `{rename}`."


def remove_account(store: Store, backups: Backups, wanted: str, who: Asker, now: float) -> Result:
    """Forget one account after asking. The backups stay as they are; those that hold its login are told."""
    account = find_account(store.accounts(), wanted)
    if not who.confirm(f"Remove {named(account)} from the pool?", "--yes"):
        return Result(f"{account.label} was not removed.", data={"removed": None}, exit_code=1)
    chosen = store.chosen_account() == account.key
    store.remove_account(account.key).result()
    store.record(Event(at=now, kind="removed", key=account.key, detail=account.label))  # done, with or without history
    message = (
        f"{named(account)} was removed. Only our copy of its login is gone: "
        "the account itself and the official client's own login stay as they are."
    )
    if chosen:
        message += " It was the one that everybody used (`codex-rotate use`): the pool chooses again."
    holding, told = in_backups(backups, account)
    data = {"removed": account.label, "account_id": account.account_id, "backups": list(holding)}
    return Result(f"{message}{told}", data)


def in_backups(backups: Backups, account: Account) -> tuple[tuple[str, ...], str]:
    """Which backups still hold a login that is gone from the pool, and a sentence about them."""
    try:
        holding = backups.holding(account.key)
    except StoreError:  # the account is removed already, whatever is wrong with the folder
        holding = ()
    held = "a backup" if len(holding) == 1 else f"{len(holding)} backups"
    told = f" Its login is still in {held}: `codex-rotate backup list` shows what there is."
    return holding, told if holding else ""


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


def named(account: Account) -> str:
    """An account as a sentence names it."""
    return f"{account.label} ({account.email})" if account.email else account.label
