"""The load: clients that talk through a proxy, or straight to upstream, and note when what came.

They run in the process of the benchmark itself; proxies and upstream are others. All look alike: `open`, `turn` and
`close`.
"""

import asyncio
import base64
import functools
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset

from benchmarks import wire
from benchmarks.orders import HEADER, HOST, PATH, SENT, THREAD, Order

LIMIT: Final = 1 << 20
PATIENCE: Final = 60.0
"""Seconds until a turn that does not end is given up."""
ASK: Final = b'{"model":"gpt-5","input":[{"type":"message","role":"user","content":"hi"}],"stream":true,"store":false}'
CREATE: Final = b'{"type":"response.create",' + ASK[1:]
UNCHECKED: Final = H2Configuration(
    header_encoding=None,
    validate_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_inbound_headers=False,
    normalize_outbound_headers=False,
)
"""Checking headers that are always the same takes longer than everything else about a stream."""
_STAMP: Final = re.compile(SENT + rb"(\d+\.\d+)")


class Failed(Exception):
    """A turn came to another end than its work expects: what is measured would not be that work."""


class Target:
    """Where clients connect: a proxy on this machine, or with `proxied=False` the upstream itself."""

    def __init__(self, port: int, trust: Path, *, proxied: bool) -> None:
        self.port, self.proxied = port, proxied
        self._contexts = {alpn: _context(trust, alpn) for alpn in ("h2", "http/1.1")}

    async def connect(self, alpn: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """TLS to the provider's host, in a tunnel where there is a proxy."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=LIMIT)
        if self.proxied:
            writer.write(wire.head(f"CONNECT {HOST}:443 HTTP/1.1", (("host", f"{HOST}:443"),)))
            answer = await reader.readuntil(wire.END)
            if b" 200 " not in answer:
                raise Failed(f"CONNECT got {answer[:80]!r}")
        await writer.start_tls(self._contexts[alpn], server_hostname=HOST)
        return reader, writer


def _context(trust: Path, alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(trust))
    context.set_alpn_protocols([alpn])
    return context


@dataclass(slots=True)
class Turn:
    """One turn in seconds: when it began, when its first byte and its end came, and where pieces of text are `stamped`
    how old each was on arrival."""

    began: float
    first: float = 0.0
    ended: float = 0.0
    delays: list[float] = field(default_factory=list)
    stamped: bool = False
    _tail: bytes = b""

    def came(self, piece: bytes) -> float:
        """Note what came, now."""
        now = asyncio.get_running_loop().time()
        self.first = self.first or now
        if self.stamped:
            *whole, self._tail = (self._tail + piece).split(b"\n\n")
            self.delays += [now - float(stamp) for each in whole for stamp in _STAMP.findall(each)]
        return now


TOKEN_LENGTH: Final = 1900
"""Characters of an access token, about as many as those of the provider have."""


class Client(Protocol):
    """One connection, and turns on it, one after the other."""

    @classmethod
    async def open(cls, target: Target, thread: str, order: Order) -> Self: ...
    async def turn(self, order: Order, body: bytes = ASK, thread: str = "") -> Turn: ...
    def close(self) -> None: ...


@functools.cache
def _headers(order: Order, thread: str, coding: str) -> tuple[tuple[str, str], ...]:
    """As the official client has them."""
    return (
        ("authorization", f"Bearer {'the-login-of-the-client-itself'.ljust(TOKEN_LENGTH, '-')}"),
        ("chatgpt-account-id", "account-of-the-client"),
        ("content-type", "application/json"),
        ("accept", "text/event-stream"),
        ("originator", "codex_cli_rs"),
        ("user-agent", "codex_cli_rs/0.169.0"),
        (THREAD, thread),
        ("session-id", thread),
        *((("content-encoding", coding),) if coding else ()),
        (HEADER, order.header()),
    )


def _coding(body: bytes) -> str:
    """Bodies are plain JSON or zstd."""
    return "" if body.startswith(b"{") else "zstd"


class _Connected:
    """A connection of a client, and the thread that its turns belong to unless they say otherwise."""

    alpn = "http/1.1"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, thread: str) -> None:
        self.reader, self.writer, self.thread = reader, writer, thread

    @classmethod
    async def open(cls, target: Target, thread: str, _: Order) -> Self:
        return cls(*await target.connect(cls.alpn), thread)

    def close(self) -> None:
        self.writer.close()

    async def read(self) -> bytes:
        data = await self.reader.read(LIMIT)
        if not data:
            raise Failed("the connection was closed in the middle of a turn")
        return data


class Http1(_Connected):
    """HTTP/1.1 with keep-alive."""

    async def turn(self, order: Order, body: bytes = ASK, thread: str = "") -> Turn:
        headers = _headers(order, thread or self.thread, _coding(body))
        sized = (("host", HOST), ("content-length", str(len(body))), *headers)
        request = wire.head(f"POST {PATH} HTTP/1.1", sized)
        turn = Turn(asyncio.get_running_loop().time(), stamped=order.gap > 0)
        self.writer.write(request + body)
        answer, events = wire.Answer(), 0
        while not answer.complete and not (order.hold and events >= order.messages - 1):
            piece = answer.feed(await self.read())
            turn.ended = turn.came(piece)
            events += piece.count(b"\n\n")
            if answer.status not in {0, 200}:
                raise Failed(f"status {answer.status}: {piece[:200]!r}")
        return turn


class Http2(_Connected):
    """HTTP/2; one stream at a time."""

    alpn = "h2"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, thread: str) -> None:
        super().__init__(reader, writer, thread)
        self.wire = H2Connection(UNCHECKED)
        self.wire.initiate_connection()

    async def turn(self, order: Order, body: bytes = ASK, thread: str = "") -> Turn:
        stream = self.wire.get_next_available_stream_id()
        pseudo = ((":method", "POST"), (":scheme", "https"), (":authority", HOST), (":path", PATH))
        sized = ("content-length", str(len(body)))
        turn = Turn(asyncio.get_running_loop().time(), stamped=order.gap > 0)
        self.wire.send_headers(stream, [*pseudo, *_headers(order, thread or self.thread, _coding(body)), sized])
        await self._send(stream, body, turn)
        while not turn.ended:
            await self._read(turn)
        return turn

    async def _send(self, stream: int, body: bytes, turn: Turn) -> None:
        at = 0
        while at < len(body):
            room = min(self.wire.local_flow_control_window(stream), self.wire.max_outbound_frame_size)
            if room <= 0:
                await self._flush()
                await self._read(turn)
                continue
            self.wire.send_data(stream, body[at : at + room], end_stream=at + room >= len(body))
            at += room
        await self._flush()

    async def _flush(self) -> None:
        self.writer.write(self.wire.data_to_send())
        await self.writer.drain()

    async def _read(self, turn: Turn) -> None:
        for event in self.wire.receive_data(await self.read()):
            self._on(event, turn)
        await self._flush()

    def _on(self, event: Event, turn: Turn) -> None:
        match event:
            case ResponseReceived(headers=list(headers)):
                turn.came(b"")
                if headers[0][1] != b"200":
                    raise Failed(str(headers[0]))
            case DataReceived(stream_id=int(stream), data=bytes(data), flow_controlled_length=int(length)):
                turn.came(data)
                self.wire.acknowledge_received_data(length, stream)
            case StreamEnded():
                turn.ended = turn.came(b"")
            case StreamReset():
                raise Failed("the stream was reset")


class Socket(_Connected):
    """One WebSocket. Its order is that of its upgrade, and each message asks for such an answer."""

    @classmethod
    async def open(cls, target: Target, thread: str, order: Order) -> Self:
        socket = await super().open(target, thread, order)
        upgrade = (("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", "13"))
        key = ("sec-websocket-key", base64.b64encode(bytes(16)).decode())
        headers = (("host", HOST), *upgrade, key, *_headers(order, thread, ""))
        socket.writer.write(wire.head(f"GET {PATH} HTTP/1.1", headers))
        answer = await socket.reader.readuntil(wire.END)
        if not answer.startswith(b"HTTP/1.1 101"):
            raise Failed(f"the upgrade got {answer[:80]!r}")
        socket.frames = wire.Frames()
        return socket

    frames: wire.Frames

    async def turn(self, order: Order, body: bytes = CREATE, thread: str = "") -> Turn:
        left = order.messages
        turn = Turn(asyncio.get_running_loop().time())
        self.writer.write(wire.frame(CREATE, masked=True))
        while left:
            messages = self.frames.feed(await self.read())
            turn.ended = turn.came(b"")
            left -= len(messages)
            if any(b'"type":"error"' in each for each in messages):
                raise Failed(f"the turn failed: {messages[-1][:200]!r}")
        return turn


CLIENTS: Final[dict[str, type[Client]]] = {"HTTP/1.1": Http1, "HTTP/2": Http2, "WebSocket": Socket}
