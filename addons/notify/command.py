"""Tells a program of the owner's: JSON on its standard input, no shell, a deadline, and its words cut short.

There are no pipes of asyncio's: a program that leaves another one behind has ended all the same.
"""

import asyncio
import os
import re
import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

DEADLINE: Final = 10.0
"""Seconds. Then it is ended, with what it has started."""
MOST_SAID: Final = 500
"""Bytes of its output that are kept."""
LAST_WORDS: Final = 0.2
"""Seconds to read what it said right before its end."""
_OURS: Final = re.compile(r"CODEX_|OPENAI_", re.IGNORECASE)


async def run_command(
    argv: Sequence[str], body: bytes, environ: Mapping[str, str] = os.environ, seconds: float = DEADLINE
) -> tuple[bool, str]:
    """Whether it ended well, and in words how. It gets this environment without what is ours or the client's."""
    env = {name: value for name, value in environ.items() if not _OURS.match(name)}
    heard = _Heard()
    try:
        with tempfile.TemporaryFile() as given:
            given.write(body)
            given.seek(0)
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=given, stdout=heard.writer, stderr=heard.writer, env=env, start_new_session=True
            )
    except (OSError, ValueError) as e:
        heard.close()
        return False, f"it cannot be started ({getattr(e, 'strerror', None) or type(e).__name__})"
    heard.listen()
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        return False, f"it did not end within {seconds:g} s and was ended"
    finally:
        if process.returncode is None:
            _kill(process)
            await process.wait()
    said = heard.text()
    words = f"it said: {said}" if said else "it said nothing"
    return code == 0, f"it ended with {code}, {words}"


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)  # its group is its own
        else:
            process.kill()


class _Heard:
    """The output of a program, of which the beginning is kept. It is read to its end, so that nobody waits to write."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._listen, name="words of a command", daemon=True)

    def listen(self) -> None:
        """The program has its end of the pipe now."""
        os.close(self.writer)
        self._thread.start()

    def close(self) -> None:
        """There is no program."""
        os.close(self.writer)
        os.close(self._reader)

    def text(self) -> str:
        """What it has said so far, on one line."""
        self._thread.join(LAST_WORDS)
        said = bytes(self._kept).decode("utf-8", "replace")
        return " ".join("".join(each if each.isprintable() else " " for each in said).split())

    def _listen(self) -> None:
        try:
            while chunk := os.read(self._reader, 65_536):
                self._kept += chunk[: MOST_SAID - len(self._kept)]
        finally:
            os.close(self._reader)
