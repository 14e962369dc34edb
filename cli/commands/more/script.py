"""`script`: where the proxy's script lies."""

from pathlib import Path

import typer

from cli.running.proxy_command import SCRIPT
from cli.ui.options import AsJson
from cli.ui.result import Result
from config.errors import RotateError
from config.paths import PROGRAM


def add_to(app: typer.Typer) -> None:
    app.command("script")(script_command)


def script_command(*, as_json: AsJson = False) -> Result:
    """Print where the proxy's script lies, for `mitmdump -s "$(codex-rotate script)"`."""
    return script(PROGRAM)


def script(root: Path) -> Result:
    """The proxy's script under `root`, the folder that holds this program."""
    path = root / SCRIPT
    if not path.is_file():
        raise RotateError(f"{path} is missing, so the installation is not complete. Install codex-rotate again.")
    return Result(str(path), data={"script": str(path)}, verbatim=True)
