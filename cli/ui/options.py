"""Options that every command has."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON value.")]
"""Declared by every command for its help; cli/app.py looks for it itself, because errors in parsing are JSON too."""

ProxyOption = Annotated[
    str,
    typer.Option("--proxy", metavar="URL", help="Where the proxy is: http://HOST:PORT. Default: the one that runs."),
]
