"""`env`: the lines that lead the clients of one shell through the proxy."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from certs.environment import full_environment, no_proxy_of
from cli.running import leading
from cli.running.binding import bypass_notes
from cli.ui.options import AsJson, ProxyOption
from cli.ui.result import Result
from cli.ui.shells import WRITERS, Shell, shell_of
from config import clock, paths


def add_to(app: typer.Typer) -> None:
    app.command("env")(env_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def env_command(
    *,
    shell: Annotated[Shell | None, typer.Option("--shell", help="Whose syntax. Default: that of $SHELL.")] = None,
    proxy: ProxyOption = "",
    all_tools: Annotated[
        bool,
        typer.Option("--all-tools", help="Let the shell's other tools trust the proxy too: git, curl, npm, Python..."),
    ] = False,
    intercept_all: Annotated[
        bool, typer.Option("--intercept-all", help="For `serve --intercept-all`: trust its debug CA, for any host.")
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Print what a shell has to evaluate before `codex`: eval "$(codex-rotate env)", in fish codex-rotate env | source,
    in PowerShell codex-rotate env | Out-String | Invoke-Expression.
    """
    chosen = Shell.BASH if as_json else shell or shell_of(os.environ, os.name)
    led = leading.led_to(proxy, everything=intercept_all) if proxy else leading.led(everything=intercept_all)
    if intercept_all:
        result = debug_env(chosen, led.url, paths.debug_ca_folder(), os.environ, clock.now())
    else:
        result = env(chosen, led.url, led.folder, os.environ, all_tools=all_tools)
    assert isinstance(result.data, dict)
    return replace(result, data=result.data | {"running": led.answers}, notes=(*led.notes, *result.notes))


# --- working ---------------------------------------------------------------------------------------------------------


def env(shell: Shell, proxy: str, folder: Path, environ: Mapping[str, str], *, all_tools: bool = False) -> Result:
    """The lines for one shell whose tools are to trust the authority in `folder`."""
    variables = full_environment(proxy, folder, environ, all_tools=all_tools)
    write = WRITERS[shell]
    lines = "\n".join(write(name, value) for name, value in variables.items())
    return Result(lines, variables, notes=bypass_notes(no_proxy_of(environ)), verbatim=True)


def debug_env(shell: Shell, proxy: str, folder: Path, environ: Mapping[str, str], now: float) -> Result:
    """The same for the debug CA. All tools get it: what they send through this proxy is intercepted too."""
    from certs import debug_ca  # late: cryptography

    authority = debug_ca.require(folder, now)
    result = env(shell, proxy, folder, environ, all_tools=True)
    note = (
        f"what starts in this shell trusts {authority.name} for any host, until {authority.end:%Y-%m-%d %H:%M} UTC. "
        "Close the shell when you have seen what you wanted."
    )
    return replace(result, notes=(*result.notes, note))
