"""`help`: what a command does, its options and examples, as people and programs get it."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Annotated, Any

import typer

from accounts.errors import UsageError
from cli.ui.options import AsJson
from cli.ui.result import Result


class NothingBelow(UsageError):
    def __init__(self, command: str, word: str) -> None:
        super().__init__(
            f"`{command}` has no commands of its own, such as {word!r}. See `codex-rotate help {command}`."
        )


def add_to(app: typer.Typer) -> None:
    app.command("help")(help_command)


def complete_command(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell: what may follow the words that are there."""
    command: Any = context.find_root().command
    for word in context.params.get("words") or ():
        command = getattr(command, "commands", {}).get(word)
    return [name for name in getattr(command, "commands", {}) if name.startswith(incomplete)]


# --- parsing ---------------------------------------------------------------------------------------------------------


def help_command(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="Which command. Default: all.", autocompletion=complete_command),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a command does, its options and examples. The same as `--help` after its name."""
    from cli.ui.suggestions import UnknownCommand

    root: Any = context.find_root().command
    command = root
    path: list[str] = []
    for word in words or ():
        if getattr(command, "commands", None) is None:
            raise NothingBelow(" ".join(path), word)
        if word not in command.commands:
            raise UnknownCommand(word, path, root)
        command = command.commands[word]
        path.append(word)
    root.main([*path, "--help"], prog_name="codex-rotate", standalone_mode=False)


# --- working ---------------------------------------------------------------------------------------------------------


def in_json(command: Any, arguments: Sequence[str]) -> Any:
    """What asking `command` for help gives for programs: the text without boxes."""
    _plain(command)
    shown = io.StringIO()
    with redirect_stdout(shown):
        answer = command.main(list(arguments), prog_name="codex-rotate", standalone_mode=False)
    return answer if isinstance(answer, Result) else Result("", {"help": shown.getvalue().strip("\n")})


def _plain(command: Any) -> None:
    command.rich_markup_mode = None
    for each in getattr(command, "commands", {}).values():
        _plain(each)
