"""Whether there is a terminal that the screen can be shown on."""

import os
import sys
from collections.abc import Mapping
from typing import Final

from cli.ui.bars import can_show
from config.errors import RotateError

INSTEAD: Final = (
    "`codex-rotate list` and `codex-rotate status` say the same once, and `codex-rotate top --json` all of it."
)


class NoTerminal(RotateError):
    def __init__(self, why: str) -> None:
        super().__init__(f"The screen needs a terminal, and {why}. {INSTEAD}")


class NothingShows(RotateError):
    def __init__(self) -> None:
        super().__init__(
            "The screen needs textual, which is not installed here. Run, in the clone, `uv tool install "
            "--with-executables-from mitmproxy '.[top]'`, or `pipx inject codex-rotate textual`, or `pip install "
            "'.[top]'`, as codex-rotate was installed."
        )


def check(environ: Mapping[str, str] = os.environ) -> None:
    """Raises NoTerminal."""
    kind = environ.get("TERM", "")
    if not all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)):
        raise NoTerminal("input or output goes elsewhere")
    if os.name == "posix" and kind in {"", "dumb", "unknown"}:
        raise NoTerminal(f"this one (TERM={kind}) can only print lines")


def only_ascii(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether bars are to be drawn with letters that every terminal has."""
    locale = next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
    return locale in {"C", "POSIX"} or not can_show(sys.stdout.encoding)


def without_colours(environ: Mapping[str, str] = os.environ) -> bool:
    return "NO_COLOR" in environ
