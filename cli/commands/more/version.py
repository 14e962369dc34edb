"""`version`, and `--version`."""

import typer

from cli.ui.options import AsJson
from cli.ui.result import Result
from config.version import current


def add_to(app: typer.Typer) -> None:
    app.command("version")(version_command)


def version_command(*, as_json: AsJson = False) -> Result:
    """Print the version. The same as `--version`."""
    return show_version()


def show_version() -> Result:
    """The version, alone."""
    found = current()
    return Result(f"codex-rotate {found}", data={"version": found})
