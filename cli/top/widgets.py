"""The one widget of the screen: a list of items with lines above and below it. Only what has changed is sent.

It scrolls by itself: textual's own scrolling and layout draw the whole screen anew with each change of length.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from cli.top.items import Item, Listing
from cli.top.lines import Cell, Line, Pen, Tone, changed_span
from cli.top.palettes import Colours

NOTHING: Final = Listing(items=())
WHEEL: Final = 3
"""Lines that the mouse's wheel moves."""
SELECTED: Final = Cell("", Tone.CHOSEN)
"""At the end of a line that belongs to the selected item: it has no width."""
MARKED: Final = frozenset({Tone.CHOSEN, Tone.BAD})
"""Roles that show on blanks too, somewhere."""

type Look = Callable[[], Colours]
type PenOf = Callable[[int], Pen]


class Board(Widget, can_focus=True):
    """Items below each other under a line of headings, one of them selected, and the lines around them. Only items that
    are seen are drawn. `moved` is called when others are seen, and has `surround` called."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "turn(-1)", show=False),
        Binding("pagedown", "turn(1)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    def __init__(self, pen: PenOf, look: Look, moved: Callable[[], None]) -> None:
        super().__init__()
        self._pen = pen
        self._look = look
        self._moved = moved
        self.listing = NOTHING
        self._tops: list[int] = [0]
        self._at = 0
        self._first_line = 0
        self._around: tuple[Sequence[Line], Sequence[Line]] = ((), ())
        self._drawn: dict[int, Line] = {}

    # --- what is in it -------------------------------------------------------------------------------------------

    @property
    def selected(self) -> Item | None:
        items = self.listing.items
        return items[self._at] if items and not self.listing.plain else None

    @property
    def shown(self) -> tuple[int, int, int]:
        """The first and the last item that are seen, counted from 1, and how many there are."""
        count = len(self.listing.items)
        if not count:
            return 0, 0, 0
        end = min(self._first_line + self._room, self._tops[-1])
        return self._item_at(self._first_line) + 1, self._item_at(max(end - 1, 0)) + 1, count

    @property
    def _room(self) -> int:
        """Lines for items."""
        return max(1, self.size.height - self._above - len(self._around[1]))

    @property
    def _above(self) -> int:
        """Lines above the first item that is seen."""
        return len(self._around[0]) + (self.listing.head is not None)

    def show(self, listing: Listing, *, anew: bool = False) -> None:
        """Other items, to be surrounded next. The one that was selected stays so, if it is still there; `anew`: the
        first one is."""
        before = self.selected
        self.listing = listing
        self._tops = [0, *accumulate(each.height for each in listing.items)]
        places = {each.key: at for at, each in enumerate(listing.items)} if before is not None and not anew else {}
        kept = places.get(before.key, self._at) if before is not None else 0
        self._at = 0 if anew else max(0, min(kept, len(listing.items) - 1))
        self._scroll(0 if anew else self._first_line)

    def surround(self, above: Callable[[tuple[int, int, int]], Sequence[Line]], below: Sequence[Line]) -> None:
        """The lines around the items: those above are told what is `shown` then. What looks otherwise is sent."""
        self._around = self._around[0], below
        self._scroll(self._first_line)
        self._around = above(self.shown), below
        before, self._drawn = self._drawn, {}
        for y in range(self.size.height):
            span = _span(before.get(y), self._line(y), self.size.width)
            if span is not None:
                self.refresh(Region(span[0], y, span[1] - span[0], 1))

    def forget(self) -> None:
        """Everything looks otherwise now."""
        self._drawn = {}
        self.refresh()

    def on_resize(self) -> None:
        self._drawn = {}
        self._moved()

    # --- drawing -------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        return strip(self._line(y), self._look(), self.rich_style)

    def _line(self, y: int) -> Line:
        if y not in self._drawn:
            self._drawn[y] = self._draw(y)
        return self._drawn[y]

    def _draw(self, y: int) -> Line:
        pen, items, (above, below) = self._pen(self.size.width), self.listing.items, self._around
        if y < len(above):
            return above[y]
        if y >= self.size.height - len(below):
            return below[y - self.size.height]
        if self.listing.head is not None and y == len(above):
            return self.listing.head(pen)
        y -= self._above
        if not items:
            said = [line for text in self.listing.empty.split("\n") for line in pen.paragraph(text, Tone.DIM, 2, 2)]
            return said[y - 1] if 0 < y <= len(said) else pen.fitted([])
        y += self._first_line
        if y >= self._tops[-1]:
            return pen.fitted([])
        at = self._item_at(y)
        line = items[at].draw(pen)[y - self._tops[at]]
        return (*line, SELECTED) if at == self._at and not self.listing.plain else line

    def _item_at(self, y: int) -> int:
        return min(bisect_right(self._tops, y) - 1, len(self.listing.items) - 1)

    # --- moving --------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        if self.listing.plain:
            self._roll(by)
        else:
            self._select(self._at + by)

    def action_turn(self, pages: int) -> None:
        """A page further."""
        by = pages * max(1, self._room - 1)
        if self.listing.plain:
            self._roll(by)
        elif self.listing.items:
            self._select(self._item_at(max(0, min(self._tops[self._at] + by, self._tops[-1] - 1))))

    def _select(self, at: int) -> None:
        self._at = max(0, min(at, len(self.listing.items) - 1))
        self._scroll(self._first_line)
        self._moved()

    def _roll(self, by: int) -> None:
        self._first_line = max(0, min(self._first_line + by, self._tops[-1] - self._room))
        self._moved()

    def _scroll(self, wanted: int) -> None:
        """Begin with that line of the list, but so that the selected item is in sight and no room is left empty."""
        first = max(0, min(wanted, self._tops[-1] - self._room))
        if self.listing.items and not self.listing.plain:
            begin, end = self._tops[self._at], self._tops[self._at + 1]
            first = min(max(first, end - self._room), begin)
        self._first_line = first

    def on_click(self, event: events.Click) -> None:
        y = event.y - self._above
        if not self.listing.plain and 0 <= y < min(self._room, self._tops[-1] - self._first_line):
            self._select(self._item_at(y + self._first_line))

    def on_mouse_scroll_down(self) -> None:
        self.action_move(WHEEL)

    def on_mouse_scroll_up(self) -> None:
        self.action_move(-WHEEL)


def _span(old: Line | None, new: Line, width: int) -> tuple[int, int] | None:
    """The columns that have to be sent; None for none."""
    if old is None or _is_selected(old) != _is_selected(new):
        return 0, width
    return changed_span(old, new)


def _is_selected(line: Line) -> bool:
    return bool(line) and line[-1] is SELECTED


def strip(line: Line, colours: Colours, base: Style) -> Strip:
    """A line as textual has it. Blanks look like what is before them, so that fewer changes of style are sent."""
    back = base + style(colours.cursor) if _is_selected(line) else base
    joined = list[Cell]()
    for text, role in line:
        last = joined[-1] if joined else None
        if last is not None and (role is last.role or (text.isspace() and not {role, last.role} & MARKED)):
            joined[-1] = Cell(last.text + text, last.role)
        elif text:
            joined.append(Cell(text, role))
    return Strip([Segment(text, back + style(colours.styles[role])) for text, role in joined])


@lru_cache(256)
def style(text: str) -> Style:
    return Style.parse(text)
