"""The server's side of a WebSocket with permessage-deflate, docs/codex-wire.md section 1.2."""

import asyncio
import contextlib

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from standin.exchange import Socket
from standin.records import Headers, Incoming
from standin.wire.link import Link


class WireSocket(Socket):
    """A WebSocket on a link whose upgrade request has been read. Whoever reads the link calls `feed`."""

    def __init__(self, request: Incoming, link: Link, early: bytes) -> None:
        self._link, self._early = link, early
        self._wire = WSConnection(ConnectionType.SERVER)
        self._messages: asyncio.Queue[str | int | None] = asyncio.Queue()
        self._partial: list[str] = []
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers]
        self._wire.initiate_upgrade_connection(headers, request.path)
        asked = next(iter(self._wire.events()))
        self._offers_deflate = isinstance(asked, Request) and any(
            str(offer).startswith("permessage-deflate") for offer in asked.extensions
        )

    async def open(self, headers: Headers) -> None:
        """Send the 101."""
        accept = AcceptConnection(
            extensions=[PerMessageDeflate()] if self._offers_deflate else [],
            extra_headers=[(name.encode(), value.encode()) for name, value in headers],
        )
        await self._link.write(self._wire.send(accept))
        if self._early:
            await self.feed(self._early)

    async def feed(self, data: bytes) -> None:
        """Bytes from the peer."""
        try:
            self._wire.receive_data(data)
            for event in self._wire.events():
                if isinstance(event, Ping):
                    await self._link.write(self._wire.send(event.response()))
                elif isinstance(event, TextMessage):
                    self._partial.append(event.data)
                    if event.message_finished:
                        self._messages.put_nowait("".join(self._partial))
                        self._partial.clear()
                elif isinstance(event, Message):
                    self._messages.put_nowait(None)
                elif isinstance(event, CloseConnection):
                    self._messages.put_nowait(int(event.code))
        except (RemoteProtocolError, ConnectionError):
            self._messages.put_nowait(None)

    async def receive(self) -> str | int | None:
        return await self._messages.get()

    async def send(self, text: str) -> None:
        try:
            await self._link.write(self._wire.send(TextMessage(data=text)))
        except LocalProtocolError:
            raise ConnectionResetError("the client has closed the socket") from None

    async def close(self, code: int) -> None:
        with contextlib.suppress(LocalProtocolError, ConnectionError):  # closed already, by whichever side
            await self._link.write(self._wire.send(CloseConnection(code=code)))
        await self._link.close()
