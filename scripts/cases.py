# ruff: noqa: INP001 - scripts/ holds programs
"""The official CLI under `codex-rotate run`, and an account that says what users have met; what its user saw.

    [ROTATE_BIN=COMMAND] .venv/bin/python -m scripts.cases [NAME…] [--transport ws|sse] [--slow] [--screen]

Without names all cases of standin/faults/cases.py that are about the model's answer, and some situations of several
requests (tests/e2e/cases.py); a name may have `*`. `--slow` adds those that take a minute each. `--screen` plays some
of the cases, or those of these names, on the full screen instead. Nothing leaves this machine. Exit code 1 when
somebody would have noticed something.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from threading import Lock
from typing import Final

from cli.demo.play import find_client
from standin.faults.cases import CASES
from tests.e2e.cases import HTTP, WEBSOCKET, Seen, names, on_the_full_screen, open_sitting, played

TRANSPORTS: Final = {"ws": WEBSOCKET, "sse": HTTP}
ON_SCREEN: Final = ("limit_as_200", "shell_deltas_limit", "closed_1011_at_message", "untyped")
_LOCK: Final = Lock()


def told(name: str, transport: str, seen: Seen | str) -> str:
    """The lines of one case, and below them what the client has shown if that is not right."""
    if isinstance(seen, str):
        return f"{name:34}  {transport:4}  wrong   {seen}"
    how = "wrong" if seen.wrong else "notice" if seen.noticed else "right"
    first = f"{name:34}  {transport:4}  {how:6}  {seen.asked:12}  {'; '.join(seen.wrong)}".rstrip()
    return "\n".join([first, *(f"{'':42}  | {line}" for line in (seen.shown if how != "right" else ()))])


def chosen(asked: argparse.Namespace, transport: str) -> list[str]:
    """What is played over this transport."""
    known = names(TRANSPORTS[transport], slow=asked.slow or bool(asked.names))
    if asked.screen:
        known = [name for name in known if name in CASES]
    wanted = asked.names or (ON_SCREEN if asked.screen else ["*"])
    return [name for name in known if any(fnmatch(name, each) for each in wanted)]


def over(binary: Path, transport: str, asked: argparse.Namespace) -> Iterator[bool]:
    """Plays all that; whether each is right."""
    play = on_the_full_screen if asked.screen else played
    some = chosen(asked, transport)
    if not some:
        return
    with (
        tempfile.TemporaryDirectory(prefix="codex-rotate ") as folder,
        open_sitting(binary, Path(folder) / "a desk", TRANSPORTS[transport]) as sitting,
    ):
        for name in some:
            seen: Seen | str
            try:
                seen = play(sitting, name)
            except AssertionError as error:
                seen = f"{sitting.asked()}  {error}"
            with _LOCK:
                sys.stdout.write(f"{told(name, transport, seen)}\n")
                sys.stdout.flush()
            yield not isinstance(seen, str) and not seen.wrong


def main() -> int:
    """Both transports at the same time."""
    parser = argparse.ArgumentParser(prog="scripts.cases")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--transport", choices=list(TRANSPORTS))
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--screen", action="store_true")
    asked = parser.parse_args()
    binary = find_client({})
    if not binary:
        sys.stderr.write("The official CLI is missing: run `make codex`.\n")
        return 1
    transports = [asked.transport] if asked.transport else list(TRANSPORTS)
    sys.stdout.write(f"{'case':34}  {'over':4}  {'user':6}  {'upstream':12}  what is wrong\n")
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda each: list(over(Path(binary), each, asked)), transports)
        right = [each for some in found for each in some]
    wrong = right.count(False)
    sys.stdout.write(f"{len(right)} cases, {wrong or 'none'} wrong.\n")
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main())
