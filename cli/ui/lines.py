"""Text that fits the terminal, and that a terminal can be trusted with."""

import os
import re
import shutil
import sys
from typing import Final, TextIO

WIDEST: Final = 110
"""Columns: longer lines are hard to read."""
_WORDS: Final = re.compile(r"(\s*)(\S+)")


def terminal_width(stream: TextIO | None = None) -> int:
    """How wide lines may be; 0 where the output goes elsewhere and nothing has to fit."""
    out = stream or sys.stdout
    if not out.isatty():
        return 0
    if "COLUMNS" in os.environ or out is sys.stdout:
        return min(shutil.get_terminal_size().columns, WIDEST)
    try:
        return min(os.get_terminal_size(out.fileno()).columns, WIDEST)
    except OSError:
        return min(shutil.get_terminal_size().columns, WIDEST)


def wrapped(head: str, text: str, columns: int, indent: int = 4) -> list[str]:
    """`head` and `text`, with further lines indented. Words stay whole, and letters are as wide as a terminal draws
    them; 0 columns mean one line.

    rich's `Text.wrap` breaks or cuts a word that is wider than the line, such as an address, and indents nothing.
    """
    if not columns:
        return [head + text]
    from rich.cells import cell_len  # late: only a terminal needs it

    lines, line, wide, empty = list[str](), head, cell_len(head), True
    for gap, word in _WORDS.findall(text):
        between, room = "" if empty else gap, cell_len(word)
        if not empty and wide + len(between) + room > columns:
            lines.append(line)
            line, wide, between = " " * indent, indent, ""
        line += between + word
        wide += len(between) + room
        empty = False
    return [*lines, line]


def fitted(text: str, columns: int) -> str:
    """Lines that are too long for the terminal, broken at spaces; further lines of one begin where it began."""
    if not columns:
        return text
    return "\n".join(line for each in text.split("\n") for line in _fitted(each, columns))


def _fitted(line: str, columns: int) -> list[str]:
    from rich.cells import cell_len

    if cell_len(line) <= columns:
        return [line]
    start = line[: len(line) - len(line.lstrip())]
    return wrapped(start, line, columns, len(start))


def plain(text: str, longest: int = 300) -> str:
    """One line of what somebody else has said."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    words = " ".join(shown.split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"
