"""Takes the port of the page, or says who has it."""

import errno
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from config import proxy_files
from config.errors import RotateError
from config.page.address import MOST_TRIED, USUAL, PageAddress

logger = logging.getLogger(__name__)

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS: Final = "0A"


class PagePortTaken(RotateError):
    """The port that was named cannot be had."""

    def __init__(self, address: PageAddress, why: OSError, environ: Mapping[str, str] = os.environ) -> None:
        ways = {
            errno.EADDRINUSE: f"{who_has(address.port, environ)} listens there: end it, or name another port.",
            errno.EACCES: "This user may not listen there: name a port from 1024 on.",
            errno.EADDRNOTAVAIL: "This machine does not have that address: name another one.",
        }
        told = ways.get(why.errno or 0, "Name another address or port.")
        super().__init__(f"The page cannot be at {address.host}:{address.port} ({why.strerror or why}). {told}")


class BoundPage(NamedTuple):
    """Where the page is, the socket, and why it is not where it usually is ("": it is)."""

    address: PageAddress
    listener: socket.socket
    aside: str = ""


def bind(wanted: PageAddress, environ: Mapping[str, str] = os.environ) -> BoundPage:
    """A socket that listens there; where nobody has named the port, at the next one that is free. Raises
    PagePortTaken."""
    aside = ""
    for port in range(wanted.port, wanted.port + (1 if wanted.named else MOST_TRIED)):
        address = replace(wanted, port=port)
        try:
            listener = _listening(address)
        except OSError as e:
            if wanted.named or e.errno != errno.EADDRINUSE:
                raise PagePortTaken(address, e, environ) from e
            aside = aside or f"{who_has(port, environ)} has {USUAL}"
            continue
        return BoundPage(replace(address, port=listener.getsockname()[1]), listener, aside)
    raise PagePortTaken(wanted, OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)), environ)


def who_has(port: int, environ: Mapping[str, str] = os.environ) -> str:
    """Who listens at this port, as the beginning of a sentence: a proxy of ours by its file, else a process of this
    user as far as the system tells."""
    for told in proxy_files.announced(proxy_files.folder(environ)):
        if told.page and urlsplit(told.page).port == port and proxy_files.runs(told.pid) is not False:
            return f"The page of another proxy of this pool (process {told.pid}, {told.url})"
        if urlsplit(told.url).port == port and proxy_files.runs(told.pid) is not False:
            return f"A proxy of this pool (process {told.pid})"
    inodes = {inode for table in _TABLES for inode in _listening_at(table, port)}
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        with suppress(OSError):
            for each in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(each).removeprefix("socket:[").removesuffix("]") in inodes:  # noqa: PTH115
                        return f"Process {process.name} ({(process / 'comm').read_text('utf-8', 'replace').strip()})"
    return "Another program"


def _listening(address: PageAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with ExitStack() as failing:
        listener = failing.enter_context(socket.socket(family, socket.SOCK_STREAM))
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one whose last user has just left is free
        listener.bind((address.host, address.port))
        listener.listen(64)
        listener.setblocking(False)
        failing.pop_all()
    return listener


def _listening_at(table: Path, port: int) -> Iterator[str]:
    """The inodes of sockets that listen at this port."""
    with suppress(OSError, ValueError, IndexError):
        for line in table.read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
