"""`login`: how an account comes into the pool without the official client."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer

from accounts import login as flow
from accounts.auth_file import Login
from accounts.errors import UsageError
from accounts.login import Answer, Grant, Post
from accounts.store import Store
from cli.accounts_commands import Wishes, checked_label, import_login
from cli.asking import Asker, asker
from cli.options import AsJson
from cli.render import say
from cli.result import Result
from config import clock, paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Everything outside that a login touches. `wait` takes seconds; `clock` gives them since the epoch; `ports` are
    those the browser may come back to, and `patience` is how long it may take."""

    issuer: str
    send: Callable[[Post], Answer]
    say: Callable[[str], None]
    open_page: Callable[[str], bool]
    wait: Callable[[float], object] = threading.Event().wait
    clock: Callable[[], float] = clock.now
    ports: Sequence[int] = flow.PORTS
    patience: float = flow.BROWSER_SECONDS


def add_to(app: typer.Typer) -> None:
    app.command("login")(login_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def login_command(  # noqa: PLR0913 - one parameter per option
    *,
    label: Annotated[str | None, typer.Option(help="What to call the account. Default: from its e-mail.")] = None,
    device: Annotated[bool, typer.Option("--device", help="Type a code on another device instead.")] = False,
    manual: Annotated[bool, typer.Option("--manual", help="Paste the address the browser ends at instead.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address to open.")] = False,
    workspace: Annotated[
        str | None, typer.Option(metavar="ID", help="The only workspace (account id) that will do.")
    ] = None,
    as_json: AsJson = False,
) -> Result:
    """Log an account in and add it to the pool, or renew it there. The official client's login is not touched."""
    from cli.browser import open_page
    from cli.login_http import send

    if device and manual:
        raise UsageError("--device and --manual are two ways to log in. Choose one of them.")
    wishes = Wishes(label=checked_label(label))
    workspace = _checked_workspace(workspace)
    ways = Ways(issuer=flow.issuer(), send=send, say=say, open_page=_open_nothing if no_browser else open_page)
    with Store(paths.pool_file()) as store:  # first: a pool that cannot be opened must not cost a login
        if device:
            login = login_by_device(ways, workspace)
        elif manual:
            login = login_by_hand(ways, workspace, asker(yes=False))
        else:
            login = login_by_browser(ways, workspace)
        result = keep_login(store, login, wishes, ways.clock())
        return replace(result, notes=(*store.repairs, *result.notes))


def _checked_workspace(workspace: str | None) -> str | None:
    if workspace is not None and not (workspace.isascii() and workspace.isprintable() and workspace.strip()):
        raise UsageError("--workspace needs an account id, as `codex-rotate list --json` shows it.")
    return workspace.strip() if workspace else None


def _open_nothing(url: str) -> bool:
    return False


# --- logging in ------------------------------------------------------------------------------------------------------


def login_by_browser(ways: Ways, workspace: str | None) -> Login:
    """The browser comes back to a port of this machine."""
    from cli.login_server import CallbackServer  # late: only this way of logging in needs a server

    attempt = flow.new_attempt()
    with CallbackServer(ways.ports, attempt.state) as server:
        url = flow.authorize_url(ways.issuer, attempt, server.redirect_uri, workspace)
        ways.say(f"Log in at this address, in a browser on this machine:\n\n{url}\n")
        if not ways.open_page(url):
            ways.say("No browser was opened. On another machine's browser: --device, or --manual.")
        code = server.wait(ways.patience)
        grant = Grant(code=code, verifier=attempt.verifier, redirect_uri=server.redirect_uri)
    return _trade(ways, grant, workspace)


def login_by_device(ways: Ways, workspace: str | None) -> Login:
    """The person types a code on whatever device has a browser."""
    device = flow.read_usercode(ways.send(flow.usercode_post(ways.issuer)))
    ways.say(f"Open {flow.device_page(ways.issuer)} on any device and type this code:\n\n    {device.user_code}\n")
    ways.say("Type it only if you started this login yourself. Waiting for up to 15 minutes.")
    asking = flow.device_flow(ways.issuer, device, ways.clock)
    post = next(asking)
    while True:
        ways.wait(post.after)
        try:
            post = asking.send(ways.send(post))
        except StopIteration as e:
            grant: Grant = e.value
            return _trade(ways, grant, workspace)


def login_by_hand(ways: Ways, workspace: str | None, who: Asker) -> Login:
    """The person carries the answer over: the browser ends at an address that does not open, and that is pasted."""
    attempt = flow.new_attempt()
    back_to = flow.redirect_uri(flow.PORTS[0])
    url = flow.authorize_url(ways.issuer, attempt, back_to, workspace)
    ways.say(f"Log in at this address, in any browser:\n\n{url}\n")
    ways.say(f"It ends at a page that does not open. Copy its whole address; it begins with {back_to}?")
    code = flow.read_pasted(who.line("Which address did the browser end at?", "--device"), attempt.state)
    return _trade(ways, Grant(code=code, verifier=attempt.verifier, redirect_uri=back_to), workspace)


def _trade(ways: Ways, grant: Grant, workspace: str | None) -> Login:
    return flow.read_login(ways.send(flow.exchange_post(ways.issuer, grant)), workspace, ways.clock())


def keep_login(store: Store, login: Login, wishes: Wishes, now: float) -> Result:
    """Put it into the pool. A login is not lost over a name: a label that is another account's is left out."""
    wanted = (wishes.label or "").casefold()
    if wanted and any(a.label.casefold() == wanted and a.key != login.account.key for a in store.accounts()):
        note = f"{wishes.label!r} is another account's label already, so this account did not get it."
        return replace(import_login(store, login, replace(wishes, label=None), now), notes=(note,))
    return import_login(store, login, wishes, now)
