"""`use`: one account for everybody, until the pool may choose again."""

from dataclasses import replace
from typing import Annotated, Final

import typer

from accounts.choice.selection import Seat, Situation
from accounts.errors import LoginNeeded, NoAccounts, UsageError
from accounts.model import Account, Event
from accounts.policy import stored_seats
from accounts.states import State, Told, in_words, tell
from accounts.store.store import Store
from cli.commands.accounts.accounts import named
from cli.ui.known_names import complete_account
from cli.ui.naming import find_account, typed
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

OWN_PIN: Final = "Clients started with `run --account` keep theirs."
END: Final = "codex-rotate use --auto"


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
    pin = settings_pin()
    with Store(paths.pool_file()) as store:
        if auto:
            result = choose_nobody(store, pin, clock.now())
        elif account is None:
            result = show_choice(store, pin, clock.now())
        else:
            result = choose_account(store, account, pin, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


def settings_pin() -> str:
    """The account that the settings pin, as it is named there; "" for none. Raises ConfigError."""
    from config import settings  # late: pydantic

    chosen = settings.load()
    return chosen.pinned_account if chosen.strategy == "pinned" else ""


# --- working ---------------------------------------------------------------------------------------------------------


def choose_account(store: Store, wanted: str, pin: str, now: float) -> Result:
    """Pin an account for everybody, whether it can serve now or not. `pin` is the one that the settings pin."""
    account = find_account(store.accounts(), wanted)
    changed = store.chosen_account() != account.key
    if changed:
        store.choose_account(account.key).result()
        store.record(Event(at=now, kind="chosen", key=account.key))  # done, with or without history
        message = f"From the next request on everybody uses {named(account)}, through running proxies too. {OWN_PIN}"
    else:
        message = f"Everybody uses {named(account)} already."
    hindered = hindrance(stored_seats(store)[account.key], now)
    return _result(f"{message} End it: {END}", account, pin=pin, hindered=hindered, changed=changed)


def choose_nobody(store: Store, pin: str, now: float) -> Result:
    """Take the choice back."""
    key = store.chosen_account()
    account = next((each for each in store.accounts() if each.key == key), None)
    if key:
        store.choose_account("").result()
        store.record(Event(at=now, kind="choice_ended", key=key))
    if account is not None:
        message = f"{account.label} is no longer the only one: from the next request on {_otherwise(pin)}."
    else:
        message = f"No account was chosen: {_otherwise(pin)}."
    return _result(f"{message} See them: codex-rotate list", None, pin=pin, hindered="", changed=bool(key))


def show_choice(store: Store, pin: str, now: float) -> Result:
    """Who is chosen."""
    there = stored_seats(store)
    if not there:
        raise NoAccounts
    chosen = there.get(store.chosen_account())
    if chosen is None:
        message = f"No account was chosen: {_otherwise(pin)}. Choose one: codex-rotate use ACCOUNT"
        return _result(message, None, pin=pin, hindered="", changed=False)
    message = f"Everybody uses {named(chosen.account)}. {OWN_PIN} End it: {END}"
    return _result(message, chosen.account, pin=pin, hindered=hindrance(chosen, now), changed=False)


def hindrance(seat: Seat, now: float) -> str:
    """Why an account cannot serve now, or will hardly, and what to do about it; "" when it can."""
    told = tell(seat, Situation(now=now))
    return "" if told.serves else _hindered(seat.account.label, told, now)


def _hindered(label: str, told: Told, now: float) -> str:
    match told.state:
        case State.PAUSED:
            return f"{label} is paused and serves nothing until `codex-rotate resume {typed(label)}`."
        case State.NEEDS_LOGIN:
            return str(LoginNeeded(label))
        case State.CLOSED:
            return f"The provider has closed {label}, and no login opens it again. Choose another account."
        case State.NO_LOGIN:
            return f"The pool has no login of {label}. Run `codex-rotate login` with that account."
        case State.RESERVED:
            return f"{label} is {in_words(told, now)}. `codex-rotate reserve {typed(label)} 0` would give that away."
        case _:
            return f"{label} will hardly serve now: {in_words(told, now)}. `{END}` lets others serve meanwhile."


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
