"""One TCP connection, plain or TLS, with the ways to end it that a fault needs."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from asyncio.trsock import TransportSocket
from typing import Self

_CHUNK = 65536
_PATIENCE = 1.0
"""Seconds a peer has for its half of the TLS handshake's end before the connection is dropped."""


class Link:
    """A connection that was accepted. `number` counts them from 1; `alpn` is what TLS agreed on, if anything."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader, self._writer = reader, writer
        # kept: a TLS transport that was closed cannot name its socket any more
        self._socket: TransportSocket = writer.get_extra_info("socket")
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        self.secure = tls is not None
        self.alpn = tls.selected_alpn_protocol() if tls else None

    @classmethod
    async def open(cls, number: int, sock: socket.socket, context: ssl.SSLContext | None) -> Self:
        """Take over an accepted socket; with a context, as the TLS server on it."""
        # asyncio does this only for sockets that were made with the protocol spelled out
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        patience = {"ssl_handshake_timeout": 60 * _PATIENCE, "ssl_shutdown_timeout": _PATIENCE} if context else {}
        transport, protocol = await loop.connect_accepted_socket(
            lambda: asyncio.StreamReaderProtocol(reader), sock, ssl=context, **patience
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        # drain() then means "given to the kernel", so that what was sent before a cut is really sent; a mark of 0 would
        # let the TLS transport pause for ever
        transport.set_write_buffer_limits(high=1)
        return cls(number, reader, writer)

    async def read(self) -> bytes:
        """The next bytes, empty when the peer is gone."""
        try:
            return await self._reader.read(_CHUNK)
        except OSError:
            return b""

    async def write(self, data: bytes) -> None:
        """Send; ConnectionError if the peer is gone."""
        if self._writer.transport.is_closing():  # a TLS transport that was dropped would fail in its own way
            raise ConnectionResetError("the connection was dropped")
        if data:
            self._writer.write(data)
            await self._writer.drain()

    def reset(self) -> None:
        """End with a TCP RST."""
        # Windows' struct linger holds shorts, everybody else's ints
        linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.abort()

    async def close(self) -> None:
        """End with a FIN, after what was written."""
        with contextlib.suppress(OSError):
            self._writer.close()
            # TLS would wait for the peer's close_notify before the FIN: a peer that waits for the FIN needs it now
            self._socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()
