"""How a proxy of ours is started: its arguments, and whether its port can be had."""

import errno
import os
import shlex
import socket
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from config import paths
from config.errors import RotateError
from config.proxy_files import ProxyInfo

SCRIPT: Final = "rotate.py"

_START: Final = (
    "import sys; sys.path.insert(0, {root!r}); import codex_rotate; sys.path.pop(0); "
    "codex_rotate.proxy({tool!r}, {look!r})"
)
"""By this interpreter: what is on the PATH may be another installation's."""


class PortTaken(RotateError):
    def __init__(self, host: str, port: int, why: str, cause: int | None = None) -> None:
        way = {
            errno.EADDRINUSE: "Another program listens there: end it, or choose another port with --listen.",
            errno.EACCES: "This user may not listen there: choose a port from 1024 on with --listen.",
            errno.EADDRNOTAVAIL: "This machine does not have that address: choose another one with --listen.",
        }
        super().__init__(
            f"Port {port} of {host} cannot be used ({why}). "
            + way.get(cause or 0, "Choose another address or port with --listen.")
        )


class PortOurs(RotateError):
    """A proxy of codex-rotate has the port already."""

    def __init__(self, port: int, there: ProxyInfo, home: Path) -> None:
        ours = Path(there.home) == home
        stop = "`codex-rotate stop`" if ours else f"`CODEX_ROTATE_HOME={shlex.quote(there.home)} codex-rotate stop`"
        pool = "the same pool" if ours else "another pool"
        super().__init__(
            f"Port {port} has a proxy of codex-rotate already: process {there.pid}, with {pool} ({there.home}). "
            f"{stop} ends it; another port can be chosen with --listen."
        )


def check_free(host: str, port: int) -> None:
    """Raises PortOurs, PortTaken while that can still be said in one line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last user has just left is free
        try:
            probe.bind((host, port))
        except OSError as e:
            from cli.running import proxies  # late: an HTTP client

            there = proxies.ask_own(proxies.place(host, port)).presence
            if there is not None:
                raise PortOurs(port, there, paths.home()) from e
            raise PortTaken(host, port, e.strerror or str(e), e.errno) from e


def command(host: str, port: int, confdir: Path, *, web: bool, look: str = "") -> list[str]:
    """The proxy as an argument list; `look` is how its log is shown (addons/recording/serve_log.py)."""
    script = paths.PROGRAM / SCRIPT
    if not script.is_file():
        raise RotateError(f"{script} is missing, so the installation is not complete. Install codex-rotate again.")
    flags = ["--listen-host", host, "--listen-port", str(port), "--set", f"confdir={confdir}"]
    return [*start("mitmweb" if web else "mitmdump", look), "-s", str(script), *flags]


def start(tool: str, look: str = "") -> list[str]:
    """Our mitmdump or mitmweb, without arguments."""
    return [sys.executable, "-c", _START.format(root=str(paths.IMPORTED_FROM), tool=tool, look=look)]
