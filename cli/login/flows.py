"""The ways to log in: in a browser of this machine, with a code on another device, or with a pasted address."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from accounts.errors import BadCallback, WrongWorkspace
from accounts.logins import oauth_login as flow
from accounts.logins.auth_file import Login
from accounts.logins.oauth_login import CallbackAnswer, Grant, Post
from accounts.logins.workspaces import read_workspaces, routed
from accounts.model import Account, Credentials
from accounts.provider.usage import headers
from accounts.store.store import Store
from cli.login.choices import TRIES, Seats, called, choose, other_workspaces, seats_of
from cli.ui.asking import Asker
from config import clock

NOT_LISTED: Final = (
    "The provider did not say where the requests of this workspace belong ({trouble}). The account is kept, and its "
    "requests go where they went before, at first to chatgpt.com; a workspace that is bound to a region may be refused "
    "there. Run `codex-rotate login` with it again to have that looked up."
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
    send: Callable[[Post], CallbackAnswer]
    get: Callable[[str, Mapping[str, str]], CallbackAnswer]
    say: Callable[[str], None]
    open_page: Callable[[str], bool]
    wait: Callable[[float], object] = threading.Event().wait
    clock: Callable[[], float] = clock.now
    ports: Sequence[int] = flow.PORTS
    patience: float = flow.BROWSER_SECONDS


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


def _in_words(answer: CallbackAnswer) -> str:
    return str(answer.status) if answer.status else "no answer came"
