"""The only place that prints. Text for people or exactly one JSON value on stdout; errors for people on stderr."""

import json
import os
import sys

from cli.result import Result, Table

PIPE_WIDTH = 200
"""Columns of a table that goes to a file or a pipe, where nothing has to fit a screen. COLUMNS overrides it."""


def render(result: Result, *, as_json: bool) -> None:
    """Show what a command did."""
    for note in result.notes:
        print(f"codex-rotate: {note}", file=sys.stderr)
    if as_json:
        if result.data is not None:
            print(json.dumps(result.data, indent=2))
        return
    if result.table is not None:
        _print_table(result.table)
    if result.message:
        print(result.message)


def render_error(message: str, exit_code: int, *, as_json: bool) -> None:
    """Show why a command did nothing."""
    if as_json:
        print(json.dumps({"error": message, "exit_code": exit_code}))
    else:
        print(f"codex-rotate: {message}", file=sys.stderr)


def say(text: str) -> None:
    """Tell the person something before the command is over. On stderr: stdout is for the result alone."""
    print(text, file=sys.stderr, flush=True)


def tolerate_any_text() -> None:
    """Let names that the terminal's encoding lacks be shown escaped instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _print_table(table: Table) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    console = Console(file=sys.stdout, width=PIPE_WIDTH if piped else None, highlight=False)
    shown = RichTable(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in table.columns:
        if name in table.clipped:
            shown.add_column(name, overflow="ellipsis")
        elif name in table.wrapped:
            shown.add_column(name, overflow="fold")
        else:
            shown.add_column(name, no_wrap=True)
    for row in table.rows:
        named = zip(table.columns, row, strict=True)
        shown.add_row(*(Text(cell, style=_colour(cell) if name == "state" else "") for name, cell in named))
    console.print(shown)


def _colour(state: str) -> str:
    word = state.partition(" ")[0]
    return {"ready": "green", "resting": "yellow", "needs": "red", "closed": "red", "paused": "dim"}.get(word, "")
