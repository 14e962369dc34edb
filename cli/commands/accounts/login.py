"""`login`: how an account comes into the pool without the official client."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final

import typer

from accounts.errors import BadCallback, UsageError, WrongWorkspace
from accounts.logins import oauth_login as flow
from accounts.logins.adopting import ImportOptions
from accounts.logins.auth_file import Login
from accounts.logins.import_formats import same_seat
from accounts.logins.oauth_login import Answer, Grant, Post
from accounts.logins.workspaces import check_url, read_workspaces, routed
from accounts.model import Account, Credentials, Standing
from accounts.owner.names import checked_label
from accounts.provider.usage import headers
from accounts.store.store import Store
from cli.login.adopted import import_login
from cli.login.choices import TRIES, Seats, called, choose, other_workspaces, seats_of
from cli.ui.asking import Asker, NoAsking, asker
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import clock, paths

NOT_LISTED: Final = (
    "The provider did not say where the requests of this workspace belong ({trouble}). The account is kept, and its "
    "requests go where they went before, at first to chatgpt.com; a workspace that is bound to a region may be refused "
    "there. Run `codex-rotate login` with it again to have that looked up."
)
ANOTHER: Final = (
    "To add another account, log out at https://chatgpt.com in that browser first, or open the address in a private "
    "window, and run `codex-rotate login` again. Of an e-mail with several workspaces, choose the other one in the "
    "browser, or name it with --workspace ID."
)
NOT_ENDED: Final = "The provider did not confirm that it ended that login ({trouble}). Its tokens are not stored here."

type Way = Callable[[str | None], Login]
"""One of the ways to log in, with the only workspace that will do, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Everything outside that a login touches. `wait` takes seconds; `clock` gives them since the epoch; `ports` are
    those the browser may come back to, and `patience` is how long it may take."""

    issuer: str
    revoke_url: str
    check_url: str
    send: Callable[[Post], Answer]
    get: Callable[[str, Mapping[str, str]], Answer]
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
    from config import settings  # late: pydantic

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


# --- logging in ------------------------------------------------------------------------------------------------------


def login_by_browser(ways: Ways, workspace: str | None) -> Login:
    """The browser comes back to a port of this machine."""
    from cli.login.server import CallbackServer  # late: only this way of logging in needs a server

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
    code = _pasted(ways, who, attempt.state)
    return _trade(ways, Grant(code=code, verifier=attempt.verifier, redirect_uri=back_to), workspace)


def _pasted(ways: Ways, who: Asker, state: str) -> str:
    """The code in what was pasted. Somebody at a terminal may try again; a pipe holds one answer."""
    question = "Which address did the browser end at?"
    if not who.there:
        return flow.read_pasted(who.line(question, "--device"), state)
    for _ in range(TRIES - 1):
        try:
            return flow.read_pasted(who.answer(question), state)
        except BadCallback as e:
            ways.say(f"That does not answer this login: {e.trouble}. Paste the whole address that the browser ends at.")
    return flow.read_pasted(who.answer(question), state)


def _trade(ways: Ways, grant: Grant, workspace: str | None) -> Login:
    answer = ways.send(flow.exchange_post(ways.issuer, grant))
    try:
        return flow.read_login(answer, workspace, ways.clock())
    except WrongWorkspace:
        give_back(ways, flow.read_login(answer, None, ways.clock()).credentials)
        raise


def give_back(ways: Ways, credentials: Credentials) -> None:
    """End a login that nobody wants. Nothing depends on it: tokens that are not stored are lost in any case."""
    answer = ways.send(flow.revoke_post(ways.revoke_url, credentials))
    if not 200 <= answer.status < 300:
        ways.say(NOT_ENDED.format(trouble=_in_words(answer)))


# --- its workspace ---------------------------------------------------------------------------------------------------


def log_in(ways: Ways, way: Way, wanted: str | None, who: Asker, store: Store) -> tuple[Login, tuple[str, ...]]:
    """Log in, and once more if the person then chooses another workspace; the login comes with notes about it."""
    login = way(wanted)
    seats = look_up(ways, login, store.accounts())
    if isinstance(seats, str):
        return login, (NOT_LISTED.format(trouble=seats),)
    if wanted is None and not who.there:
        return routed(login, seats.own), other_workspaces(seats)
    if wanted is None and len(seats.listed) > 1:
        chosen = choose(seats, who, ways.say)
        if chosen is not seats.own:
            ways.say(f"Tokens are for one workspace only. Log in once more, for {called(chosen)}.\n")
            give_back(ways, login.credentials)
            return log_in(ways, way, chosen.account_id, who, store)
    return routed(login, seats.own), ()


def look_up(ways: Ways, login: Login, accounts: Sequence[Account]) -> Seats | str:
    """What the provider says of the person's workspaces, or why that is not known."""
    answer = ways.get(ways.check_url, headers(login.account, login.credentials))
    if answer.status != 200:
        return _in_words(answer)
    return seats_of(read_workspaces(answer.body), login, accounts) or "its answer was not understood"


def _in_words(answer: Answer) -> str:
    return str(answer.status) if answer.status else "no answer came"


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
