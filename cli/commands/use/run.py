"""`run`: one client behind the proxy, which is started if none is there, and nothing else changed."""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final

import typer

from accounts.model import Account
from accounts.owner.names import find_account
from accounts.store.no_accounts import no_accounts
from accounts.store.store import Store
from cli.running import client_login, joined, joined_run, processes, proxies
from cli.running.client_command import (
    CLIENT,
    Bound,
    ClientUnusable,
    PinnedThroughDotenv,
    client_command,
    environment,
    led_by_dotenv,
    look_at_login,
)
from cli.running.guarding import Guard
from cli.running.own_proxy import find_proxy, start_at, start_proxy
from cli.ui.known_names import complete_account
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import paths, proxy_files
from config.errors import RotateError

ONE_TURN: Final = frozenset({"exec", "e", "review"})
"""The client's subcommands that do not take the whole screen."""


class ProxyGone(RotateError):
    def __init__(self, code: int, why: str) -> None:
        self.exit_code = code or 1
        super().__init__(
            f"The proxy ended while the client was using it: {why.rstrip('.')}. The conversation is not lost: start it "
            "again with `codex-rotate run codex resume --last`."
        )


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
        raise no_accounts(paths.pool_file())
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
        for each in proxies.unproven(environ) if found is None else ():
            tell(proxies.not_proven(each))
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
