"""Puts the commands together and is the edge where expected errors become one line and an exit code.

To add a command: write `add_to(app)` in a module of this folder and give the module a row in COMMANDS, or its command's
name in the row that is there. Only the module of the command that is run is imported, so that no command makes another
one start more slowly; help and the completion of command names import all of them.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Annotated, Any, Final

import typer

from accounts.errors import RotateError
from certs.errors import CaError
from cli.options import AsJson
from cli.render import render, render_error, tolerate_any_text
from cli.result import Result

COMMANDS: Final = {
    "list_commands": ("list",),
    "use_commands": ("use",),
    "change_commands": ("pause", "resume", "label", "tag", "priority", "reserve"),
    "accounts_commands": ("remove",),
    "transfer_commands": ("import", "export"),
    "login_commands": ("login",),
    "logout_commands": ("logout",),
    "backup_commands": ("backup",),
    "verify_commands": ("verify",),
    "check_commands": ("check",),
    "forecast_commands": ("forecast", "best"),
    "status_commands": ("status", "script"),
    "why_commands": ("why",),
    "sync_commands": ("sync",),
    "ca_commands": ("ca",),
    "run_commands": ("run",),
    "serve_commands": ("serve",),
    "env_commands": ("env",),
    "bind_commands": ("bind", "unbind"),
    "keys_commands": ("keys",),
    "doctor_commands": ("doctor",),
    "config_commands": ("config",),
    "completion_commands": ("completion",),
    "fix_commands": ("fix",),
    "report_commands": ("report",),
    "debug_commands": ("debug",),
    "explain_commands": ("explain",),
    "demo_entry": ("demo",),
}
"""The modules of this folder and the commands or groups that each one adds, in the order of `--help`."""
COMPLETING: Final = "_CODEX_ROTATE_COMPLETE"
"""Set by a shell that wants words for its Tab key instead of a command. Typer makes it from the program's name."""
USAGE: Final = 2
_PARSING_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]
"""The base class of everything the parser refuses, wherever this release of Typer keeps it."""

_PASSWORD: Final = re.compile(r"://\S*@")
"""What an argument in the wrong place may hold, and its refusal must not repeat."""


def build(modules: Iterable[str] = COMMANDS) -> typer.Typer:
    """The command line with what these modules add to it."""
    app = typer.Typer(
        name="codex-rotate",
        help="A pool of accounts for the official Codex CLI, and what is needed to use it.",
        add_completion=False,
        pretty_exceptions_enable=False,  # a rich traceback could show local variables, and some of them are tokens
    )
    app.callback(invoke_without_command=True)(_root)
    for module in modules:
        import_module(f"cli.{module}").add_to(app)
    return app


def needed(arguments: Sequence[str]) -> tuple[str, ...]:
    """The modules that these arguments need. No option before the command has a value of its own."""
    wanted = next((word for word in arguments if not word.startswith("-")), "")
    found = tuple(module for module, names in COMMANDS.items() if wanted in names)
    if found or (not wanted and "--version" in arguments):
        return found
    return tuple(COMMANDS)  # help, or a name to find the nearest of


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    as_json: AsJson = False,
) -> Result | None:
    if version:
        from cli.version import show_version

        return show_version()
    if context.invoked_subcommand is None:
        context.fail("Say which command to run.")
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code; a bug keeps its traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in _own(arguments)
    tolerate_any_text()
    try:
        return _run(arguments, as_json=as_json)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (typer.Abort, KeyboardInterrupt):
        render_error("Stopped before it was done. Run it again.", 1, as_json=as_json)
        return 1
    except Exception as e:
        expected = _as_expected(e)
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


def _run(arguments: list[str], *, as_json: bool) -> int:
    command = _for_a_shell() if COMPLETING in os.environ else typer.main.get_command(build(needed(arguments)))
    answer = command.main(arguments, prog_name="codex-rotate", standalone_mode=False)
    if not isinstance(answer, Result):
        if answer:  # recent releases of Typer return 130 instead of passing the interrupt on
            raise KeyboardInterrupt
        return 0  # --help prints by itself
    render(answer, as_json=as_json)
    sys.stdout.flush()
    return answer.exit_code


def _for_a_shell() -> Any:
    """The command line that answers what the shell's Tab key asks, and then exits."""
    from cli import completion_commands

    command = typer.main.get_command(build(needed(completion_commands.words(os.environ))))
    completion_commands.prepare(command)
    return command


def _as_expected(error: Exception) -> tuple[str, int] | None:
    """Message and exit code of an expected error, None for a bug."""
    if isinstance(error, RotateError | CaError):
        return str(error), error.exit_code
    if isinstance(error, _PARSING_ERROR):
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "codex-rotate"
        text = _PASSWORD.sub("://***@", str(getattr(error, "format_message", error.__str__)()))
        return f"{' '.join(text.split()).rstrip('.')}. See `{where} --help`.", USAGE
    config = sys.modules.get("config.settings_file")  # only a command that reads settings has loaded it
    if config is not None and isinstance(error, config.ConfigError):
        return str(error), error.exit_code
    return None
