"""`serve`: the proxy in the foreground, on this machine only, with a certificate authority of its own."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from accounts.errors import NoAccounts, RotateError, UsageError
from accounts.store import Store
from cli import processes
from cli.options import AsJson
from cli.result import Result
from cli.status_commands import SCRIPT
from config import clock, paths
from config.hosts import is_loopback

LISTEN: Final = "127.0.0.1:8118"
ROOT: Final = Path(__file__).resolve().parent.parent
_START: Final = "import sys; from mitmproxy.tools.main import {tool}; sys.exit({tool}())"
"""By this interpreter: the script of that name on the PATH may be another installation's."""

type Foreground = Callable[[Sequence[str]], int]


class PortTaken(RotateError):
    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(
            f"Port {port} of {host} cannot be used ({why}). Another proxy may be running there: end it, "
            "or choose another port with --listen."
        )


def add_to(app: typer.Typer) -> None:
    app.command("serve")(serve_command)


# --- parsing ---------------------------------------------------------------------------------------------------------


def serve_command(
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where clients find the proxy.")] = LISTEN,
    web: Annotated[bool, typer.Option("--web", help="With mitmweb, to look at the traffic in a browser.")] = False,
    as_json: AsJson = False,
) -> Result:
    """Run the proxy until it is stopped with Ctrl-C."""
    from certs import ca  # late: cryptography

    host, port = parse_listen(listen)
    with Store(paths.pool_file()) as store:
        if not store.accounts():
            raise NoAccounts
    check_free(host, port)
    folder = paths.ca_folder()
    done = ca.ensure(folder, clock.now())
    argv = command(host, port, folder, web=web)
    code = processes.foreground(argv, os.environ, quiet=as_json)
    return replace(ended(code, f"http://{listen}", folder / ca.CERTIFICATE_FILE), notes=done.repairs)


def parse_listen(listen: str) -> tuple[str, int]:
    """Host and port. Raises UsageError for what is neither, and for an address that others could reach."""
    host, _, number = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isascii() or not number.isdigit() or not 0 < int(number) < 65536:
        raise UsageError(f"--listen needs an address and a port, such as {LISTEN}; {listen!r} is none.")
    if not is_loopback(host):
        raise UsageError(
            f"{host} can be reached by others, who could use your accounts. "
            f"Listen on this machine only, such as {LISTEN}."
        )
    return host, int(number)


# --- working ---------------------------------------------------------------------------------------------------------


def check_free(host: str, port: int) -> None:
    """Raises PortTaken while that can still be said in one line."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port whose last user has just left is free
        try:
            probe.bind((host, port))
        except OSError as e:
            raise PortTaken(host, port, e.strerror or str(e)) from e


def command(host: str, port: int, confdir: Path, *, web: bool) -> list[str]:
    """The proxy as an argument list."""
    tool = "mitmweb" if web else "mitmdump"
    script = ROOT / SCRIPT
    if not script.is_file():
        raise RotateError(f"{script} is missing, so the installation is not complete. Install codex-rotate again.")
    flags = ["--listen-host", host, "--listen-port", str(port), "--set", f"confdir={confdir}"]
    return [sys.executable, "-c", _START.format(tool=tool), "-s", str(script), *flags]


def ended(code: int, address: str, certificate: Path) -> Result:
    """How it went. A proxy that ended by itself has said why."""
    data = {"proxy": address, "certificate": str(certificate), "exit_code": code}
    if code == 0:
        return Result("The proxy has stopped. Clients that were led to it need another one, or none.", data)
    message = f"The proxy ended with exit code {code}; its last lines say why. Mend that and start it again."
    return Result(message, data, exit_code=1)
