"""`join`: use the proxy of somebody else, with the key file that they made."""

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from accounts.store.store import Store
from cli.running import joined, proxies
from cli.running.binding import bound_to
from cli.running.joined_answer import ask_joined
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import access, clock, join_file, paths
from config.errors import RotateError
from config.join_file import BadJoinFile, Invitation

STDIN: Final = "-"
NEXT: Final = "`codex-rotate run`, `env` and `bind` use it from now on; `codex-rotate join --remove` gives it up."


class NotJoined(UsageError):
    def __init__(self) -> None:
        super().__init__("No proxy of somebody else was joined, so there is nothing to give up.")


class UnfitFile(RotateError):
    """Nothing was changed."""

    def __init__(self, file: str, trouble: str) -> None:
        super().__init__(
            f"{file} {trouble}. Nothing was changed. Ask whoever runs the proxy for a new key file: `codex-rotate keys "
            "add NAME --host HOST --out FILE`."
        )


@dataclass(frozen=True, slots=True)
class Offered:
    """A key file as it was read. `open_to_others`: its mode lets other users of this machine read it."""

    content: bytes
    name: str
    open_to_others: bool = False


def add_to(app: typer.Typer) -> None:
    app.command("join")(join_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def join_command(
    file: Annotated[
        str, typer.Argument(metavar="[FILE]", help="What `keys add NAME --host HOST` has made; - is stdin.")
    ] = "",
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Give up the proxy that was joined.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Use somebody else's proxy: `env`, `bind` and `run` lead there. No pool is needed here, and no CA is made."""
    if bool(file) is remove:
        raise UsageError("Say which key file to join with, `codex-rotate join FILE`, or `codex-rotate join --remove`.")
    return leave(os.environ) if remove else join(offered(file), os.environ, clock.now())


def offered(file: str) -> Offered:
    """Read it. Raises UnfitFile."""
    if file == STDIN:
        return Offered(sys.stdin.buffer.read(join_file.MOST_BYTES + 1), "What came on stdin")
    path = Path(file).expanduser()
    try:
        with path.open("rb") as source:
            mode = os.fstat(source.fileno()).st_mode
            content = source.read(join_file.MOST_BYTES + 1) if stat.S_ISREG(mode) else b""
    except OSError as e:
        raise UnfitFile(file, f"cannot be read ({e.strerror or e})") from e
    return Offered(content, file, open_to_others=os.name == "posix" and bool(mode & 0o077) and stat.S_ISREG(mode))


# --- working ---------------------------------------------------------------------------------------------------------


def join(offer: Offered, environ: Mapping[str, str], now: float) -> Result:
    """From now on the proxy of this file. Raises UnfitFile, UnfitCertificate, JoinedUnusable."""
    from certs import given  # late: cryptography

    try:
        invitation = join_file.read(offer.content)
    except BadJoinFile as e:
        raise UnfitFile(offer.name, str(e)) from e
    trusted = given.checked(invitation.certificate.encode(), now)
    before = joined.known(environ)
    joined.keep(replace(invitation, certificate=trusted.decode()), environ)
    answer = ask_joined(invitation)
    accounts = _own_accounts(environ)
    notes = (*_replaced(before, invitation), *_answered(answer, invitation), *_beside(accounts, invitation, environ))
    if offer.open_to_others:
        notes = (f"{offer.name} can be read by others on this machine, with the key in it: delete it.", *notes)
    data = {
        "proxy": invitation.url,
        "name": invitation.name,
        "answers": answer.presence is not None,
        "replaced": before.url if before else None,
        "own_accounts": accounts,
    }
    return Result(f"You have joined the proxy at {invitation.place} as {invitation.name}. {NEXT}", data, notes=notes)


def leave(environ: Mapping[str, str]) -> Result:
    """Give it up. Raises NotJoined, JoinedUnusable."""
    try:
        before = joined.current(environ)
    except joined.JoinedUnusable:  # a damaged one can be given up as well
        before = None
        place = ""
    else:
        if before is None:
            raise NotJoined
        place = before.place
    dotenv = paths.codex_dotenv_file(environ)
    led = bound_to(dotenv)
    bound = led is not None and before is not None and (led.host, led.port) == (before.host, before.port)
    joined.forget(environ, bound=bound)
    still = f"{dotenv} still leads every Codex of this user there: run `codex-rotate unbind`."
    message = f"The proxy {place} that you had joined is given up.".replace("  ", " ")
    again = " `codex-rotate run`, `env` and `bind` are for a pool of your own again; the key file joins once more."
    return Result(message + again, {"removed": before.url if before else None}, notes=(still,) if bound else ())


def _own_accounts(environ: Mapping[str, str]) -> int:
    """How many accounts a pool of one's own has; none is made for looking."""
    file = paths.pool_file(environ)
    if not access.seen(file):
        return 0
    try:
        with Store(file) as store:
            return len(store.accounts())
    except RotateError:
        return 0


# --- words -----------------------------------------------------------------------------------------------------------


def _replaced(before: Invitation | None, now: Invitation) -> tuple[str, ...]:
    if before is None or (before.place, before.name, before.key) == (now.place, now.name, now.key):
        return ()
    return (f"It took the place of {before.place}, which you had joined as {before.name}.",)


def _answered(answer: proxies.ProxyAnswer, invitation: Invitation) -> tuple[str, ...]:
    if answer.presence is not None:
        return ()
    if answer.refused:
        return (f"The proxy does not take the key of {invitation.name}: ask its owner for a new key file.",)
    if answer.status:
        return (f"What answers at {invitation.place} does not prove to be that proxy: ask its owner.",)
    return (f"Nothing answers at {invitation.place} now: ask its owner to start it.",)


def _beside(accounts: int, invitation: Invitation, environ: Mapping[str, str]) -> tuple[str, ...]:
    """What else there is that leads clients."""
    notes = []
    if accounts:
        pool = f"your own pool of {accounts} {'account' if accounts == 1 else 'accounts'}"
        notes.append(
            f"The proxy that you have joined goes before {pool} in `run`, `env` and `bind`. `codex-rotate join "
            "--remove` is the way back; `serve` and all that is about accounts is for your own pool as before."
        )
    led = bound_to(paths.codex_dotenv_file(environ))
    if led is not None and led.url != joined.address(invitation):
        notes.append(f"Codex is bound to {led.shown}: run `codex-rotate bind` again to bind it to {invitation.place}.")
    return tuple(notes)
