"""`python -m standin`: serve until stdin closes; one JSON line says where. Control it below `/_standin/`."""

import argparse
import contextlib
import json
import signal
import sys
from dataclasses import fields

from standin.pace import Pace
from standin.server import StandIn


def main() -> None:
    """Print where the stand-in listens, then wait for the end of stdin, or of our time."""
    pace = asked(sys.argv[1:])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), StandIn(pace=pace) as upstream:
        place = {"port": upstream.port, "plain_port": upstream.plain_port, "ca_file": str(upstream.ca_file)}
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


MEANINGS = {
    "first_byte": "until the first byte of an answer",
    "between_words": "before each further word",
    "words": "that an answer has at least",
    "late_end": "from the last event of an event stream to its end",
}


def asked(arguments: list[str]) -> Pace:
    """The pace that the flags ask for; ends the program where they ask for none there is."""
    parser = argparse.ArgumentParser(prog="python -m standin", description="A stand-in OpenAI on loopback.")
    for each in fields(Pace):
        kind, unit = (int, "WORDS") if each.name == "words" else (float, "SECONDS")
        flag = f"--{each.name.replace('_', '-')}"
        meaning = f"{MEANINGS[each.name]} (default: {each.default})"
        parser.add_argument(flag, type=kind, metavar=unit, default=each.default, help=meaning)
    try:
        return Pace(**vars(parser.parse_args(arguments)))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
