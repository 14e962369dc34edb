"""`completion`: what a shell has to evaluate so that Tab completes our commands, options, settings and accounts.

The script starts this program with a variable that asks for words instead of a command. What a parameter may be is said
where it is declared; names in the pool come from cli/ui/known_names.py.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from cli.app import COMPLETING
from cli.ui.options import AsJson
from cli.ui.result import Result
from cli.ui.shells import Shell, shell_of

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
    return Result(script, {"shell": str(shell), "script": script}, verbatim=True)


def words(environ: Mapping[str, str]) -> list[str]:
    """What is on the command line that a shell wants completed, without the word that is being written."""
    text = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS", "")
    found = text.split()
    return found[1:] if text[-1:].isspace() else found[1:-1]


def prepare() -> None:
    """Let Typer answer each shell in that shell's own way."""
    from typer._completion_classes import completion_init

    completion_init()
