"""How much of a quota window is used, as text: a bar, a percentage. Pure.

Bars and marks are drawn with characters that not every terminal has; `in_ascii` is what those get, of the same width.
"""

from typing import Final

MARK: Final = "▸"
"""Stands before the one of several that counts."""

_FULL: Final = "█"
_FREE: Final = "░"
_DRAWN: Final = f"{_FULL}{_FREE}{MARK}"
_IN_ASCII: Final = str.maketrans({_FULL: "#", _FREE: ".", MARK: ">", "→": "->", "…": "...", "─": "-"})


def bar(percent: float, cells: int) -> str:
    """`percent` of so many cells. Only nothing is an empty bar, and only all of it a full one."""
    filled = _within(round(percent / 100 * cells), percent, cells)
    return _FULL * filled + _FREE * (cells - filled)


def in_percent(percent: float) -> str:
    """A whole number of four places at least. What is left or used is never rounded away."""
    return f"{_within(round(percent), percent, 100):>3} %"


def can_show(encoding: str | None) -> bool:
    """Whether a terminal of this encoding has the characters that bars are drawn with."""
    try:
        _DRAWN.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def in_ascii(text: str) -> str:
    """The same with letters that every terminal has. Names of accounts stay as they are."""
    return text.translate(_IN_ASCII)


def _within(rounded: int, percent: float, most: int) -> int:
    if percent <= 0:
        return 0
    return most if percent >= 100 else max(1, min(most - 1, rounded))
