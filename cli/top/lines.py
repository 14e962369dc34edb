"""Lines of a screen as values: texts with the part that each plays, cut to the room that there is. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from cli.ui import bars
from cli.ui.lines import wrapped


class Tone(StrEnum):
    """The part that a text plays; a palette says how that looks."""

    TEXT = "text"
    DIM = "dim"
    STRONG = "strong"
    ACCENT = "accent"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    CHOSEN = "chosen"
    """The one of several that is shown."""


class Cell(NamedTuple):
    text: str
    role: Tone = Tone.TEXT


type Line = tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """What a line is drawn for: so many columns, a moment, and a terminal that may have ASCII only."""

    width: int
    now: float
    in_ascii: bool = False

    def fit(self, text: str, room: int, *, right: bool = False) -> str:
        """Exactly so many columns of it; what is cut says so."""
        shown = self._shown(text)
        wide = cell_len(shown)
        if wide > room:
            end = "~" if self.in_ascii else "…"
            return set_cell_size(shown, room - 1) + end if room > 1 else set_cell_size(shown, max(room, 0))
        return " " * (room - wide) + shown if right else shown + " " * (room - wide)

    def cell(self, text: str, room: int, role: Tone = Tone.TEXT, *, right: bool = False) -> Cell:
        return Cell(self.fit(text, room, right=right), role)

    def fitted(self, cells: Iterable[Cell]) -> Line:
        """One line of exactly the width: what is too much is cut, what is missing is blank."""
        left, line = self.width, list[Cell]()
        for text, role in cells:
            shown = self._shown(text)
            wide = cell_len(shown)
            if wide > left:
                shown, wide = self.fit(shown, left), left
            if wide:
                line.append(Cell(shown, role))
            left -= wide
        return (*line, Cell(" " * left)) if left else tuple(line)

    def spread(self, left: Sequence[Cell], right: Sequence[Cell]) -> Line:
        """Both ends of a line; where there is no room for both, the left one is cut."""
        end = Pen(width=self.width, now=self.now, in_ascii=self.in_ascii)
        wide = sum(cell_len(self._shown(each.text)) for each in right)
        if wide >= self.width:
            return end.fitted(right)
        begin = Pen(width=self.width - wide, now=self.now, in_ascii=self.in_ascii)
        return (*begin.fitted(left), *end.cells(right))

    def cells(self, found: Iterable[Cell]) -> Line:
        return tuple(Cell(self._shown(text), role) for text, role in found)

    def paragraph(self, text: str, role: Tone = Tone.TEXT, indent: int = 0, hang: int | None = None) -> list[Line]:
        """As many lines as the text needs; further ones are indented by `hang`."""
        shown = self._shown(text)
        further = indent if hang is None else hang
        return [self.fitted([Cell(line, role)]) for line in wrapped(" " * indent, shown, self.width, further)]

    def _shown(self, text: str) -> str:
        """As the terminal can have it: what would move its cursor, or has no place of its own, is a blank."""
        if not text.isprintable():
            text = "".join(each if each.isprintable() else " " for each in text)
        return bars.in_ascii(text) if self.in_ascii else text


def apart(columns: Iterable[Cell | Line]) -> list[Cell]:
    """Columns with a space between them; a column of several cells has none inside."""
    found = list[Cell]()
    for each in columns:
        found += [Cell(" ")] if found else []
        found += [each] if isinstance(each, Cell) else each
    return found


def text_of(line: Line) -> str:
    return "".join(each.text for each in line)


def changed_span(old: Line, new: Line) -> tuple[int, int] | None:
    """The columns in which two lines of one width differ, from and to; None when they do not."""
    if old == new:
        return None
    one, other = _by_column(old), _by_column(new)
    if len(one) != len(other):
        return 0, max(len(one), len(other))
    differing = [at for at, (before, after) in enumerate(zip(one, other, strict=True)) if before != after]
    return (differing[0], differing[-1] + 1) if differing else None


def _by_column(line: Line) -> list[tuple[str, Tone]]:
    """What stands in each column; a wide letter stands in both of its."""
    return [(letter, role) for text, role in line for letter in text for _ in range(cell_len(letter))]
