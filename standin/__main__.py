"""`python -m standin`: serve until stdin closes; one JSON line says where. Control it below `/_standin/`."""

import contextlib
import json
import signal
import sys

from standin.server import StandIn


def main() -> None:
    """Print where the stand-in listens, then wait for the end of stdin, or of our time."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), StandIn() as upstream:
        place = {"port": upstream.port, "plain_port": upstream.plain_port, "ca_file": str(upstream.ca_file)}
        sys.stdout.write(json.dumps(place) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
