"""`env`: the lines that lead the clients of one shell through the proxy."""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Annotated, Final

import typer

from accounts.errors import UsageError
from certs.environment import bypasses, full_environment, no_proxy_of
from cli.running import leading
from cli.ui.options import AsJson
from cli.ui.result import Result
from config import clock, paths

ProxyOption = Annotated[
    str,
    typer.Option("--proxy", metavar="URL", help="Where the proxy is: http://HOST:PORT. Default: the one that runs."),
]


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


_PROGRAMS: Final = {
    "sh": Shell.BASH,
    "dash": Shell.BASH,
    "ash": Shell.BASH,
    "ksh": Shell.BASH,
    "bash": Shell.BASH,
    "zsh": Shell.ZSH,
    "fish": Shell.FISH,
    "pwsh": Shell.POWERSHELL,
    "powershell": Shell.POWERSHELL,
}


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
    write = _WRITERS[shell]
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


def shell_of(environ: Mapping[str, str], system: str) -> Shell:
    """The shell that the user logs in with; on a system without such a thing, PowerShell on Windows and else bash."""
    login = environ.get("SHELL", "")
    if not login:
        return Shell.POWERSHELL if system == "nt" else Shell.BASH
    name = PurePath(login).name.lower().removesuffix(".exe")
    if name not in _PROGRAMS:
        raise UsageError(
            f"$SHELL is {login!r}, whose syntax is not known here. Add --shell and the nearest of: {', '.join(Shell)}."
        )
    return _PROGRAMS[name]


def bypass_notes(no_proxy: str) -> tuple[str, ...]:
    """One sentence if the user's own NO_PROXY undoes all of this."""
    names = ", ".join(bypasses(no_proxy))
    if not names:
        return ()
    return (f"NO_PROXY has {names}, so the client goes past the proxy. Take that out of NO_PROXY.",)


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    return f"set -gx {name} '" + re.sub(r"([\\'])", r"\\\1", value) + "'"


def _powershell(name: str, value: str) -> str:
    """To PowerShell the typographic quotes are single quotes as well; any of them, doubled, stands for itself."""
    return f"$env:{name} = '" + re.sub("(['‘’‚‛])", r"\1\1", value) + "'"


_WRITERS: Final[Mapping[Shell, Callable[[str, str], str]]] = {
    Shell.BASH: _posix,
    Shell.ZSH: _posix,
    Shell.FISH: _fish,
    Shell.POWERSHELL: _powershell,
}
