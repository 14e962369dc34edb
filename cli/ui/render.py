"""The only place that prints. Text for people or exactly one JSON value on stdout; errors for people on stderr. What
goes on until it is stopped is printed line by line."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TextIO

from cli.ui.bars import can_show, in_ascii
from cli.ui.lines import fitted, terminal_width, wrapped
from cli.ui.result import Result, Table

if TYPE_CHECKING:
    from rich.measure import Measurement
    from rich.table import Table as RichTable
    from rich.text import Text

PIPE_WIDTH = 200
"""Columns of a table that goes to a file or a pipe, where nothing has to fit a screen. COLUMNS overrides it."""
GAP: Final = 2
CLIPPED_ROOM: Final = 20
WRAPPED_ROOM: Final = 22
"""So wide a column that can be cut, or wrapped, should be for a table to be shown and not its narrow form."""
CLIPPED_LEAST: Final = 9
WRAPPED_LEAST: Final = 9
"""To this they shrink where there is no narrower form; what is wrapped not below its longest word, unless that is
longer than WRAPPED_MOST: a name or a path can be as long as it likes."""
WRAPPED_MOST: Final = 26
FAVOUR: Final = 4


class CannotWrite(OSError):
    """Our output takes no more, and that is not because nobody reads it any longer (BrokenPipeError)."""


@contextmanager
def writing() -> Iterator[None]:
    """Raises CannotWrite for what goes wrong in writing to stdout or stderr."""
    try:
        yield
    except (BrokenPipeError, CannotWrite):
        raise
    except OSError as e:
        raise CannotWrite(e.strerror or str(e)) from None


def give_up(error: CannotWrite) -> None:
    """Say so where that is possible. Python tries once more when it ends, and finds nothing that could refuse."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    try:
        print(f"codex-rotate: cannot write output: {error}", file=sys.stderr, flush=True)
    except OSError:
        os.dup2(nowhere, sys.stderr.fileno())


def finish() -> None:
    """Everything that was said is written by now. Raises CannotWrite."""
    with writing():
        sys.stdout.flush()


@writing()
def render(result: Result, *, as_json: bool) -> None:
    """Show what a command did."""
    for note in result.notes:
        print(fitted(f"codex-rotate: {note}", terminal_width(sys.stderr)), file=sys.stderr)
    if as_json:
        if result.data is not None:
            print(json.dumps(result.data, indent=2))
        return
    plain = _is_plain(sys.stdout, os.environ)
    if result.table is not None:
        _print_table(result.table, plain=plain)
    if result.message:
        shown = result.message if result.verbatim else fitted(result.message, terminal_width())
        print(in_ascii(shown) if plain else shown)


@writing()
def render_error(message: str, exit_code: int, *, as_json: bool) -> None:
    """Show why a command did nothing."""
    if as_json:
        print(json.dumps({"error": message, "exit_code": exit_code}), flush=True)
    else:
        print(fitted(f"codex-rotate: {message}", terminal_width(sys.stderr)), file=sys.stderr)


@writing()
def say(text: str) -> None:
    """Tell the person something before the command is over. On stderr: stdout is for the result alone."""
    print(fitted(text, terminal_width(sys.stderr)), file=sys.stderr, flush=True)


@writing()
def show_line(text: str) -> None:
    """A line of a result that goes on: it is there at once, also for who reads it through a pipe."""
    shown = fitted(text, terminal_width())
    print(in_ascii(shown) if _is_plain(sys.stdout, os.environ) else shown, flush=True)


@writing()
def show_value(value: object) -> None:
    """The same for programs: JSON Lines."""
    print(json.dumps(value), flush=True)


def tolerate_any_text() -> None:
    """Let names that the terminal's encoding lacks be shown escaped instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _is_plain(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether only ASCII is to be drawn. In the C locale Python writes UTF-8 all the same, and the terminal may not."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    return locale in {"C", "POSIX"} or not can_show(stream.encoding)


def in_text(table: Table) -> str:
    """The table as lines of a text for `say`, drawn as for stdout."""
    from io import StringIO

    from rich.console import Console

    columns, plain = terminal_width(sys.stderr) or PIPE_WIDTH, _is_plain(sys.stderr, os.environ)
    shown = _in_ascii(table, sys.stderr.encoding or "ascii") if plain else table
    if _total(_shrunk(shown, columns)) > columns:
        return _blocks(shown, columns)
    text = StringIO()
    console = Console(file=text, width=columns, height=1, color_system=None, highlight=False)
    console.print(_drawn(shown, columns, plain=plain))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def _print_table(table: Table, *, plain: bool) -> None:
    from rich.console import Console

    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    size = shutil.get_terminal_size()  # both are said, or the console takes a dumb terminal for one of 80 columns
    console = Console(file=sys.stdout, width=PIPE_WIDTH if piped else size.columns, height=size.lines, highlight=False)
    if plain:
        table = _in_ascii(table, sys.stdout.encoding)
    if piped:
        console.width = max(PIPE_WIDTH, _total([size.maximum for size in _measured(table)]))
    widest = table
    while table.narrow is not None and not piped and not _fits(table, console.width):
        table = table.narrow
    if _total(_shrunk(table, console.width)) > console.width:
        print(_blocks(widest, console.width))
    else:
        console.print(_drawn(table, console.width, plain=plain))


def _drawn(table: Table, width: int, *, plain: bool) -> "RichTable":
    """What rich prints of a table that has its place."""
    from rich.box import SIMPLE_HEAD, Box
    from rich.table import Table as RichTable

    box = Box("\n".join(in_ascii(line) for line in str(SIMPLE_HEAD).splitlines()), ascii=True) if plain else SIMPLE_HEAD
    shown = RichTable(box=box, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name, wide in zip(table.columns, _shrunk(table, width), strict=True):
        if name in table.wrapped:
            shown.add_column(name, overflow="fold", max_width=wide)
        else:
            shown.add_column(name, no_wrap=True, overflow="crop" if plain else "ellipsis", max_width=wide)
    for row in table.rows:
        named = zip(table.columns, row, strict=True)
        shown.add_row(*(_cell(text, stated=name == "state") for name, text in named))
    return shown


def _in_ascii(table: Table, encoding: str) -> Table:
    """The same, drawn with ASCII only. What the encoding lacks is escaped now, so that columns stay columns."""

    def shown(cell: str) -> str:
        return in_ascii(cell).encode(encoding, "backslashreplace").decode(encoding)

    rows = tuple(tuple(map(shown, row)) for row in table.rows)
    narrow = _in_ascii(table.narrow, encoding) if table.narrow is not None else None
    return replace(table, rows=rows, narrow=narrow)


def _measured(table: Table) -> list["Measurement"]:
    """What rich measures of each column: how wide its longest word is (minimum), and its longest line (maximum)."""
    from rich.console import Console
    from rich.measure import Measurement
    from rich.text import Text

    wide = Console(width=sys.maxsize, height=1)
    columns = zip(table.columns, *table.rows, strict=True)
    return [Measurement.get(wide, wide.options, Text("\n".join(column))) for column in columns]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _fits(table: Table, width: int) -> bool:
    """Whether the table can be shown well, though not always whole."""
    widths = []
    for name, size in zip(table.columns, _measured(table), strict=True):
        room = max(WRAPPED_ROOM, size.minimum) if name in table.wrapped else CLIPPED_ROOM
        flexible = name in table.wrapped or name in table.clipped
        widths.append(min(size.maximum, room) if flexible else size.maximum)
    return _total(widths) <= width


def _shrunk(table: Table, width: int) -> list[int]:
    """The widths at which the table fits: the widest of those that can be cut or wrapped gives way first.

    rich narrows only columns that may wrap, to one letter if need be and without regard for their `min_width`.
    """
    measured = _measured(table)
    widths, least = [size.maximum for size in measured], dict[int, int]()
    for at, name in enumerate(table.columns):
        if name in table.wrapped:
            least[at] = max(WRAPPED_LEAST, min(measured[at].minimum, WRAPPED_MOST))
        elif name in table.clipped:
            least[at] = CLIPPED_LEAST
    while _total(widths) > width:
        flexible = [at for at in least if widths[at] > least[at]]
        if not flexible:
            break
        # in favour of what is wrapped: it holds more than a name
        widest = max(flexible, key=lambda at: widths[at] + (FAVOUR if table.columns[at] in table.clipped else 0))
        widths[widest] -= 1
    return widths


def _blocks(table: Table, width: int) -> str:
    """Each row as lines below each other, for what is too narrow for any table, where rich would leave columns out."""
    indent = 2
    lines = []
    for row in table.rows:
        named = [(name, cell) for name, cell in zip(table.columns, row, strict=True) if cell.strip()]
        for at, (name, cell) in enumerate(named):
            head = "" if at == 0 else f"{' ' * indent}{name}: "
            lines += wrapped(head, " ".join(cell.split()), width, indent * 2)
    return "\n".join(lines)


def _cell(text: str, *, stated: bool) -> "Text":
    """A cell of the table; of a state its first words are coloured."""
    from rich.text import Text

    shown = Text(text)
    if stated:
        first = text.partition("\n")[0].partition(",")[0]
        shown.stylize(_colour(first), 0, len(first))
    return shown


def _colour(state: str) -> str:
    word = state.partition(" ")[0]
    return {
        "ready": "green",
        "resting": "yellow",
        "kept": "yellow",
        "needs": "red",
        "closed": "red",
        "paused": "dim",
    }.get(word, "")
