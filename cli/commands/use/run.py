"""`run`: one client behind the proxy, which is started if none is there, and nothing else changed."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Final

import typer

from accounts.errors import NoAccounts, UsageError
from accounts.model import Account
from accounts.store.store import Store
from certs.environment import bypasses, client_environment, no_proxy_of, proxy_at, trusted_file
from cli.commands.use import serve
from cli.running import client_login, joined, joined_run, local_key, processes, proxies
from cli.running.guarding import Guard
from cli.ui.known_names import complete_account
from cli.ui.naming import find_account
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import clock, dotenv, paths, proxy_files
from config.errors import RotateError
from config.proxy_files import Presence

CLIENT: Final = "codex"
INSTALL: Final = "npm install -g @openai/codex"
NOT_FOUND: Final = 127
"""What a shell gives for a command that is not there."""
WITHOUT_DAEMON: Final = ("-c", "features.daemon_auto_start=false")
"""Keeps the client from handing its work to a server in the background, which has the environment of whoever started it
first and would outlive us (docs/codex-wire.md section 6)."""
ONE_TURN: Final = frozenset({"exec", "e", "review"})
"""The client's subcommands that do not take the whole screen."""
REPLACED: Final = frozenset({"https_proxy", "no_proxy", "all_proxy"})
"""Other spellings of what we set, without regard to case: the client must find one proxy only."""


class ClientMissing(RotateError):
    exit_code = NOT_FOUND

    def __init__(self, command: str) -> None:
        install = (
            f"Install it with `{INSTALL}`, or give" if PurePath(command).name == CLIENT else "Check the name, or give"
        )
        super().__init__(f"{command} was not found on the PATH. {install} its path: `codex-rotate run -- /path/to/it`.")


class ClientUnusable(RotateError):
    exit_code = 126

    def __init__(self, command: str, trouble: str) -> None:
        super().__init__(f"{command} cannot be started ({trouble}). Check the file and its permissions.")


class OwnProxyInDotenv(RotateError):
    def __init__(self, file: Path, line: int, name: str) -> None:
        super().__init__(
            f"{file}, line {line}, sets {name}, which goes before what `run` gives the client. Take that line out, or "
            "start the client without codex-rotate."
        )


class PinnedThroughDotenv(UsageError):
    def __init__(self, file: Path) -> None:
        super().__init__(
            f"--account has no effect while {file} leads the client by itself (`codex-rotate bind`). Run "
            "`codex-rotate unbind` first, or leave --account out."
        )


class ProxyGone(RotateError):
    def __init__(self, code: int, why: str) -> None:
        self.exit_code = code or 1
        super().__init__(
            f"The proxy ended while the client was using it: {why.rstrip('.')}. The conversation is not lost: start it "
            "again with `codex-rotate run codex resume --last`."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the client's own `.env` makes of the environment: the proxy it is led to (None: it is not)."""

    file: Path
    url: str | None = None


def add_to(app: typer.Typer) -> None:
    app.command("run", context_settings={"allow_interspersed_args": False})(run_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def run_command(
    *,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[--] COMMAND...", help="The client. Default: codex.", show_default=False),
    ] = None,
    account: Annotated[
        str,
        typer.Option(
            "--account",
            help="Only this account serves: its label, e-mail or number in `list`.",
            autocompletion=complete_account,
        ),
    ] = "",
    as_json: AsJson = False,
) -> Result:
    """Start a client behind the proxy, and the proxy too if none runs. Exit code: the client's.

    Only this one process gets the environment; its input, output and signals are its own. With --json, errors of
    codex-rotate are JSON; otherwise nothing is printed beside what the client says.
    """
    argv = client_command(command or [CLIENT], os.environ)
    invitation = joined.current()
    if invitation is not None:
        look_at_login(argv)
        return joined_run.run(argv, invitation, account)
    with Store(paths.pool_file()) as store:
        accounts = store.accounts()
    if not accounts:
        raise NoAccounts
    look_at_login(argv)
    pinned = find_account(accounts, account) if account else None
    bound = led_by_dotenv(paths.codex_dotenv_file())
    if pinned is not None and bound.url is not None:
        raise PinnedThroughDotenv(bound.file)
    return run(argv, pinned, bound, os.environ)


# --- working ---------------------------------------------------------------------------------------------------------


def run(argv: Sequence[str], pinned: Account | None, bound: Bound, environ: Mapping[str, str]) -> Result:
    """The client, from its start to its end, and a proxy for it all the time."""
    later: list[str] = []
    tell = later.append if has_the_screen(argv[1:]) else _tell
    with proxies.alone(proxy_files.folder(environ)):
        found = find_proxy(bound, environ)
        first = proxies.Started(presence=found) if found is not None else start_proxy(bound, environ)
        guard = Guard(first, lambda host, port: start_at(host, port, environ), tell, environ)
    with guard:
        led = proxies.address(first.presence.url, proxies.local_key(environ), pinned.handle if pinned else "")
        try:
            code = processes.child(argv, environment(led, first.presence, environ))
        except OSError as e:
            raise ClientUnusable(argv[0], e.strerror or str(e)) from e
        trouble = guard.trouble() if code else ""
    trouble = trouble or guard.given_up  # which may have come to that only now
    if trouble:
        for line in later:
            _tell(line)
        raise ProxyGone(code, trouble)
    return Result("", data=None, exit_code=code, notes=tuple(later))


def has_the_screen(words: Sequence[str]) -> bool:
    """Whether the client has the whole terminal, so that a line of ours would garble it."""
    return sys.stdin.isatty() and sys.stderr.isatty() and client_login.subcommand(words) not in ONE_TURN


def _tell(line: str) -> None:
    with suppress(OSError):  # whoever could read it is gone
        say(f"codex-rotate: {line}")


def client_command(command: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What to start; of the official client, in a way that it does its work itself. Raises ClientMissing."""
    program = shutil.which(command[0], path=environ.get("PATH"))
    if program is None:
        raise ClientMissing(command[0])
    rest = list(command[1:])
    if is_client(command[0]) and not any("daemon_auto_start" in word for word in rest):
        rest = [*WITHOUT_DAEMON, *rest]
    return [program, *rest]


def is_client(program: str) -> bool:
    """Whether this is the official client."""
    return PurePath(program).stem == CLIENT


def look_at_login(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> None:
    """Raises what `client_login.check` raises, of the official client only."""
    if is_client(argv[0]):
        client_login.check(argv[1:], environ)


def led_by_dotenv(file: Path) -> Bound:
    """Whether the client's `.env`, which goes before any environment, leads it somewhere. Raises OwnProxyInDotenv."""
    try:
        content = file.read_bytes()
    except OSError:  # the client cannot read it either
        return Bound(file=file)
    try:
        for each in dotenv.assignments(content):
            name = each.name.upper()
            if name == "HTTPS_PROXY" or (name == "NO_PROXY" and bypasses(each.value)):
                raise OwnProxyInDotenv(file, each.line, each.name)
        url = dotenv.block_values(content).get("HTTPS_PROXY")
    except dotenv.DamagedBlock as e:
        raise RotateError(
            f"{file}, line {e.line}: {e.trouble}. Take the lines of codex-rotate out by hand; `codex-rotate bind` "
            "puts them in again."
        ) from e
    return Bound(file=file, url=url)


def find_proxy(bound: Bound, environ: Mapping[str, str]) -> Presence | None:
    """A proxy of ours that runs: where the client is led anyway, else any that opens the provider's hosts only."""
    running = proxies.running(environ)
    if bound.url is None:
        return next((each for each in running if not each.everything), None)
    wanted = proxy_at(bound.url)
    return next((each for each in running if proxy_at(each.url).port == wanted.port), None)


def start_proxy(bound: Bound, environ: Mapping[str, str]) -> proxies.Started:
    """A new one: at the address that the client is led to, else at a free port."""
    if bound.url is None:
        return start_at("127.0.0.1", 0, environ)
    at = proxy_at(bound.url)
    return start_at(at.host, at.port, environ)


def start_at(host: str, port: int, environ: Mapping[str, str]) -> proxies.Started:
    """A new one at this address; at port 0, at a free one. Raises PortTaken, ProxyDidNotStart or CaError."""
    from certs import ca  # late: cryptography

    if port:
        serve.check_free(host, port)
    folder = paths.ca_folder(environ)
    ca.ensure(folder, clock.now())
    with Store(paths.pool_file(environ)) as store:
        local_key.ensure(store, paths.client_key_file(environ))
    argv = serve.command(host, port, folder, web=False, look="warnings")
    flags: dict[str, object] = {"rotate_stop_when_unused": proxies.UNUSED_SECONDS}
    flags |= {"rotate_capture_limit": 0, "flow_detail": 0, "termlog_verbosity": "warn"}  # nobody looks at it
    return proxies.start(
        [*argv, *(part for item in flags.items() for part in ("--set", "=".join(map(str, item))))], environ
    )


def environment(url: str, presence: Presence, environ: Mapping[str, str]) -> dict[str, str]:
    """The client's environment: ours, led through the proxy."""
    kept = {name: value for name, value in environ.items() if name.lower() not in REPLACED}
    past = bypasses(no_proxy_of(environ))  # this client was asked to go through the proxy
    names = [name for name in no_proxy_of(environ).split(",") if name.strip() not in past]
    trusted = trusted_file(Path(presence.certificate).parent)
    return kept | client_environment(url, trusted, {"NO_PROXY": ",".join(names)})
