"""Shells that are written for: which one the user has, and how each is told a variable."""

import re
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import PurePath
from typing import Final

from accounts.errors import UsageError


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


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    return f"set -gx {name} '" + re.sub(r"([\\'])", r"\\\1", value) + "'"


def _powershell(name: str, value: str) -> str:
    """To PowerShell the typographic quotes are single quotes as well; any of them, doubled, stands for itself."""
    return f"$env:{name} = '" + re.sub("(['‘’‚‛])", r"\1\1", value) + "'"


WRITERS: Final[Mapping[Shell, Callable[[str, str], str]]] = {
    Shell.BASH: _posix,
    Shell.ZSH: _posix,
    Shell.FISH: _fish,
    Shell.POWERSHELL: _powershell,
}
"""Says of a variable that a shell is to have it; how, by shell."""
