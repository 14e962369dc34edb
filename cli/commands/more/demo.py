"""`demo`, without what it needs: the stand-in and its libraries are imported when it is run."""

from typing import Annotated

import typer

from cli.ui.options import AsJson
from cli.ui.result import Result


def add_to(app: typer.Typer) -> None:
    app.command("demo")(demo_command)


def demo_command(
    *,
    built_in: Annotated[
        bool,
        typer.Option("--built-in-client", help="With a small client of our own: nothing has to be downloaded."),
    ] = False,
    as_json: AsJson = False,
) -> Result:
    """Show the main job on this machine alone: accounts fail in mid-turn, the client does not notice.

    The client is the official one: `codex` on the PATH, else npx fetches it (some 170 MB), which is said before.
    """
    from cli.demo.play import demo

    return demo(built_in=built_in, as_json=as_json)
