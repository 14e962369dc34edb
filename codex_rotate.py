"""Starts the companion CLI or the proxy, after making sure that the packages it is about to import are ours.

In the clone this is a module beside those packages; in an installation it is the package that holds them. The
product is used inside other people's projects, where `config` or `accounts` are common names. This module's own name is
unlikely to be taken, it imports the standard library only, and nothing happens before it is called.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # this module is imported before anything can be interrupted in order, so it imports next to nothing
    from pathlib import Path
    from typing import NoReturn

INTERRUPTED = 130
"""What a shell makes of Ctrl-C."""
NAMES = ("addons", "accounts", "config", "certs", "cli", "standin")
"""The packages of this product."""


def claim_names() -> None:
    """Put our folder first among those Python imports from, and check that none of our packages is somebody else's.

    Ends the program with one line that names the foreign file and the way out.
    """
    from pathlib import Path

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


def main() -> "NoReturn":
    """The console script `codex-rotate`.

    Until a command begins, and after it has ended, Ctrl-C ends the program at once: there is nothing to put in order,
    and an import that is interrupted may make something else of it.
    """
    import gc
    import signal

    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else whoever started us ignores it
    if interruptible:
        signal.signal(signal.SIGINT, _leave)
    gc.set_threshold(500_000)  # a short command makes modules, which stay: to look through them takes a twentieth of it
    claim_names()
    from cli.app import main as run

    def begins() -> None:
        if interruptible:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    try:
        code = run(begins=begins)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if interruptible:
        signal.signal(signal.SIGINT, _leave)
    sys.exit(code)


def _leave(*_: object) -> None:
    os._exit(INTERRUPTED)


def proxy(tool: str, look: str = "") -> None:
    """What `serve` and `run` start: `mitmdump` or `mitmweb`, with the arguments of the process. `look` is how its log
    is shown (addons/recording/serve_log.py)."""
    claim_names()
    import signal

    if hasattr(signal, "pthread_sigmask"):  # a thread that starts us may have kept every signal from itself
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    from addons import masters

    masters.TOOLS[tool](look)


def _place(name: str) -> "Path | None":
    """Where a package was imported from or would be; None when there is none of that name."""
    from importlib.util import find_spec
    from pathlib import Path

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
