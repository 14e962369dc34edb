"""`stop`: ends proxies of this pool, each after its turns or at once."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from accounts.errors import UsageError
from cli.running import processes, proxies
from cli.ui.options import AsJson
from cli.ui.render import say
from cli.ui.result import Result
from config import clock, proxy_files
from config.errors import ConfigError, RotateError
from config.proxy_files import ProxyInfo

LOOK_SECONDS: Final = 0.05
MOST_SECONDS: Final = 620.0
"""A proxy gives its turns ten minutes."""
NOW_SECONDS: Final = 10.0
"""What one that was told twice gets."""


class NoProxyRuns(RotateError):
    exit_code = 3

    def __init__(self, port: int | None, beside: Sequence[str] = ()) -> None:
        where = f" at port {port}" if port is not None else ""
        super().__init__(" ".join([f"No proxy of this pool runs{where}, so there is nothing to stop.", *beside]))


class NotOurProxy(RotateError):
    def __init__(self, port: int, whose: str) -> None:
        super().__init__(f"What listens at port {port} is {whose}. Nothing was stopped: let its owner end it.")


class SeveralRun(UsageError):
    def __init__(self, ports: Sequence[int]) -> None:
        named = ", ".join(map(str, ports))
        super().__init__(
            f"Several proxies of this pool run (at the ports {named}). Name one port, or stop them with --all."
        )


class StopRefused(RotateError):
    def __init__(self, presence: ProxyInfo) -> None:
        super().__init__(
            f"The proxy at {presence.url} (process {presence.pid}) belongs to another user of this machine. Stop it as "
            "that user."
        )


class StillThere(RotateError):
    def __init__(self, presence: ProxyInfo) -> None:
        super().__init__(
            f"The proxy at {presence.url} (process {presence.pid}) has not ended in time. `codex-rotate stop --now` "
            "tells it once more; if that does not help, kill the process."
        )


def add_to(app: typer.Typer) -> None:
    app.command("stop")(stop_command)


def complete_port(incomplete: str) -> list[str]:
    """The ports of proxies that have left a file: nobody is asked for a Tab key."""
    ports = set[str]()
    with suppress(ConfigError):
        ports = {str(port_of(told)) for told in proxy_files.announced(proxy_files.folder())}
    return sorted(port for port in ports if port.startswith(incomplete))


# --- parsing ---------------------------------------------------------------------------------------------------------


def stop_command(
    *,
    port: Annotated[
        int | None,
        typer.Argument(
            metavar="[PORT]", min=1, max=65535, show_default=False,
            help="Where the proxy listens. Not needed when only one runs.", autocompletion=complete_port,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All proxies of this pool.")] = False,
    now: Annotated[bool, typer.Option("--now", help="At once: turns that run are cut off.")] = False,
    as_json: AsJson = False,
) -> Result:  # fmt: skip
    """End proxies of this pool, in the background or not. Each finishes the turns that run.

    Exit code 3 when none runs. On Windows a proxy ends at once: it cannot be told. A proxy that a client of `run` still
    uses is replaced by that `run`.
    """
    if every and port is not None:
        raise UsageError("Give a port, or --all, not both.")
    return stop(chosen(port, every=every, environ=os.environ), now=now, environ=os.environ)


# --- working ---------------------------------------------------------------------------------------------------------


def chosen(port: int | None, *, every: bool, environ: Mapping[str, str]) -> list[ProxyInfo]:
    """The proxies that are meant: they run, or they end and wait. Raises NoProxyRuns, SeveralRun or NotOurProxy."""
    found = proxies.running(environ)
    found += proxy_files.leaving(proxy_files.folder(environ), clock.now())
    if port is not None:
        found = [told for told in found if port_of(told) == port]
    if not found:
        if port is not None and (whose := stranger(port, environ)):
            raise NotOurProxy(port, whose)
        raise NoProxyRuns(port, [proxies.not_proven(told) for told in proxies.unproven(environ)])
    ports = sorted({port_of(told) for told in found})
    if len(ports) > 1 and not every:
        raise SeveralRun(ports)
    return found


def stranger(port: int, environ: Mapping[str, str]) -> str:
    """Who listens there and is no proxy of this pool; "" for nobody."""
    answer = proxies.ask(f"http://127.0.0.1:{port}")
    if answer.presence is not None:
        return f"a proxy of another pool, in {answer.presence.home}"
    if answer.refused:
        return "a proxy of another user, or of another pool"
    return "another program" if answer.status or proxies.listens(port) else ""


def stop(found: Sequence[ProxyInfo], *, now: bool, environ: Mapping[str, str]) -> Result:
    """End these, and wait until they have ended. Raises StopRefused or StillThere."""
    for told in found:
        if now or told.turns is None:  # else it was told before, and a second time would cut its turns off
            tell(told)
    began, again, shown = clock.monotonic(), now, dict[int, int]()
    waiting = list(found)
    while waiting := [told for told in waiting if is_there(told, environ)]:
        waited = clock.monotonic() - began
        if waited > (NOW_SECONDS if now else MOST_SECONDS):
            raise StillThere(waiting[0])
        if again and waited > processes.AGAIN_SECONDS:
            again = False
            for told in waiting:
                tell(told)
        show_turns(waiting, shown, environ)
        clock.pause(LOOK_SECONDS)
    message = "\n".join(f"The proxy at {told.url} has stopped." for told in found)
    data = {"stopped": [{"proxy": told.url, "pid": told.pid} for told in found]}
    return Result(message, data, notes=replaced(found, environ))


def show_turns(waiting: Sequence[ProxyInfo], shown: dict[int, int], environ: Mapping[str, str]) -> None:
    """Say how many turns each of them waits for, when that has changed."""
    for told in proxy_files.leaving(proxy_files.folder(environ), clock.now()):
        turns = told.turns or 0
        if turns and shown.get(told.pid) != turns and told.pid in {each.pid for each in waiting}:
            shown[told.pid] = turns
            said = f"{turns} turn{'' if turns == 1 else 's'}"
            say(f"codex-rotate: {told.url} waits for {said} to end; `codex-rotate stop --now` does not wait")


def replaced(found: Sequence[ProxyInfo], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Notes about the addresses at which another one runs by now."""
    return tuple(
        f"another proxy runs at {told.url} since: a client of `codex-rotate run` uses it, and it ends with that client"
        for told in proxies.running(environ)
        if told.url in {each.url for each in found}
    )


def tell(told: ProxyInfo) -> None:
    """Ask a proxy to end. Raises StopRefused."""
    try:
        processes.ask_to_end(told.pid)
    except PermissionError:
        raise StopRefused(told) from None


def is_there(told: ProxyInfo, environ: Mapping[str, str]) -> bool:
    """Whether it still runs: it takes its file away as the last thing, and one that was killed is no process."""
    file = proxy_files.folder(environ) / f"{told.pid}.json"
    return file.exists() and processes.runs(told.pid)


def port_of(told: ProxyInfo) -> int:
    return urlsplit(told.url).port or 0
