"""`verify`: ask the provider whether accounts can be used, and put right what the pool thinks of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from accounts.errors import UsageError
from accounts.model import Account, Standing
from accounts.owner.names import chosen_of
from accounts.provider.checking import Checked, Checker, check_each, detail, hints, in_words
from accounts.store.store import Store
from cli.running.provider import ask_provider
from cli.ui.checked import as_data, exit_code
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
from config import clock, paths


def add_to(app: typer.Typer) -> None:
    app.command("verify")(verify_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def verify_command(
    account: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ACCOUNT]...", help="Which accounts.", autocompletion=complete_account),
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All accounts.")] = False,
    flagged: Annotated[bool, typer.Option("--flagged", help="Those in bad standing. The default.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask only: change nothing, refresh no token.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Ask the provider whether accounts can be used, and mark them accordingly."""
    if sum((bool(account), every, flagged)) > 1:
        raise UsageError("Name accounts, or say --all or --flagged: one of the three.")
    with Store(paths.pool_file()) as store:
        chosen = chosen_of(store.accounts(), account or [])
        if not (account or every):
            chosen = [each for each in chosen if each.standing is not Standing.GOOD]
        checked, unsaved = ask_provider(store, chosen, dry_run=dry_run, quiet=as_json)
        return replace(_told(checked), notes=(*store.repairs, *unsaved))


# --- working ---------------------------------------------------------------------------------------------------------


def verify_accounts(checker: Checker, accounts: Sequence[Account]) -> Result:
    """Check these accounts and tell. Exit code 0: all can be used, 1: some cannot, 3: none can."""
    return _told(check_each(checker, accounts))


def _told(checked: Sequence[Checked]) -> Result:
    if not checked:
        return Result("No account is flagged. Say --all to check every account.", data=[])
    now = clock.now()
    rows = tuple((c.account.label, c.account.email, in_words(c, now), detail(c)) for c in checked)
    table = Table(
        columns=("label", "e-mail", "state", "detail"),
        rows=rows,
        clipped=frozenset({"label", "e-mail"}),
        wrapped=frozenset({"detail"}),
    )
    data = [as_data(each) for each in checked]
    return Result("\n".join(hints(checked)), data=data, exit_code=exit_code(checked), table=table)
