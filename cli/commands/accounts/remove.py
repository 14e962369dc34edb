"""`remove`: an account is forgotten."""

from dataclasses import replace
from typing import Annotated

import typer

from accounts.owner.names import find_account, named
from accounts.owner.removal import remove
from accounts.store.backups import Backups
from accounts.store.store import Store
from cli.ui.asking import Asker, asker
from cli.ui.known_names import AccountName
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths


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


# --- working ---------------------------------------------------------------------------------------------------------


def remove_account(store: Store, backups: Backups, wanted: str, who: Asker, now: float) -> Result:
    """Forget one account after asking. The backups stay as they are; those that hold its login are told."""
    account = find_account(store.accounts(), wanted)
    if not who.confirm(f"Remove {named(account)} from the pool?", "--yes"):
        return Result(f"{account.label} was not removed.", data={"removed": None}, exit_code=1)
    done = remove(store, backups, account, now)
    message = (
        f"{named(account)} was removed. Only our copy of its login is gone: "
        f"the account itself and the official client's own login stay as they are.{done.consequences}"
    )
    data = {"removed": account.label, "account_id": account.account_id, "backups": list(done.backups)}
    return Result(message, data)
