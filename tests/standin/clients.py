"""Small clients that show what happens on the wire instead of hiding it, and what tests here share."""

import contextlib
import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.errors
import h2.events
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, RejectData, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from standin import Account

RESPONSES = "/backend-api/codex/responses"
PATIENCE = 5.0
QUICK: dict[str, Any] = {"trust_env": False, "verify": False, "timeout": PATIENCE}
"""For httpx on the plain listener: no proxy from the environment, and no CA bundle to load for nothing."""


def credentials(account: Account) -> dict[str, str]:
    """The headers that name an account."""
    return {"authorization": f"Bearer {account.access_token}", "chatgpt-account-id": account.account_id}


def sse_events(text: str) -> list[dict[str, Any]]:
    """The events of an event stream."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@dataclass
class Answered:
    """What came back on one HTTP/2 stream."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    reset: bool = False


class Http2Client:
    """An HTTP/2 client that shows what happens instead of hiding it."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        assert sock.selected_alpn_protocol() == "h2"
        self.socket = sock
        self.wire = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.wire.initiate_connection()
        self.answers: dict[int, Answered] = {}
        self.goaway: int | None = None
        self.buffer = b""
        self.over = False
        self._flush()

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
        """Send a request; its stream id."""
        stream_id = self.wire.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "chatgpt.com"), (":path", path)]
        self.wire.send_headers(stream_id, [*pseudo, *headers.items()], end_stream=not body)
        self.answers[stream_id] = Answered()
        while body:
            self.read_until(lambda: self.wire.local_flow_control_window(stream_id) > 0, stream_id)
            size = min(self.wire.local_flow_control_window(stream_id), self.wire.max_outbound_frame_size)
            self.wire.send_data(stream_id, body[:size], end_stream=len(body) <= size)
            body = body[size:]
            self._flush()
        self._flush()
        return stream_id

    def answer(self, stream_id: int) -> Answered:
        """Read until this answer or the connection is over."""
        return self.read_until(lambda: self.answers[stream_id].ended or self.answers[stream_id].reset, stream_id)

    def read_until(self, condition: Callable[[], bool], stream_id: int) -> Answered:
        """Read until a condition holds or the connection is over."""
        while not condition() and not self.over:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                data = b""
            self.over = not data
            self._see(data)
        return self.answers[stream_id]

    def cancel(self, stream_id: int) -> None:
        """Reset a stream."""
        self.wire.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def _without_goaway(self, data: bytes) -> bytes:
        """Whole frames but GOAWAY, after which the protocol library would read nothing more."""
        self.buffer += data
        frames = b""
        while len(self.buffer) >= 9 and len(self.buffer) >= (end := 9 + int.from_bytes(self.buffer[:3])):
            frame, self.buffer = self.buffer[:end], self.buffer[end:]
            if frame[3] == 7:
                self.goaway = int.from_bytes(frame[9:13])
            else:
                frames += frame
        return frames

    def _see(self, data: bytes) -> None:
        for event in self.wire.receive_data(self._without_goaway(data)):
            match event:
                case h2.events.ResponseReceived():
                    headers = dict(event.headers)
                    answered = self.answers[event.stream_id]
                    answered.status, answered.headers = int(headers[":status"]), headers
                case h2.events.DataReceived():
                    self.answers[event.stream_id].body += event.data
                    self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                case h2.events.StreamEnded():
                    self.answers[event.stream_id].ended = True
                case h2.events.StreamReset():
                    self.answers[event.stream_id].reset = True
        if not self.over:
            self._flush()

    def _flush(self) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # reading tells how it ended
            self.socket.sendall(self.wire.data_to_send())


class SocketClient:
    """A WebSocket client; `rejected` holds the status if the upgrade was refused."""

    def __init__(self, sock: ssl.SSLSocket, account: Account, *, deflate: bool = True) -> None:
        self.socket = sock
        self.wire = WSConnection(ConnectionType.CLIENT)
        self.deflate = PerMessageDeflate()
        self.events: list[Any] = []
        self.rejected: int | None = None
        self.body = b""
        self.headers: dict[str, str] = {}
        extra = [(name.encode(), value.encode()) for name, value in credentials(account).items()]
        extensions = [self.deflate] if deflate else []
        self._send(Request(host="chatgpt.com", target=RESPONSES, extra_headers=extra, extensions=extensions))
        first = self._next()
        if isinstance(first, AcceptConnection):
            self.headers = {name.decode(): value.decode() for name, value in first.extra_headers}
        elif isinstance(first, RejectConnection):
            self.rejected = first.status_code
            while isinstance(data := self._next(), RejectData):
                self.body += data.data
                if data.body_finished:
                    break

    def create(self, **body: Any) -> None:
        """Ask for a response."""
        self._send(TextMessage(data=json.dumps({"type": "response.create", "input": []} | body)))

    def receive(self) -> dict[str, Any] | int | None:
        """The next message; the code if a close frame comes instead; None if the connection just ends."""
        text = ""
        while True:
            event = self._next()
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return dict(json.loads(text))
            elif isinstance(event, CloseConnection):
                return int(event.code)
            elif event is None:
                return None

    def turn(self, **body: Any) -> list[dict[str, Any]]:
        """Ask, and return the messages up to the last of the answer, or up to the end of the connection."""
        self.create(**body)
        return self.rest()

    def rest(self) -> list[dict[str, Any]]:
        """The messages up to the last of the answer, or up to the end of the connection."""
        seen: list[dict[str, Any]] = []
        while isinstance(message := self.receive(), dict):
            seen.append(message)
            if message.get("type", "error") in {"response.completed", "response.failed", "error"}:
                break
        return seen

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self._send(CloseConnection(code=code))

    def _send(self, event: Any) -> None:
        self.socket.sendall(self.wire.send(event))

    def _next(self) -> Any:
        while not self.events:
            try:
                data = self.socket.recv(65536)
            except (ConnectionError, ssl.SSLError):
                return None
            if not data:
                return None
            self.wire.receive_data(data)
            self.events += self.wire.events()
        return self.events.pop(0)
