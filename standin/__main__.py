"""`python -m standin`: serve until stdin closes; one JSON line says where. Control it below `/_standin/`.

`python -m standin --env FILE` is for the background of a shell: it serves until it is told to end, whatever becomes of
stdin, and FILE is what the shell reads (`. FILE`) to know where.
"""

import argparse
import contextlib
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from standin.pace import Pace
from standin.server import LOOPBACK, StandIn


def main() -> None:
    """Say where the stand-in listens, then wait for the end of stdin, or of our time."""
    pace, file = asked(sys.argv[1:])
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), StandIn(pace=pace) as upstream:
        if file is not None:
            with told_to_shells(file, upstream):
                threading.Event().wait()
        place = {"port": upstream.port, "plain_port": upstream.plain_port, "ca_file": str(upstream.ca_file)}
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


@contextmanager
def told_to_shells(file: Path, upstream: StandIn) -> Iterator[None]:
    """The file is there whole or not at all: a shell waits for it."""
    values = {
        "STANDIN_PORT": upstream.port,
        "STANDIN_URL": f"http://{LOOPBACK}:{upstream.plain_port}",
        "STANDIN_CA": upstream.ca_file,
        "STANDIN_SCRIPT": Path(__file__).with_name("redirect.py"),
        "STANDIN_PID": os.getpid(),
    }
    part = file.with_name(f"{file.name}.part")
    part.write_text("".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in values.items()), "utf-8")
    part.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


MEANINGS = {
    "first_byte": "until the first byte of an answer",
    "between_words": "before each further word",
    "words": "that an answer has at least",
    "late_end": "from the last event of an event stream to its end",
}


def asked(arguments: list[str]) -> tuple[Pace, Path | None]:
    """The pace and the file that the flags ask for; ends the program where they ask for none there is."""
    parser = argparse.ArgumentParser(prog="python -m standin", description="A stand-in OpenAI on loopback.")
    for each in (field for field in fields(Pace) if field.name in MEANINGS):
        kind, unit = (int, "WORDS") if each.name == "words" else (float, "SECONDS")
        flag = f"--{each.name.replace('_', '-')}"
        meaning = f"{MEANINGS[each.name]} (default: {each.default})"
        parser.add_argument(flag, type=kind, metavar=unit, default=each.default, help=meaning)
    parser.add_argument("--env", type=Path, metavar="FILE", help="serve until told to end; FILE tells a shell where")
    told = vars(parser.parse_args(arguments))
    file = told.pop("env")
    try:
        return Pace(**told), file
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
