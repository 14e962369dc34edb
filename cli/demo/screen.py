"""The demo while it runs: a table that changes, for people at a terminal that can show one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

from cli.demo.scene import PROMPTS, DemoStep, DemoTurn, Show

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

NARROWEST: Final = 60
"""Columns below which the table would be more line ends than table."""


def can_move(out: TextIO, err: TextIO, environ: Mapping[str, str], columns: int) -> bool:
    """Whether somebody looks at a terminal that can redraw, and has not asked for plain output."""
    plain = environ.get("NO_COLOR") or environ.get("TERM", "") in {"", "dumb"} or environ.get("CI")
    return out.isatty() and err.isatty() and not plain and columns >= NARROWEST


class Screen:
    """What all acts have shown so far. `show` replaces the turns of one transport."""

    def __init__(self, transports: Sequence[str]) -> None:
        self._turns = {
            name: tuple(DemoTurn(transport=name, number=n + 1) for n in range(len(PROMPTS))) for name in transports
        }

    def take(self, turns: Sequence[DemoTurn]) -> None:
        """The newest state of one act."""
        self._turns[turns[0].transport] = tuple(turns)

    def table(self) -> "Table":
        """Everything, as it is now."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        shown = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        shown.add_column("turn", no_wrap=True)
        shown.add_column("what happens upstream", overflow="fold", min_width=30)
        shown.add_column("the user", no_wrap=True)
        for turns in self._turns.values():
            for turn in turns:
                shown.add_row(f"{turn.transport} {turn.number}", _trail(turn.steps), _user(turn))
        return shown


@contextmanager
def live(screen: Screen) -> Iterator[Show]:
    """Draw on stderr, which leaves stdout to the result, and wipe it at the end: the result takes its place."""
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), get_renderable=screen.table, transient=True, refresh_per_second=10):
        yield screen.take


def _trail(steps: Sequence[DemoStep]) -> "Text":
    from rich.text import Text

    styled = [(str(step), "red" if step.refused else "green" if step.status else "dim") for step in steps]
    return Text(" → ").join(Text(text, style=style) for text, style in styled)


def _user(turn: DemoTurn) -> "Text":
    from rich.text import Text

    if turn.finished is not None:
        good = turn.finished.code == 0
        return Text(f"answer, {turn.seconds:.1f} s" if good else "an error", style="green" if good else "red")
    if turn.streams:
        return Text("reads …", style="cyan")
    return Text("waits …" if turn.steps else "starts …", style="dim")
