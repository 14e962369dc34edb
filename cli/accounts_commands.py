"""`import`, `list` and `remove`: what is in the pool."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from accounts.auth_file import Login, read_auth_file
from accounts.errors import LabelTaken, LoginNeeded, UsageError
from accounts.model import Account, Cooldown, Credentials, Event, Standing
from accounts.origin import PROVIDER_HOST
from accounts.store import Store
from cli.asking import Asker, asker
from cli.naming import find_account
from cli.options import AsJson
from cli.result import Result, Table
from cli.states import State, in_words, tell
from config import clock, paths

NEXT_STEP = 'mitmdump -s "$(codex-rotate script)"'
EMPTY = "The pool has no accounts yet. Run `codex-rotate import ~/.codex/auth.json` to add one."


class Routing(StrEnum):
    """The values of `x-openai-account-routing-override`."""

    US = "us"
    US_CR = "us_cr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user says of an imported account; None leaves it as it is, or as the login says."""

    label: str | None = None
    backend_origin: str | None = None
    routing_override: str | None = None


def add_to(app: typer.Typer) -> None:
    app.command("import")(import_command)
    app.command("list")(list_command)
    app.command("remove")(remove_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def import_command(
    auth_json: Annotated[Path, typer.Argument(metavar="AUTH_JSON", help="The login file of `codex login`.")],
    *,
    label: Annotated[str | None, typer.Option(help="What to call the account. Default: from its e-mail.")] = None,
    backend_origin: Annotated[
        str | None, typer.Option(metavar="URL", help="The https origin of an account that is not on chatgpt.com.")
    ] = None,
    routing_override: Annotated[Routing | None, typer.Option(help="The region its requests must be served in.")] = None,
    as_json: AsJson = False,
) -> Result:
    """Add the account of a login file to the pool, or renew it there. The file is only read."""
    wishes = Wishes(
        label=_checked_label(label),
        backend_origin=_checked_origin(backend_origin),
        routing_override=routing_override.value if routing_override else None,
    )
    login = read_auth_file(auth_json.expanduser())
    with Store(paths.pool_file()) as store:
        return replace(import_login(store, login, wishes, clock.now()), notes=store.repairs)


def list_command(*, as_json: AsJson = False) -> Result:
    """Show the accounts and what each is doing."""
    with Store(paths.pool_file()) as store:
        return replace(list_accounts(store, clock.now()), notes=store.repairs)


def remove_command(
    account: Annotated[str, typer.Argument(help="Label, beginning of one, e-mail, account id, or list number.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Forget an account. Only our copy of its login is deleted."""
    with Store(paths.pool_file()) as store:
        return replace(remove_account(store, account, asker(yes=yes), clock.now()), notes=store.repairs)


def _checked_label(label: str | None) -> str | None:
    if label is not None and (not label.strip() or label != label.strip() or not label.isprintable()):
        raise UsageError("A label needs at least one visible character and no space around it. Choose another one.")
    return label


def _checked_origin(origin: str | None) -> str | None:
    if origin is None:
        return None
    host = origin.lower().removeprefix("https://").removesuffix("/")
    if not origin.lower().startswith("https://") or PROVIDER_HOST.fullmatch(host) is None:
        raise UsageError("--backend-origin must be a host of the provider, such as https://eu.chatgpt.com.")
    return f"https://{host}"


# --- working ---------------------------------------------------------------------------------------------------------


def import_login(store: Store, login: Login, wishes: Wishes, now: float) -> Result:
    """Put a login into the pool. A known seat is renewed in place and keeps what its owner chose."""
    key = login.account.key
    known = {account.key: account for account in store.accounts()}
    label = wishes.label or login.account.label
    if wishes.label and wishes.label.casefold() in {a.label.casefold() for a in known.values() if a.key != key}:
        raise LabelTaken(wishes.label)
    if (old := known.get(key)) and _is_newer(old, store.credentials(key), login.credentials):
        outcome, kind = "is already in the pool, with newer tokens than this file has; they were kept", "kept"
    else:
        origin, override = wishes.backend_origin, wishes.routing_override
        account = replace(login.account, label=label, backend_origin=origin, routing_override=override, added_at=now)
        is_new = store.put_account(account, login.credentials).result()
        outcome, kind = ("was added to the pool", "imported") if is_new else ("was renewed", "renewed")
    if kind != "imported":
        given = {name: value for name, value in asdict(wishes).items() if value is not None}
        store.update_account(key, **given).result()
    store.record(Event(at=now, kind=kind, key=key)).result()
    numbers = {account.key: (number, account) for number, account in enumerate(store.accounts(), 1)}
    number, stored = numbers[key]
    message = f"{_named(stored)} {outcome}. Start the proxy: {NEXT_STEP}"
    data = {"result": kind, "account": _as_data(number, stored, store.cooldowns(), now), "next": NEXT_STEP}
    return Result(message, data)


def list_accounts(store: Store, now: float) -> Result:
    """One row per account, in the order that list numbers count."""
    accounts, cooldowns = store.accounts(), store.cooldowns()
    if not accounts:
        return Result(EMPTY, data=[])
    rows = tuple(
        (str(number), each.label, each.email, each.plan, in_words(tell(each, cooldowns.get(each.key), now), now))
        for number, each in enumerate(accounts, 1)
    )
    table = Table(
        columns=("#", "label", "e-mail", "plan", "state"),
        rows=rows,
        clipped=frozenset({"label", "e-mail"}),
        wrapped=frozenset({"state"}),
    )
    hints = [str(LoginNeeded(each.label)) for each in accounts if tell(each, None, now).state is State.NEEDS_LOGIN]
    data = [_as_data(number, each, cooldowns, now) for number, each in enumerate(accounts, 1)]
    return Result("\n".join(hints), data=data, table=table)


def remove_account(store: Store, wanted: str, who: Asker, now: float) -> Result:
    """Forget one account after asking."""
    account = find_account(store.accounts(), wanted)
    if not who.confirm(f"Remove {_named(account)} from the pool?", "--yes"):
        return Result(f"{account.label} was not removed.", data={"removed": None}, exit_code=1)
    store.remove_account(account.key).result()
    store.record(Event(at=now, kind="removed", key=account.key, detail=account.label)).result()
    message = (
        f"{_named(account)} was removed. Only our copy of its login is gone: "
        "the account itself and the official client's own login stay as they are."
    )
    return Result(message, data={"removed": account.label, "account_id": account.account_id})


def _is_newer(old: Account, stored: Credentials | None, given: Credentials) -> bool:
    """Whether the pool has renewed the tokens since the file was written. A refresh token works only once, so putting
    the file's back would lose the account."""
    if stored is None or old.standing is not Standing.GOOD or stored.expires_at is None or given.expires_at is None:
        return False
    return stored.expires_at > given.expires_at and stored.refreshed_at > given.refreshed_at


def _named(account: Account) -> str:
    return f"{account.label} ({account.email})" if account.email else account.label


def _as_data(number: int, account: Account, cooldowns: Mapping[str, Cooldown], now: float) -> dict[str, object]:
    told = tell(account, cooldowns.get(account.key), now)
    return {
        "number": number,
        "label": account.label,
        "email": account.email,
        "plan": account.plan,
        "state": str(told.state),
        "resting_until": told.until,
        "reason": told.reason,
        "account_id": account.account_id,
        "user_id": account.user_id,
        "backend_origin": account.backend_origin,
        "routing_override": account.routing_override,
        "added_at": account.added_at,
    }
