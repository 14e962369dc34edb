"""`completion`: what a shell has to evaluate so that Tab completes our commands, options, settings and accounts.

The script starts this program with a variable that asks for words instead of a command, which Typer answers. What a
parameter may be is said where it is declared; names in the pool come from cli/ui/known_names.py.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Final

import typer

from cli.app import COMPLETING
from cli.ui.options import AsJson
from cli.ui.result import Result
from cli.ui.shells import Shell, shell_of

_BASH: Final = """
_codex_rotate_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \\
                   COMP_CWORD=$COMP_CWORD \\
                   @ASKING@=complete_bash $1 ) )
    return 0
}

complete -o default -F _codex_rotate_completion codex-rotate
"""
_ZSH: Final = """
#compdef codex-rotate

_codex_rotate_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" @ASKING@=complete_zsh codex-rotate)
}

compdef _codex_rotate_completion codex-rotate
"""
_FISH_ASKS: Final = (
    "env @ASKING@=complete_fish _TYPER_COMPLETE_FISH_ACTION={} _TYPER_COMPLETE_ARGS=(commandline -cp) codex-rotate"
)
_FISH: Final = (
    f'complete --command codex-rotate --no-files --arguments "({_FISH_ASKS.format("get-args")})" '
    f'--condition "{_FISH_ASKS.format("is-args")}"'
)
_POWERSHELL: Final = """
$scriptblock = {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:@ASKING@ = "complete_powershell"
    $Env:_TYPER_COMPLETE_ARGS = $commandAst.ToString()
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = $wordToComplete
    codex-rotate | ForEach-Object {
        $commandArray = $_ -Split ":::"
        $command = $commandArray[0]
        $helpString = $commandArray[1]
        [System.Management.Automation.CompletionResult]::new(
            $command, $command, 'ParameterValue', $helpString)
    }
    $Env:@ASKING@ = ""
    $Env:_TYPER_COMPLETE_ARGS = ""
    $Env:_TYPER_COMPLETE_WORD_TO_COMPLETE = ""
}
Register-ArgumentCompleter -Native -CommandName codex-rotate -ScriptBlock $scriptblock
"""
_SCRIPTS: Final[Mapping[str, str]] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL}
"""They ask in the variables that Typer reads, as its own do. Its own for PowerShell would change Tab everywhere."""


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
    script = _SCRIPTS[shell].strip().replace("@ASKING@", COMPLETING)
    return Result(script, {"shell": str(shell), "script": script}, verbatim=True)


def words(environ: Mapping[str, str]) -> list[str]:
    """What is on the command line that a shell wants completed, without the word that is being written."""
    text = environ.get("COMP_WORDS") or environ.get("_TYPER_COMPLETE_ARGS", "")
    found = text.split()
    return found[1:] if text[-1:].isspace() else found[1:-1]


def prepare() -> None:
    """Let Typer answer each shell in that shell's own way."""
    speaking = typer.Typer(add_completion=True)  # ours does without, because that adds options to it
    speaking.callback()(lambda: None)
    typer.main.get_command(speaking)
