"""What a list on the screen is made of. Drawing waits until an item is seen, so that a thousand of them cost little."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cli.top.lines import Line, Pen


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of `height` lines. `key` tells it from the others of its list, `found_by` is what a search looks at.
    `draw` gives as many lines, each as wide as the pen."""

    key: str
    draw: Callable[[Pen], Sequence[Line]]
    height: int = 1
    found_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The items of a view, with the line above them and what is said where there are none. `plain`: text to be read,
    in which nothing is selected."""

    items: tuple[Item, ...]
    head: Callable[[Pen], Line] | None = None
    empty: str = ""
    plain: bool = False

    def searched(self, wanted: str) -> "Listing":
        """Those that have every word of it."""
        words = wanted.casefold().split()
        if not words:
            return self
        found = tuple(each for each in self.items if all(word in each.found_by.casefold() for word in words))
        return Listing(items=found, head=self.head, empty=f"Nothing here has {wanted!r} in it.", plain=self.plain)


def text(lines: Sequence[Line]) -> Listing:
    """Lines to be read, drawn already."""

    def item(number: int) -> Item:
        return Item(key=str(number), draw=lambda pen: [pen.fitted(lines[number])])

    return Listing(items=tuple(map(item, range(len(lines)))), plain=True)
