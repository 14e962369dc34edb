# ruff: noqa: INP001 - scripts/ holds programs
"""The official CLI under `codex-rotate run`, and an account that says what users have met; what its user saw.

    [ROTATE_BIN=COMMAND] .venv/bin/python -m scripts.cases [NAME…] [--transport ws|sse] [--slow]

Without names all cases of standin/faults/cases.py that are about the model's answer, and some situations of several
requests (tests/e2e/cases.py); a name may have `*`. `--slow` adds those that take a minute each. Nothing leaves this
machine. Exit code 1 when somebody would have noticed something.
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
from tests.e2e.cases import HTTP, WEBSOCKET, Seen, names, open_sitting, played

TRANSPORTS: Final = {"ws": WEBSOCKET, "sse": HTTP}
_LOCK: Final = Lock()


def told(name: str, transport: str, seen: Seen | str) -> str:
    """The lines of one case, and below them what the client has shown if that is not right."""
    if isinstance(seen, str):
        return f"{name:34}  {transport:4}  wrong   {seen}"
    how = "wrong" if seen.wrong else "notice" if seen.noticed else "right"
    first = f"{name:34}  {transport:4}  {how:6}  {seen.asked:12}  {'; '.join(seen.wrong)}".rstrip()
    return "\n".join([first, *(f"{'':42}  | {line}" for line in (seen.shown if how != "right" else ()))])


def over(binary: Path, transport: str, wanted: list[str], *, slow: bool) -> Iterator[bool]:
    """Plays all cases over one transport; whether each is right."""
    option = TRANSPORTS[transport]
    known = names(option, slow=slow or bool(wanted))
    chosen = [name for name in known if not wanted or any(fnmatch(name, each) for each in wanted)]
    if not chosen:
        return
    with (
        tempfile.TemporaryDirectory(prefix="codex-rotate ") as folder,
        open_sitting(binary, Path(folder) / "a desk", option) as sitting,
    ):
        for name in chosen:
            seen: Seen | str
            try:
                seen = played(sitting, name)
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
    asked = parser.parse_args()
    binary = find_client({})
    if not binary:
        sys.stderr.write("The official CLI is missing: run `make codex`.\n")
        return 1
    transports = [asked.transport] if asked.transport else list(TRANSPORTS)
    sys.stdout.write(f"{'case':34}  {'over':4}  {'user':6}  {'upstream':12}  what is wrong\n")
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda each: list(over(Path(binary), each, asked.names, slow=asked.slow)), transports)
        right = [each for some in found for each in some]
    wrong = right.count(False)
    sys.stdout.write(f"{len(right)} cases, {wrong or 'none'} wrong.\n")
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main())
