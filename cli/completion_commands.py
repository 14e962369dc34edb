"""`completion`: what a shell has to evaluate so that Tab completes our commands, options, settings and accounts.

The script starts this program with a variable that asks for words instead of a command; `prepare` makes the command
line ready to answer. Nothing is written then, and nobody who uses the pool is waited for.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer import core

from cli.app import COMPLETING
from cli.env_commands import Shell, shell_of
from cli.options import AsJson
from cli.result import Result
from config import paths

ACCOUNTS: Final = frozenset({"account", "accounts"})
"""What a parameter is called that names accounts, in every command."""
PATIENCE: Final = 0.2
"""Seconds that somebody who presses Tab waits for another process that has the pool."""
_PLAIN: Final = re.compile(r"[\w.@+-]+")
_MEDDLING: Final = ("Import-Module", "Set-PSReadLineKeyHandler")
"""Lines of the script for PowerShell that change what Tab does for every program."""


def add_to(app: typer.Typer) -> None:
    app.command("completion")(completion_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def completion_command(
    *,
    shell: Annotated[Shell | None, typer.Option("--shell", help="Which one. Default: that of $SHELL.")] = None,
    as_json: AsJson = False,
) -> Result:
    """Print what makes Tab complete: eval "$(codex-rotate completion)" in the start-up file of bash or zsh, in fish
    codex-rotate completion | source, in PowerShell codex-rotate completion | Out-String | Invoke-Expression.
    """
    return completion(shell or shell_of(os.environ, os.name))


# --- working ---------------------------------------------------------------------------------------------------------


def completion(shell: Shell) -> Result:
    """The script for one shell."""
    from typer._completion_shared import get_completion_script

    written = get_completion_script(prog_name="codex-rotate", complete_var=COMPLETING, shell=str(shell))
    script = "\n".join(line for line in written.splitlines() if not line.startswith(_MEDDLING))
    return Result(script, {"shell": str(shell), "script": script})


def words(environ: Mapping[str, str]) -> list[str]:
    """What is on the command line that a shell wants completed, without the word that is being written."""
    text = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS", "")
    found = text.split()
    return found[1:] if text[-1:].isspace() else found[1:-1]


def prepare(command: Any) -> None:
    """Teach a command line, as Typer builds it, to answer shells, with accounts where accounts are named."""
    from typer._completion_classes import completion_init

    completion_init()
    for parameter in _parameters(command):
        if parameter.name in ACCOUNTS:
            core._typer_param_setup_autocompletion_compat(  # noqa: SLF001 - one place instead of one in every command
                parameter, autocompletion=_complete_account
            )


def labels(pool: Path) -> list[str]:
    """The labels of the accounts in the pool that need no quotes in any shell, none when the file does not tell."""
    busy = pool.with_name(f"{pool.name}-wal").exists()  # where nobody has it open, reading would leave such files
    mode = "mode=ro" if busy else "mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{pool.absolute().as_uri()}?{mode}", uri=True, timeout=PATIENCE)) as connection:
            found = connection.execute("SELECT label FROM account ORDER BY added_at, key").fetchall()
    except sqlite3.Error:
        return []
    return [label for (label,) in found if _PLAIN.fullmatch(label)]


def _complete_account(context: object, arguments: list[str], incomplete: str) -> list[tuple[str, str] | str]:
    return [label for label in labels(paths.pool_file()) if label.startswith(incomplete)]


def _parameters(command: Any) -> Iterator[Any]:
    yield from command.params
    for each in getattr(command, "commands", {}).values():
        yield from _parameters(each)
