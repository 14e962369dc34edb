"""The only module that opens a browser."""

import os
import sys
from collections.abc import Mapping


def has_browser(environ: Mapping[str, str], platform: str) -> bool:
    """Whether a browser that is opened here would be in front of the person."""
    if environ.get("BROWSER"):
        return True
    if platform in {"darwin", "win32", "cygwin"}:
        return not (environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"))
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def open_page(url: str) -> bool:
    """Open an address in the person's browser; False when there is nobody, no screen or no browser."""
    if not sys.stderr.isatty() or not has_browser(os.environ, sys.platform):
        return False
    import webbrowser  # late: only a login needs it

    try:
        return webbrowser.open(url)
    except (webbrowser.Error, OSError):
        return False
