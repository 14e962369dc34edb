"""`use`: one account for everybody, until the pool may choose again."""

from dataclasses import replace
from typing import Annotated, Final

import typer

from accounts.errors import NoAccounts, UsageError
from accounts.model import Account
from accounts.owner import only_account
from accounts.owner.names import named
from accounts.owner.only_account import END, hindrance
from accounts.policy import stored_candidates
from accounts.store.store import Store
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

OWN_PIN: Final = "Clients started with `run --account` keep theirs."


def add_to(app: typer.Typer) -> None:
    app.command("use")(use_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def use_command(
    account: Annotated[
        str | None,
        typer.Argument(
            help="Label, beginning of one, e-mail, account id, or list number.", autocompletion=complete_account
        ),
    ] = None,
    *,
    auto: Annotated[bool, typer.Option("--auto", help="Let the pool choose again.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Let everybody use this account only, until changed; without an account, show what is chosen.

    Running proxies follow at their next request.
    """
    if account is not None and auto:
        raise UsageError("Name an account or say --auto, not both. See `codex-rotate use --help`.")
    pin = only_account.settings_pin()
    with Store(paths.pool_file()) as store:
        if auto:
            result = choose_nobody(store, pin, clock.now())
        elif account is None:
            result = show_choice(store, pin, clock.now())
        else:
            result = choose_account(store, account, pin, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


# --- working ---------------------------------------------------------------------------------------------------------


def choose_account(store: Store, wanted: str, pin: str, now: float) -> Result:
    """Pin an account for everybody, whether it can serve now or not. `pin` is the one that the settings pin."""
    account, changed = only_account.choose_account(store, wanted, now)
    message = f"Everybody uses {named(account)} already."
    if changed:
        message = f"From the next request on everybody uses {named(account)}, through running proxies too. {OWN_PIN}"
    hindered = hindrance(stored_candidates(store)[account.key], now)
    return _result(f"{message} End it: {END}", account, pin=pin, hindered=hindered, changed=changed)


def choose_nobody(store: Store, pin: str, now: float) -> Result:
    """Take the choice back."""
    account, changed = only_account.choose_nobody(store, now)
    message = f"No account was chosen: {_otherwise(pin)}."
    if account is not None:
        message = f"{account.label} is no longer the only one: from the next request on {_otherwise(pin)}."
    return _result(f"{message} See them: codex-rotate list", None, pin=pin, hindered="", changed=changed)


def show_choice(store: Store, pin: str, now: float) -> Result:
    """Who is chosen."""
    there = stored_candidates(store)
    if not there:
        raise NoAccounts
    chosen = there.get(store.chosen_account())
    if chosen is None:
        message = f"No account was chosen: {_otherwise(pin)}. Choose one: codex-rotate use ACCOUNT"
        return _result(message, None, pin=pin, hindered="", changed=False)
    message = f"Everybody uses {named(chosen.account)}. {OWN_PIN} End it: {END}"
    return _result(message, chosen.account, pin=pin, hindered=hindrance(chosen, now), changed=False)


def _result(message: str, account: Account | None, *, pin: str, hindered: str, changed: bool) -> Result:
    notes = [hindered] if hindered else []
    if account is not None and pin:
        notes.append(f"The settings pin {pin} (strategy = pinned). `use` goes before them until `{END}`.")
    data = {
        "chosen": account.label if account is not None else None,
        "account_id": account.account_id if account is not None else None,
        "changed": changed,
        "hindrance": hindered or None,
        "settings_pin": pin or None,
    }
    return Result(message, data, notes=tuple(notes))


def _otherwise(pin: str) -> str:
    return f"the settings pin {pin} (strategy = pinned)" if pin else "the pool chooses for each thread"
