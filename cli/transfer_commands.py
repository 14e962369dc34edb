"""`import` and `export`: logins that come from files of other programs, and one that goes to the official client."""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from accounts.errors import CannotExport, UsageError
from accounts.export import auth_document, write_login
from accounts.import_formats import Imported, read_logins
from accounts.origin import PROVIDER_HOST
from accounts.store import Store
from cli.accounts_commands import NEXT_STEP, Wishes, checked_label, import_login
from cli.naming import find_account
from cli.options import AsJson
from cli.result import Result, Table
from config import clock, paths

OWNERS = (
    "This login has two owners now, and a refresh token works only once: whoever refreshes first signs the other one "
    "out. Run `codex-rotate remove {label}` if the official client is to keep it."
)


class Routing(StrEnum):
    """The values of `x-openai-account-routing-override`."""

    US = "us"
    US_CR = "us_cr"


def add_to(app: typer.Typer) -> None:
    app.command("import")(import_command)
    app.command("export")(export_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def import_command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="The client's auth.json or accounts.json, codex-multi-auth's account file, or a folder of such files.",
        ),
    ],
    *,
    label: Annotated[str | None, typer.Option(help="What to call the account. Default: from its e-mail.")] = None,
    backend_origin: Annotated[
        str | None, typer.Option(metavar="URL", help="The https origin of an account that is not on chatgpt.com.")
    ] = None,
    routing_override: Annotated[Routing | None, typer.Option(help="The region its requests must be served in.")] = None,
    as_json: AsJson = False,
) -> Result:
    """Add the accounts of a login file to the pool, or renew them there. The file is only read."""
    wishes = Wishes(
        label=checked_label(label),
        backend_origin=_checked_origin(backend_origin),
        routing_override=routing_override.value if routing_override else None,
    )
    imported = read_logins(path.expanduser())
    with Store(paths.pool_file()) as store:
        result = import_logins(store, imported, wishes, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


def export_command(
    account: Annotated[str, typer.Argument(help="Label, beginning of one, e-mail, account id, or list number.")],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The auth.json to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there already.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Write the login of an account as an auth.json for the official client."""
    with Store(paths.pool_file()) as store:
        result = export_login(store, account, out.expanduser(), force=force)
        return replace(result, notes=(*store.repairs, *result.notes))


def _checked_origin(origin: str | None) -> str | None:
    if origin is None:
        return None
    host = origin.lower().removeprefix("https://").removesuffix("/")
    if not origin.lower().startswith("https://") or PROVIDER_HOST.fullmatch(host) is None:
        raise UsageError("--backend-origin must be a host of the provider, such as https://eu.chatgpt.com.")
    return f"https://{host}"


# --- working ---------------------------------------------------------------------------------------------------------


def import_logins(store: Store, imported: Imported, wishes: Wishes, now: float) -> Result:
    """Put every login into the pool: one sentence for an auth.json, a table for everything else."""
    if imported.single:
        return import_login(store, imported.logins[0], wishes, now)
    if wishes.label is not None and len(imported.logins) > 1:
        raise UsageError(f"--label is for one account, and there are {len(imported.logins)}. Leave it out.")
    results = [import_login(store, login, wishes, now).data for login in imported.logins]
    rows = []
    for each in results:
        assert isinstance(each, dict)
        each.pop("next")
        account = each["account"]
        state = "" if account["state"] == "ready" else str(account["state"]).replace("_", " ")
        rows.append((account["label"], account["email"], each["result"], state))
    columns = ("label", "e-mail", "result", "state")
    return Result(
        f"Use them: {NEXT_STEP}",
        data={"results": results, "problems": list(imported.problems)},
        table=Table(columns=columns, rows=tuple(rows), clipped=frozenset({"label", "e-mail"})),
        notes=imported.problems,
    )


def export_login(store: Store, wanted: str, out: Path, *, force: bool) -> Result:
    """Write one account's login to `out`."""
    account = find_account(store.accounts(), wanted)
    credentials = store.credentials(account.key)
    if credentials is None:
        raise CannotExport(f"No login of {account.label} is stored. Import it again.")
    if out.resolve().parent == store.path.resolve().parent and out.name.startswith(store.path.name):
        raise UsageError(f"{out} belongs to the pool itself. Choose another file with --out.")
    store.share(account.key).result()
    write_login(out, auth_document(account, credentials), force=force)
    return Result(
        f"The login of {account.label} was written to {out}.",
        data={"exported": account.label, "account_id": account.account_id, "file": str(out)},
        notes=(OWNERS.format(label=account.label),),
    )
