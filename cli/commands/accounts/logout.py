"""`logout`: how the login of an account ends, here and at the provider."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Final

import typer

from accounts.logins import oauth_login as flow
from accounts.logins.oauth_login import CallbackAnswer, Post
from accounts.model import Account
from accounts.owner.names import find_account, named
from accounts.owner.removal import remove
from accounts.store.backups import Backups
from accounts.store.store import Store
from accounts.tokens.locks import AccountLocks
from cli.ui.asking import Asker, asker
from cli.ui.known_names import AccountName
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

SESSIONS: Final = "end it in ChatGPT under Settings, Security, with `Log out of all devices`"


def add_to(app: typer.Typer) -> None:
    app.command("logout")(logout_command)


def logout_command(
    account: AccountName,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="End the login at the provider first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, not even after a failed --revoke.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Delete our copy of an account's login, and with --revoke end that login at the provider before."""
    from cli.login.http import send

    with Store(paths.pool_file()) as store:
        result = logout(store, account, asker(yes=yes), send if revoke else None, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


def logout(store: Store, wanted: str, who: Asker, send: Callable[[Post], CallbackAnswer] | None, now: float) -> Result:
    """Forget one account after asking; with `send` the provider is told first.

    When the provider does not confirm, it is asked once more whether to forget the account: the refresh token is what
    a second try needs.
    """
    account = find_account(store.accounts(), wanted)
    if not who.confirm(_question(account, revoke=send is not None), "--yes"):
        return _kept(account, f"{account.label} was not logged out.")
    trouble = ""
    if send is not None:
        with AccountLocks(paths.locks_folder()).account(account.key):  # not while a refresh makes another one of it
            trouble = _revoke(store, account, send)
    told = f"The provider did not confirm the end of the login ({trouble})."
    if trouble and not who.confirm(f"{told} Delete our copy anyway?", "--yes"):
        return _kept(account, f"{told} {named(account)} is still in the pool: try again later.")
    done = remove(store, Backups(store.path, paths.backups_folder()), account, now, logged_out=True)
    revoked = send is not None and not trouble
    data: dict[str, object] = {"removed": account.label, "account_id": account.account_id, "revoked": revoked}
    message = f"{named(account)} was logged out: our copy of its login is deleted"
    data["backups"] = list(done.backups)
    if trouble:
        return Result(f"{message}. {told} To be sure, {SESSIONS}.{done.consequences}", data, exit_code=1)
    if revoked:
        return Result(f"{message}, and the provider has ended it.{done.consequences}", data)
    return Result(f"{message}. At the provider it lives on; to end it there too, {SESSIONS}.{done.consequences}", data)


def _question(account: Account, *, revoke: bool) -> str:
    if not revoke:
        return f"Delete our copy of the login of {named(account)}?"
    return (
        f"End the login of {named(account)} at the provider and delete our copy? "
        "If it was imported, the official client loses it as well."
    )


def _kept(account: Account, message: str) -> Result:
    return Result(message, {"removed": None, "account_id": account.account_id, "revoked": False}, exit_code=1)


def _revoke(store: Store, account: Account, send: Callable[[Post], CallbackAnswer]) -> str:
    """End the stored login; "" or what went wrong."""
    credentials = store.credentials(account.key)
    if credentials is None:
        return ""
    answer = send(flow.revoke_post(flow.revoke_url(), credentials))
    if 200 <= answer.status < 300:
        return ""
    return str(answer.status) if answer.status else "no answer came"
