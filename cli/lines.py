"""Text that fits the terminal, and that a terminal can be trusted with."""

import shutil
import sys
import textwrap
from typing import Final

WIDEST: Final = 110
"""Columns: longer lines are hard to read."""


def terminal_width() -> int:
    """How wide lines may be; 0 where the output goes elsewhere and nothing has to fit."""
    return min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else 0


def wrapped(head: str, text: str, columns: int, indent: int = 4) -> list[str]:
    """`head` and `text`, with further lines indented. Words stay whole; 0 columns mean one line."""
    if not columns:
        return [head + text]
    return textwrap.wrap(text, columns, initial_indent=head, subsequent_indent=" " * indent, break_long_words=False,
                         break_on_hyphens=False) or [head]  # fmt: skip


def plain(text: str, longest: int = 300) -> str:
    """One line of what somebody else has said."""
    shown = "".join(each if each.isprintable() else " " for each in text)
    words = " ".join(shown.split())
    return words if len(words) <= longest else f"{words[: longest - 1]}…"
