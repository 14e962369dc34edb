"""Starts the companion CLI or the proxy, after making sure that the packages it is about to import are ours.

The product is used inside other people's projects, where `config` or `accounts` are common names. This module's own
name is unlikely to be taken, it imports the standard library only, and nothing happens before it is called.
"""

import gc
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

NAMES = ("addons", "accounts", "config", "certs", "cli", "standin")
"""The packages of this product."""


def claim_names() -> None:
    """Put our folder first among those Python imports from, and check that none of our packages is somebody else's.

    Ends the program with one line that names the foreign file and the way out.
    """
    root = Path(__file__).resolve().parent
    sys.path[:] = [str(root), *(entry for entry in sys.path if entry != str(root))]
    for name in NAMES:
        place = _place(name)
        if place is not None and not place.resolve().is_relative_to(root):
            raise SystemExit(
                f"codex-rotate: cannot start, because its package `{name}` is hidden by {place}. "
                "Start it without the setting or script that loads that file (such as PYTHONPATH), "
                "or load rotate.py first."
            )


def main() -> NoReturn:
    """The console script `codex-rotate`."""
    gc.set_threshold(500_000)  # a short command makes modules, which stay: to look through them takes a twentieth of it
    claim_names()
    from cli.app import main as run

    sys.exit(run())


def proxy(tool: str) -> None:
    """What `serve` and `run` start: `mitmdump` or `mitmweb`, with the arguments of the process."""
    claim_names()
    import signal

    if hasattr(signal, "pthread_sigmask"):  # a thread that starts us may have kept every signal from itself
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    from addons import masters

    masters.TOOLS[tool]()


def _place(name: str) -> Path | None:
    """Where a package was imported from or would be; None when there is none of that name."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        file, folders = getattr(loaded, "__file__", None), getattr(loaded, "__path__", ())
    else:
        spec = find_spec(name)
        if spec is None:
            return None
        file, folders = spec.origin if spec.has_location else None, spec.submodule_search_locations or ()
    places = [file] if file else list(folders)
    return Path(places[0]) if places else None
