"""Puts the commands together and is the edge where expected errors become one line and an exit code.

Only the module of the command that is run is imported, so that no command makes another one start more slowly; help and
the completion of command names import all of them.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from cli.commands import COMMANDS
from cli.ui.help import dress
from cli.ui.options import AsJson
from cli.ui.render import CannotWrite, finish, give_up, render, render_error, tolerate_any_text, writing
from cli.ui.result import Result
from config import paths
from config.errors import RotateError

COMPLETING: Final = "_CODEX_ROTATE_COMPLETE"
"""Set by a shell that wants words for its Tab key instead of a command. Typer makes it from the program's name."""
HELP: Final = frozenset({"-h", "--help"})
USAGE: Final = 2
INTERRUPTED: Final = 130
"""What a shell makes of Ctrl-C."""
_PARSING_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]
"""The base class of everything the parser refuses, wherever this release of Typer keeps it."""


def build(modules: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with what these modules add to it."""
    app = typer.Typer(
        name="codex-rotate",
        help="A pool of accounts for the official Codex CLI, and what is needed to use it.",
        add_completion=False,
        pretty_exceptions_enable=False,  # a rich traceback could show local variables, and some of them are tokens
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for module in modules:
        import_module(f"cli.commands.{module}").add_to(app)
    dress(app)
    return app


def needed(arguments: Sequence[str]) -> tuple[str, ...]:
    """The modules that these arguments need. No option before the command has a value of its own."""
    for at, word in enumerate(arguments):
        if word in HELP:
            return tuple(COMMANDS)
        if not word.startswith("-"):
            about = needed([*arguments[at + 1 :], "-h"]) if word == "help" else ()
            found = tuple(module for module, names in COMMANDS.items() if word in names or module in about)
            return found or tuple(COMMANDS)  # to find the nearest name
    return ()  # the start screen, or the version


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.")] = False,
    as_json: AsJson = False,
) -> Result | None:
    if version:
        from cli.commands.more.version import show_version

        return show_version()
    if context.invoked_subcommand is None:
        from cli.ui.start_screen import start_screen

        return start_screen()
    return None


def main(argv: Sequence[str] | None = None, begins: Callable[[], object] = lambda: None) -> int:
    """Run one command. Returns its exit code; a bug keeps its traceback. `begins` is called when it can be interrupted
    in order."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in _own(arguments)
    tolerate_any_text()
    try:
        return _answered(arguments, begins, as_json=as_json)
    except CannotWrite as e:
        give_up(e)
        return 1


def _answered(arguments: list[str], begins: Callable[[], object], *, as_json: bool) -> int:
    """The exit code, with every expected failure told. Raises CannotWrite."""
    try:
        return _run(arguments, begins, as_json=as_json)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (typer.Abort, KeyboardInterrupt):
        render_error("Stopped before it was done. Run it again.", INTERRUPTED, as_json=as_json)
        return INTERRUPTED
    except Exception as e:
        expected = _as_expected(e, arguments)
        if expected is None:
            raise
        message, exit_code = expected
        render_error(message, exit_code, as_json=as_json)
        return exit_code


def _own(arguments: list[str]) -> list[str]:
    """The arguments that are for us: of `run`, those before the client's command."""
    if "run" not in arguments[:1]:
        return arguments
    after = [
        at for at, word in enumerate(arguments) if at and not word.startswith("-") and arguments[at - 1] != "--account"
    ]
    return arguments[: min([*after, *(at for at, word in enumerate(arguments) if word == "--")], default=None)]


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Whether help is what will be printed."""
    return (
        not HELP.isdisjoint(arguments) or next((each for each in arguments if not each.startswith("-")), "") == "help"
    )


def _run(arguments: list[str], begins: Callable[[], object], *, as_json: bool) -> int:
    paths.settle(os.environ)
    command = _for_a_shell() if COMPLETING in os.environ else typer.main.get_command(build(needed(arguments)))
    begins()
    if as_json and asks_for_help(_own(arguments)):
        from cli.commands.more.help import in_json

        answer = in_json(command, arguments)
    else:
        with writing() if asks_for_help(arguments) else nullcontext():
            answer = command.main(arguments, prog_name="codex-rotate", standalone_mode=False)
    if not isinstance(answer, Result):
        if answer:  # recent releases of Typer return 130 instead of passing the interrupt on
            raise KeyboardInterrupt
        finish()
        return 0  # --help prints by itself
    render(answer, as_json=as_json)
    finish()
    return answer.exit_code


def _for_a_shell() -> Any:
    """The command line that answers what the shell's Tab key asks, and then exits."""
    from cli.commands.setup import completion

    completion.prepare()
    return typer.main.get_command(build(needed(completion.words(os.environ)) or COMMANDS))


def _as_expected(error: Exception, arguments: Sequence[str]) -> tuple[str, int] | None:
    """Message and exit code of an expected error, None for a bug."""
    if isinstance(error, RotateError):
        return str(error), error.exit_code
    if isinstance(error, _PARSING_ERROR):
        from cli.ui.suggestions import refusal

        return refusal(error, arguments), USAGE
    return None
