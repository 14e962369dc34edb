"""Puts the commands together and is the edge where expected errors become one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from accounts.errors import RotateError
from certs.errors import CaError
from cli import (
    accounts_commands,
    backup_commands,
    bind_commands,
    ca_commands,
    demo_entry,
    doctor_commands,
    env_commands,
    keys_commands,
    login_commands,
    logout_commands,
    run_commands,
    serve_commands,
    status_commands,
    sync_commands,
    transfer_commands,
    verify_commands,
)
from cli.options import AsJson
from cli.render import render, render_error, tolerate_any_text
from cli.result import Result
from cli.version import show_version

USAGE: Final = 2
_PARSING_ERROR: Final[type[Exception]] = typer.BadParameter.__mro__[2]
"""The base class of everything the parser refuses, wherever this release of Typer keeps it."""


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="codex-rotate",
        help="A pool of accounts for the official Codex CLI, and what is needed to use it.",
        add_completion=False,
        pretty_exceptions_enable=False,  # a rich traceback could show local variables, and some of them are tokens
    )
    app.callback(invoke_without_command=True)(_root)
    for group in (
        accounts_commands,
        transfer_commands,
        login_commands,
        logout_commands,
        backup_commands,
        verify_commands,
        status_commands,
        sync_commands,
        ca_commands,
        run_commands,
        serve_commands,
        env_commands,
        bind_commands,
        keys_commands,
        doctor_commands,
        demo_entry,
    ):
        group.add_to(app)
    return app


def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    as_json: AsJson = False,
) -> Result | None:
    if version:
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
    command = typer.main.get_command(build())
    answer = command.main(arguments, prog_name="codex-rotate", standalone_mode=False)
    if not isinstance(answer, Result):
        if answer:  # recent releases of Typer return 130 instead of passing the interrupt on
            raise KeyboardInterrupt
        return 0  # --help prints by itself
    render(answer, as_json=as_json)
    sys.stdout.flush()
    return answer.exit_code


def _as_expected(error: Exception) -> tuple[str, int] | None:
    """Message and exit code of an expected error, None for a bug."""
    if isinstance(error, RotateError | CaError):
        return str(error), error.exit_code
    if isinstance(error, _PARSING_ERROR):
        context = getattr(error, "ctx", None)
        where = context.command_path if context else "codex-rotate"
        text = str(getattr(error, "format_message", error.__str__)())
        return f"{' '.join(text.split()).rstrip('.')}. See `{where} --help`.", USAGE
    config = sys.modules.get("config.settings")  # only a command that reads settings has loaded it
    if config is not None and isinstance(error, config.ConfigError):
        return str(error), config.ConfigError.exit_code
    return None
