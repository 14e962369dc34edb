"""The upstream of the benchmarks: TLS with HTTP/1.1, HTTP/2 and WebSocket, and answers made before they are asked for.

`python -m benchmarks.upstream FOLDER` writes its certificate there and says where it listens. It ends with its parent.
"""

import asyncio
import base64
import functools
import hashlib
import ssl
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, WindowUpdated
from h2.exceptions import ProtocolError
from mitmproxy import certs

from benchmarks import wire
from benchmarks.orders import (
    ANSWER_HEADERS,
    HEADER,
    HOST,
    THREAD,
    Order,
    events_of,
    order_of,
    refusal,
    refusal_in_band,
    sse,
)
from benchmarks.scripts.lead import when_parent_ends

CA_FILE: Final = "bench-upstream-ca-cert.pem"
SAYS: Final = "bench upstream at 127.0.0.1:"
LIMIT: Final = 1 << 20
UNCHECKED: Final = H2Configuration(
    client_side=False,
    header_encoding="utf-8",
    validate_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_inbound_headers=False,
    normalize_outbound_headers=False,
)
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

type Headers = dict[bytes, bytes]


def make_context(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate for the provider's host, of an authority whose certificate is CA_FILE in that folder."""
    store = certs.CertStore.from_store(folder, "bench-upstream", 2048)
    leaf = store.get_cert(HOST, [certs.x509.DNSName(HOST)])
    file = folder / "upstream-leaf.pem"
    file.touch(mode=0o600)
    file.write_bytes(
        leaf.privatekey.private_bytes(
            certs.serialization.Encoding.PEM,
            certs.serialization.PrivateFormat.PKCS8,
            certs.serialization.NoEncryption(),
        )
        + leaf.cert.to_pem()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


class Refusals:
    """Counts the attempts of threads that are to be refused at first."""

    def __init__(self) -> None:
        self._attempts: Counter[str] = Counter()

    def due(self, order: Order, thread: str) -> bool:
        if not order.fails:
            return False
        self._attempts[thread] += 1
        return self._attempts[thread] <= order.fails


@functools.cache
def http1_answer(order: Order) -> bytes:
    """A whole answer that needs no time."""
    body = b"".join(wire.chunk(sse(event)) for event in events_of(order))
    return _http1_head() + body + wire.chunk(b"")


def _http1_head() -> bytes:
    return wire.head("HTTP/1.1 200 OK", (*ANSWER_HEADERS, ("transfer-encoding", "chunked")))


@functools.cache
def http1_refusal() -> bytes:
    headers, body = refusal()
    return wire.head("HTTP/1.1 429 Too Many Requests", headers) + body


class Http1:
    """One HTTP/1.1 connection, which may become a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refusals: Refusals) -> None:
        self.reader, self.writer, self.refusals = reader, writer, refusals

    async def serve(self) -> None:
        while True:
            _, *lines = (await self.reader.readuntil(wire.END)).split(wire.CRLF)
            headers: Headers = {}
            for line in lines:
                name, _, value = line.partition(b": ")
                headers[name.lower()] = value
            await self.reader.readexactly(int(headers.get(b"content-length", b"0")))
            order = order_of(headers.get(HEADER.encode(), b"").decode())
            thread = headers.get(THREAD.encode(), b"").decode()
            if headers.get(b"upgrade") == b"websocket":
                await self._websocket(order, thread, headers[b"sec-websocket-key"])
            elif self.refusals.due(order, thread):
                self.writer.write(http1_refusal())
            elif order.gap or order.hold:
                await self._slowly(order)
            else:
                self.writer.write(http1_answer(order))
            await self.writer.drain()
            if order.closes:  # without a word before: mitmproxy would end the client's connection as well
                self.writer.close()
                await self.writer.wait_closed()
                return

    async def _slowly(self, order: Order) -> None:
        first, pieces, last = _parts(order)
        self.writer.write(_http1_head() + wire.chunk(first))
        for piece in pieces:
            await asyncio.sleep(order.gap)
            self.writer.write(wire.chunk(stamped(piece)))
        if order.hold:
            await self.reader.read()
            return
        self.writer.write(wire.chunk(last) + wire.chunk(b""))

    async def _websocket(self, order: Order, thread: str, key: bytes) -> None:
        accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        upgrade = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-accept", accept))
        self.writer.write(wire.head("HTTP/1.1 101 Switching Protocols", (*upgrade, *ANSWER_HEADERS[1:])))
        answer = b"".join(wire.frame(event, masked=False) for event in events_of(order))
        frames = wire.Frames()
        while data := await self.reader.read(LIMIT):
            for _ in frames.feed(data):
                refused = self.refusals.due(order, thread)
                self.writer.write(wire.frame(refusal_in_band(), masked=False) if refused else answer)
            await self.writer.drain()
        raise ConnectionError("the socket is over")


def _parts(order: Order) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """The events before the text, those with text, and the last one, as an event stream has them."""
    begun, going, *text, last = map(sse, events_of(order))
    return begun + going, tuple(text), last


def stamped(piece: bytes) -> bytes:
    """A piece of text with the time at which it is sent."""
    return piece % asyncio.get_running_loop().time() if b"%.6f" in piece else piece


class Http2:
    """One HTTP/2 connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refusals: Refusals) -> None:
        self.reader, self.writer, self.refusals = reader, writer, refusals
        self.wire = H2Connection(UNCHECKED)
        self._asked: dict[int, tuple[Order, str]] = {}

    async def serve(self) -> None:
        self.wire.initiate_connection()
        async with asyncio.TaskGroup() as group:
            self._flush()
            while data := await self.reader.read(LIMIT):
                for event in self.wire.receive_data(data):
                    self._on(event, group)
                self._flush()
                await self.writer.drain()
            raise ConnectionError("the connection is over")

    def _on(self, event: Event, group: asyncio.TaskGroup) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=list(headers)):
                named = {str(name): str(value) for name, value in headers}
                self._asked[stream] = order_of(named.get(HEADER, "")), named.get(THREAD, "")
            case DataReceived(stream_id=int(stream), flow_controlled_length=int(length)):
                self.wire.acknowledge_received_data(length, stream)
            case StreamEnded(stream_id=int(stream)):
                self._answer(stream, group)
            case WindowUpdated():
                pass  # answers are smaller than the smallest window

    def _answer(self, stream: int, group: asyncio.TaskGroup) -> None:
        order, thread = self._asked.pop(stream)
        if self.refusals.due(order, thread):
            headers, body = refusal()
            self.wire.send_headers(stream, [(":status", "429"), *headers])
            self.wire.send_data(stream, body, end_stream=True)
            return
        self.wire.send_headers(stream, [(":status", "200"), *ANSWER_HEADERS])
        if order.gap or order.hold:
            group.create_task(self._slowly(stream, order))
        else:
            self.wire.send_data(stream, b"".join(map(sse, events_of(order))), end_stream=True)

    async def _slowly(self, stream: int, order: Order) -> None:
        first, pieces, last = _parts(order)
        try:
            self._send(stream, first)
            for piece in pieces:
                await asyncio.sleep(order.gap)
                self._send(stream, stamped(piece))
            if not order.hold:
                self._send(stream, last, ends=True)
        except ProtocolError:
            pass  # the client has left

    def _send(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        self.wire.send_data(stream, data, end_stream=ends)
        self._flush()

    def _flush(self) -> None:
        self.writer.write(self.wire.data_to_send())


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refusals: Refusals) -> None:
    """Serve one connection until it is over."""
    secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
    connection = Http2 if secured.selected_alpn_protocol() == "h2" else Http1
    try:
        await connection(reader, writer, refusals).serve()
    except* (OSError, asyncio.IncompleteReadError, ProtocolError):
        pass  # the client has left
    finally:
        writer.transport.abort()


async def start(folder: Path) -> asyncio.Server:
    """An upstream on a free port of this machine."""
    refusals = Refusals()
    return await asyncio.start_server(
        lambda reader, writer: handle(reader, writer, refusals),
        "127.0.0.1",
        0,
        ssl=make_context(folder),
        limit=LIMIT,
        backlog=1024,
    )


async def main(folder: Path) -> None:
    server, parent_ended = await start(folder), asyncio.Event()
    sys.stdout.write(f"{SAYS}{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    when_parent_ends(parent_ended.set)
    await parent_ended.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
