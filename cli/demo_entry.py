"""`demo`, without what it needs: the stand-in and its libraries are imported when it is run."""

import typer

from cli.options import AsJson
from cli.result import Result


def add_to(app: typer.Typer) -> None:
    app.command("demo")(demo_command)


def demo_command(*, as_json: AsJson = False) -> Result:
    """Show the main job on this machine alone: accounts fail in mid-turn, the client does not notice."""
    from cli.demo import demo

    return demo(as_json=as_json)
