"""`login`: how an account comes into the pool without the official client."""

from dataclasses import replace
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from accounts.logins import oauth_login as flow
from accounts.logins.adopting import ImportOptions
from accounts.logins.auth_file import Login
from accounts.logins.import_formats import same_seat
from accounts.logins.workspaces import check_url
from accounts.model import Standing
from accounts.owner.names import checked_label
from accounts.store.store import Store
from cli.login.adopted import import_login
from cli.login.flows import Ways, log_in, login_by_browser, login_by_device, login_by_hand
from cli.ui.asking import Asker, NoAsking, asker
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import paths

ANOTHER: Final = (
    "To add another account, log out at https://chatgpt.com in that browser first, or open the address in a private "
    "window, and run `codex-rotate login` again. Of an e-mail with several workspaces, choose the other one in the "
    "browser, or name it with --workspace ID."
)


def add_to(app: typer.Typer) -> None:
    app.command("login")(login_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def login_command(  # noqa: PLR0913 - one parameter per option
    *,
    label: Annotated[str | None, typer.Option(help="What to call a new account. Default: from its e-mail.")] = None,
    device: Annotated[bool, typer.Option("--device", help="Type a code on another device instead.")] = False,
    manual: Annotated[bool, typer.Option("--manual", help="Paste the address the browser ends at instead.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address to open.")] = False,
    workspace: Annotated[
        str | None, typer.Option(metavar="ID", help="The only workspace (account id) that will do.")
    ] = None,
    as_json: AsJson = False,
) -> Result:
    """Log an account in and add it to the pool, or renew it there. The official client's login is not touched."""
    from cli.login.browser import open_page
    from cli.login.http import get, send
    from config import settings  # late: msgspec

    if device and manual:
        raise UsageError("--device and --manual are two ways to log in. Choose one of them.")
    options = ImportOptions(label=checked_label(label))
    workspace = _checked_workspace(workspace)
    ways = Ways(
        issuer=flow.issuer(),
        revoke_url=flow.revoke_url(),
        check_url=check_url(settings.load().chatgpt_base_url),
        send=send,
        get=get,
        say=say,
        open_page=_open_nothing if no_browser else open_page,
    )
    # A device login cannot name a workspace, so it would be in vain to ask for one.
    who: Asker = NoAsking() if device else asker(yes=False)

    def way(wanted: str | None) -> Login:
        if device:
            return login_by_device(ways, wanted)
        return login_by_hand(ways, wanted, who) if manual else login_by_browser(ways, wanted)

    with Store(paths.pool_file()) as store:  # first: a pool that cannot be opened must not cost a login
        login, notes = log_in(ways, way, workspace, who, store)
        result = keep_login(store, login, options, ways.clock())
        return replace(result, notes=(*store.repairs, *notes, *result.notes))


def _checked_workspace(workspace: str | None) -> str | None:
    if workspace is not None and not (workspace.isascii() and workspace.isprintable() and workspace.strip()):
        raise UsageError("--workspace needs an account id, as `codex-rotate list --json` shows it.")
    return workspace.strip() if workspace else None


def _open_nothing(url: str) -> bool:
    return False


# --- working ---------------------------------------------------------------------------------------------------------


def keep_login(store: Store, login: Login, options: ImportOptions, now: float) -> Result:
    """Put it into the pool. A login is not lost over a name: a label that is another account's is left out. That it was
    the login of an account that needed none is told with the way to another one."""
    origin, override = login.account.backend_origin, login.account.routing_override
    options = replace(options, backend_origin=origin, routing_override=override)
    accounts = store.accounts()
    old = next((each for each in accounts if same_seat(each, login.account)), None)
    wanted = (options.label or "").casefold()
    if old is None and wanted and any(each.label.casefold() == wanted for each in accounts):
        note = f"{options.label!r} is another account's label already, so this account did not get it."
        return replace(import_login(store, login, replace(options, label=None), now), notes=(note,))
    result = import_login(store, login, options, now)
    needed = old is None or old.standing is not Standing.GOOD
    return result if needed else replace(result, notes=(ANOTHER,))
