"""A terminal of one's own for a program that fills the screen."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from config import clock

TUI_SECONDS: Final = 60.0
ANSWERS: Final = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[c": b"\x1b[?1;2c"}
"""What a full-screen program asks its terminal, and what a plain one answers."""
MOMENT: Final = 0.1
ROWS: Final = 40
COLUMNS: Final = 120
LEAD: Final = f"""
import fcntl, os, struct, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', {ROWS}, {COLUMNS}, 0, 0))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal its own, and of a size, and becomes the program."""


_PIECE: Final = re.compile(
    r"\x1b\[(?P<how>[0-9;?<>=$]*)[ -/]*(?P<does>[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|(?P<sign>[^\x1b])",
    re.DOTALL,
)


def shown(raw: bytes) -> list[str]:
    """What stands on the screen after all this: of what a terminal can do, as much as the client uses."""
    cells: dict[tuple[int, int], str] = {}
    row = column = 0
    for piece in _PIECE.finditer(raw.decode("utf-8", "replace")):
        sign, does, how = piece["sign"], piece["does"], piece["how"]
        if does == "H":
            row, column = (int(each or 1) - 1 for each in (*how.split(";"), "1")[:2])
        elif does == "K":
            cells = {at: each for at, each in cells.items() if at[0] != row or at[1] < column}
        elif does == "J":
            cells = {} if how == "2" else {at: each for at, each in cells.items() if at < (row, column)}
        elif sign == "\r":
            column = 0
        elif sign == "\n" and row + 1 < ROWS:
            row += 1
        elif sign == "\n":
            cells = {(line - 1, place): each for (line, place), each in cells.items() if line}
        elif sign and sign.isprintable():
            cells[row, column] = sign
            column += 1
    lines = ["".join(cells.get((line, place), " ") for place in range(COLUMNS)).rstrip() for line in range(ROWS)]
    return [line for line in lines if line]


class Screen:
    """A terminal with a program on it. What it shows is read as text, without where it stands."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.controller, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", LEAD, *command], env=dict(environ), cwd=folder,
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        self.raw = b""

    @property
    def text(self) -> str:
        plain = re.sub(rb"\x1b\[[0-9;?<>=]*[a-zA-Z]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)|\x1b.", b"", self.raw)
        return plain.decode("utf-8", "replace")

    def type(self, words: str) -> None:
        os.write(self.controller, words.encode())

    def ask(self, words: str) -> None:
        """Type a line and send it off once it stands there."""
        self.type(words)
        self.wait_for(words)
        self.type("\r")

    def wait_for(self, words: str, seconds: float = TUI_SECONDS) -> None:
        """Raises AssertionError when it does not show these words in time. A space may be a move of the cursor, and
        what stands there already is not written again."""
        end = clock.monotonic() + seconds
        bare = words.replace(" ", "")
        while bare not in self.text.replace(" ", "") and bare not in "".join(shown(self.raw)).replace(" ", ""):
            assert clock.monotonic() < end, f"never showed {words!r}:\n{self.text[-2000:]}"
            self._read(0.2, f"ended without showing {words!r}")

    def watch(self, seconds: float) -> None:
        """Look on for so long."""
        end = clock.monotonic() + seconds
        while (left := end - clock.monotonic()) > 0:
            self._read(min(left, 0.2), "ended")

    def ended(self) -> int:
        """Read on until nobody has the terminal open any more: the exit code."""
        end = clock.monotonic() + TUI_SECONDS
        with suppress(OSError):
            while (left := end - clock.monotonic()) > 0 and select.select([self.controller], [], [], left)[0]:
                self.raw += os.read(self.controller, 65536)
        return self.process.wait(max(0.0, end - clock.monotonic()))

    def close(self) -> None:
        """End the program, if it has not ended, with all that it has started in this terminal."""
        try:
            if self.process.poll() is None:
                self.process.terminate()
                self.ended()
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        finally:
            os.close(self.controller)

    def _read(self, seconds: float, otherwise: str) -> None:
        """What comes in this time and in a moment after, answered as a terminal does: to look at it all anew for each
        few bytes takes longer than all else here."""
        end: float | None = None
        left = seconds
        while select.select([self.controller], [], [], max(0.0, left))[0]:
            try:
                news = os.read(self.controller, 65536)
            except OSError:
                if end is not None:
                    return  # what came before is looked at first
                raise AssertionError(f"{otherwise}:\n{self.text[-2000:]}") from None
            self.raw += news
            for question, answer in ANSWERS.items():
                for _ in range(news.count(question)):
                    os.write(self.controller, answer)
            end = clock.monotonic() + MOMENT if end is None else end
            if (left := end - clock.monotonic()) <= 0:
                return
