"""How a connection to a host of several addresses is opened: they are raced, so that a dead one costs a moment.

mitmproxy opens its connections by `asyncio.open_connection`, one address after the other, for as long as the system
tries each. So the event loop's own `create_connection`, which that calls, is replaced on the loop: what is opened, by
whom and which hooks run stays mitmproxy's. asyncio can race by itself, but does not together with eager tasks, which
mitmproxy uses, in some releases of Python 3.12 and 3.13.
"""

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from typing import Any, Final

from mitmproxy.proxy.server import ConnectionHandler

from config.errors import RotateError

CONNECT_SECONDS: Final = 10.0
"""How long at most a connection may take, with its TLS handshake and the way through another proxy; a WebSocket's
client gives up at 15."""
DELAY: Final = 0.25
"""Seconds that an address has before the next one is tried as well (RFC 8305)."""
NO_DESCRIPTORS: Final = "this proxy has no file descriptors left; raise the limit (`ulimit -n`)"

logger = logging.getLogger(__name__)

type Address = tuple[Any, ...]
type Info = tuple[int, int, int, str, Address]
type Connecting = Callable[[Info], Any]


class NotDialed(RotateError):
    """mitmproxy opens its connections in another way, so that their addresses cannot be raced."""

    def __init__(self) -> None:
        super().__init__("this mitmproxy does not open connections by asyncio.open_connection")


def race_addresses(loop: asyncio.AbstractEventLoop) -> None:
    """From now on, for connections of this loop. Raises NotDialed."""
    if "open_connection" not in ConnectionHandler.open_connection.__code__.co_names:
        raise NotDialed
    if isinstance(getattr(loop.create_connection, "__self__", None), Dialer):
        return
    loop.create_connection = Dialer(loop).create_connection  # type: ignore[method-assign]


class Dialer:
    """Opens the connections of a loop in its place."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float = CONNECT_SECONDS) -> None:
        self.loop = loop
        self.seconds = seconds
        self.usual: Callable[..., Any] = loop.create_connection

    async def create_connection(
        self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None, port: Any = None, **how: Any
    ) -> Any:
        """As the loop's own. Raises OSError, TimeoutError among them."""
        try:
            async with asyncio.timeout(self.seconds):
                if _is_address(host) or any(how.get(each) for each in ("sock", "local_addr", "ssl")):
                    return await self.usual(protocol_factory, host, port, **how)
                found = await race(await self._addresses(host, port), self._connected)
                try:
                    return await self.usual(protocol_factory, sock=found)
                except BaseException:
                    found.close()
                    raise
        except TimeoutError:
            raise TimeoutError(f"no connection within {self.seconds:.0f} s") from None
        except OSError as e:
            if e.errno not in {errno.EMFILE, errno.ENFILE}:
                raise
            logger.warning("codex-rotate: a connection could not be opened: %s", NO_DESCRIPTORS)
            raise OSError(NO_DESCRIPTORS) from e

    async def _addresses(self, host: str, port: int) -> Sequence[Info]:
        found: Any = await self.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if not found:
            raise OSError(f"no address is known for {host}")
        return taking_turns(found)

    async def _connected(self, info: Info) -> socket.socket:
        family, kind, proto, _, address = info
        opened = socket.socket(family, kind, proto)
        try:
            opened.setblocking(False)
            await self.loop.sock_connect(opened, address)
        except BaseException:
            opened.close()
            raise
        return opened


def _is_address(host: Any) -> bool:
    """Whether there is nothing to look up, and so nothing to race."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not isinstance(host, str)
    return True


def taking_turns(found: Iterable[Info]) -> list[Info]:
    """Both families, one after the other, beginning with the one that the system prefers."""
    families: dict[int, list[Info]] = {}
    for each in found:
        families.setdefault(each[0], []).append(each)
    return [each for each in chain.from_iterable(zip_longest(*families.values())) if each is not None]


async def race(infos: Sequence[Info], connect: Connecting, delay: float = DELAY) -> Any:
    """What `connect` gives for the first address that answers. The next one is tried when one fails, or takes longer
    than `delay` seconds. Raises the OSError of the first address when all fail."""
    waiting, errors = list(infos), list[OSError]()
    running: set[asyncio.Future[Any]] = set()
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(connect(waiting.pop(0))))
            done, running = await asyncio.wait(
                running, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            won = [each for each in done if each.exception() is None]
            errors += [error for each in done if isinstance(error := each.exception(), OSError)]
            running |= set(won[1:])
            if won:
                return won[0].result()
            for each in done:
                error = each.exception()
                if error is not None and not isinstance(error, OSError):
                    raise error
    finally:
        for each in running:
            each.cancel()
            each.add_done_callback(_unwanted)
    scarce = [each for each in errors if each.errno in {errno.EMFILE, errno.ENFILE}]
    raise (scarce or errors)[0]


def _unwanted(late: asyncio.Future[Any]) -> None:
    if not late.cancelled() and late.exception() is None:
        with suppress(OSError):
            late.result().close()
