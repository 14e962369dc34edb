"""`import` and `export`: logins that come from files of other programs, and one that goes to the official client."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from accounts.errors import CannotExport, UsageError
from accounts.logins.adopting import ImportOptions, adopt
from accounts.logins.auth_file import Login
from accounts.logins.export import auth_document, write_login
from accounts.logins.import_formats import Imported
from accounts.origin import PROVIDER_HOST
from accounts.owner.names import checked_label, find_account
from accounts.states import State, named
from accounts.store.store import Store
from cli.login import import_paths
from cli.login.adopted import NEXT_STEP, as_data, import_login
from cli.login.import_paths import Given
from cli.ui.known_names import AccountName
from cli.ui.options import AsJson
from cli.ui.result import Result, Table
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
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="The client's auth.json or accounts.json, codex-multi-auth's account file, folders of such files.",
        ),
    ],
    *,
    label: Annotated[str | None, typer.Option(help="What to call a new account. Default: from its e-mail.")] = None,
    backend_origin: Annotated[
        str | None, typer.Option(metavar="URL", help="The https origin of an account that is not on chatgpt.com.")
    ] = None,
    routing_override: Annotated[Routing | None, typer.Option(help="The region its requests must be served in.")] = None,
    as_json: AsJson = False,
) -> Result:
    """Add the accounts of login files to the pool, or renew them there. The files are only read.

    What is wrong with one of several keeps no other one out: exit code 1 then says that not everything came in.
    """
    options = ImportOptions(
        label=checked_label(label),
        backend_origin=_checked_origin(backend_origin),
        routing_override=routing_override.value if routing_override else None,
    )
    if len(path) == 1:
        imported = import_paths.read_one(path[0])
        with Store(paths.pool_file()) as store:
            result = import_logins(store, imported, options, clock.now())
            return replace(result, notes=(*store.repairs, *result.notes))
    given = import_paths.read(path)
    check_label(sum(len(each.imported.logins) for each in given if each.imported), options)
    with Store(paths.pool_file()) as store:
        result = import_several(store, given, options, clock.now())
        return replace(result, notes=(*store.repairs, *result.notes))


def export_command(
    account: AccountName,
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


def import_logins(store: Store, imported: Imported, options: ImportOptions, now: float) -> Result:
    """Put every login into the pool: one sentence for an auth.json, a table for everything else."""
    if imported.single:
        return import_login(store, imported.logins[0], options, now)
    check_label(len(imported.logins), options)
    results = [_imported(store, login, options, now) for login in imported.logins]
    return Result(
        f"Use them: {NEXT_STEP}",
        data={"results": results, "problems": list(imported.problems)},
        table=_table([("", each) for each in results]),
        notes=imported.problems,
    )


def import_several(store: Store, given: Sequence[Given], options: ImportOptions, now: float) -> Result:
    """The same of several files and folders; each login is told with where it was."""
    found = [(each.path, login) for each in given if each.imported for login in each.imported.logins]
    results = [(path, _imported(store, login, options, now)) for path, login in found]
    problems = tuple(problem for each in given if each.imported for problem in each.imported.problems)
    failed = [(each.path, each.error) for each in given if each.error]
    data = {
        "results": [told | {"file": path} for path, told in results],
        "problems": list(problems),
        "failed": [{"file": path, "error": error} for path, error in failed],
    }
    told = (f"Use them: {NEXT_STEP}",) if results else ()
    if failed:
        told = (f"Not imported: {', '.join(path or repr(path) for path, _ in failed)}. The reasons are above.", *told)
    return Result(
        "\n".join(told),
        data,
        exit_code=1 if failed else 0,
        table=_table(results) if results else None,
        notes=(*problems, *(error for _, error in failed)),
    )


def check_label(accounts: int, options: ImportOptions) -> None:
    """Raises UsageError for a label that several accounts would have."""
    if options.label is not None and accounts > 1:
        raise UsageError(f"--label is for one account, and there are {accounts}. Leave it out.")


def _imported(store: Store, login: Login, options: ImportOptions, now: float) -> dict[str, Any]:
    """What became of one login among many."""
    return as_data(adopt(store, login, options, now), now)


def _table(results: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """A row per login; with its file where that is said."""
    rows = []
    for file, each in results:
        account = each["account"]
        state = "" if account["state"] == State.READY else named(State(account["state"]))
        rows.append((file, account["label"], account["email"], each["result"], state))
    columns = ("file", "label", "e-mail", "result", "state")
    start = 0 if any(file for file, *_ in rows) else 1
    return Table(
        columns=columns[start:],
        rows=tuple(row[start:] for row in rows),
        clipped=frozenset({"file", "label", "e-mail"} & set(columns[start:])),
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
