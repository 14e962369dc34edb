"""The options of the screen as rows: each with its choices, the one in force marked. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cli.top.items import Item, Listing
from cli.top.lines import Cell, Line, Pen, Tone
from cli.top.palettes import Accent, Palette
from cli.top.preferences import Preferences

ROWS: Final = ("compact", "detailed")
NAME_ROOM: Final = 10


def listing(wanted: Preferences) -> Listing:
    choices: dict[str, tuple[Sequence[str], str]] = {
        "palette": (list(Palette), wanted.palette),
        "accent": (list(Accent), wanted.accent),
        "rows": (ROWS, ROWS[wanted.detailed]),
    }

    def item(name: str) -> Item:
        def draw(pen: Pen) -> Sequence[Line]:
            names, chosen = choices[name]
            shown = [cell for each in names for cell in (_choice(each, is_it=each == chosen), Cell(" "))]
            return [pen.fitted([Cell("  "), pen.cell(name, NAME_ROOM), *shown])]

        return Item(key=name, draw=draw)

    return Listing(items=tuple(map(item, choices)), head=_head)


def _head(pen: Pen) -> Line:
    return pen.fitted([Cell("  Left and Right change it, Enter keeps it, Escape takes it back", Tone.DIM)])


def _choice(name: str, *, is_it: bool) -> Cell:
    return Cell(f"[{name}]", Tone.ACCENT) if is_it else Cell(f" {name} ", Tone.DIM)


def changed(wanted: Preferences, name: str, by: int) -> Preferences:
    """With the next choice of one option, or the one before."""
    match name:
        case "palette":
            return replace(wanted, palette=_after(list(Palette), wanted.palette, by))
        case "accent":
            return replace(wanted, accent=_after(list(Accent), wanted.accent, by))
        case _:
            return replace(wanted, detailed=not wanted.detailed)


def _after[T](choices: Sequence[T], chosen: T, by: int) -> T:
    return choices[(choices.index(chosen) + by) % len(choices)]
