"""Clients that go through the proxy and show what happens on their side of the wire: HTTP/1.1, HTTP/2, WebSocket.

All three give the same account of an answer, `Got`, so that one table can be asked of each.
"""

import contextlib
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import httpx
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, RejectData, Request, TextMessage
from wsproto.extensions import PerMessageDeflate

from config.decoding import decoder
from tests.harness import PATIENCE, Proxy
from tests.users import acting_as

RESPONSES: Final = "/backend-api/codex/responses"
MODELS: Final = "/backend-api/codex/models"
CHATGPT: Final = "chatgpt.com"
ASK: Final = json.dumps({"model": "gpt-5", "input": [{"type": "message", "role": "user", "content": "hi"}]}).encode()
RECONNECT: Final = "websocket_connection_limit_reached"
LAST: Final = frozenset({"response.completed", "response.failed", "response.incomplete", "error"})

type Headers = dict[str, str]
type Event = dict[str, Any]


@dataclass
class Got:
    """One answer as the client saw it. `ended` tells a proper end from a cut."""

    status: int = 0
    headers: Headers = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False
    cut: bool = False
    messages: list[Event] = field(default_factory=list)
    decoded: bool = False
    """Whether its body is without its coding already."""

    @property
    def events(self) -> list[Event]:
        """The Responses events, from an event stream or a socket."""
        coding = self.headers.get("content-encoding", "") if not self.decoded else ""
        lines = decoder(coding)(bytes(self.body)).decode("utf-8", "replace").splitlines()
        return self.messages or [json.loads(line[6:]) for line in lines if line.startswith("data: ")]

    @property
    def text(self) -> str:
        """What the model has said. Where an answer has begun anew, what was not complete before is dropped, as the
        client does."""
        said = ""
        for event in self.events:
            if event["type"] == "response.created":
                said = ""
            elif event["type"] == "response.output_text.delta":
                said += event["delta"]
        return said

    @property
    def completed(self) -> bool:
        return any(event["type"] == "response.completed" for event in self.events)

    @property
    def error(self) -> Event:
        """The error object of a refusal, or of the last event."""
        described = self.messages[-1] if self.messages else json.loads(self.body)
        return dict(described.get("error") or {})


def tunnel(proxy: Proxy, host: str, port: int = 443, *, says: str = "", uid: int | None = None) -> socket.socket:
    """A connection to the proxy that has asked for this host and been let through; `says` is `user:password`, `uid`
    the user who opens it."""
    with acting_as(uid):
        raw = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
    more = f"proxy-authorization: Basic {b64encode(says.encode()).decode()}\r\n" if says else ""
    raw.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n{more}\r\n".encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        chunk = raw.recv(1)  # not one byte of what follows the head
        assert chunk, "the proxy closed the connection instead of answering CONNECT"
        answer += chunk
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return raw


def secure(raw: socket.socket, trust: ssl.SSLContext, name: str, *alpn: str) -> ssl.SSLSocket:
    """TLS inside the tunnel, with this SNI."""
    if alpn:
        trust.set_alpn_protocols(list(alpn))
    return trust.wrap_socket(raw, server_hostname=name)


def http1(proxy: Proxy, *, says: str = "", **settings: Any) -> httpx.Client:
    """An HTTP/1.1 client of chatgpt.com behind the proxy; `says` is `user:password`."""
    user, _, password = says.partition(":")
    led = httpx.Proxy(proxy.url, auth=(user, password) if says else None)
    known = {"timeout": PATIENCE, "trust_env": False, "base_url": f"https://{CHATGPT}"}
    return httpx.Client(proxy=led, verify=proxy.trust(), **(known | settings))


def got(answer: httpx.Response) -> Got:
    """What httpx saw, when it was read to its end."""
    return Got(answer.status_code, dict(answer.headers), bytearray(answer.content), ended=True, decoded=True)


def turn1(client: httpx.Client, headers: Headers, body: bytes = ASK) -> Got:
    """One turn over HTTP/1.1, its answer read to the end or the cut."""
    seen = Got(decoded=True)
    with client.stream("POST", RESPONSES, headers=headers, content=body) as answer:
        seen.status, seen.headers = answer.status_code, dict(answer.headers)
        try:
            for chunk in answer.iter_bytes():
                seen.body += chunk
            seen.ended = True
        except httpx.RemoteProtocolError:
            seen.cut = True
    return seen


class Http2:
    """An HTTP/2 connection to one host through the proxy; requests run side by side."""

    def __init__(self, proxy: Proxy, host: str = CHATGPT, *, says: str = "", uid: int | None = None) -> None:
        self.socket = secure(tunnel(proxy, host, says=says, uid=uid), proxy.trust(), host, "h2")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.host = host
        # what is sent is sent as it stands: a client need not be well-behaved
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
        self.wire = h2.connection.H2Connection(config)
        self.wire.initiate_connection()
        self.answers: dict[int, Got] = {}
        self.over = False
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, headers: Headers, *, method: str = "POST", path: str = RESPONSES, body: bytes = ASK) -> int:
        """Send a request; its stream id. `headers` may hold an `:authority` of its own."""
        stream_id = self.wire.get_next_available_stream_id()
        authority = headers.pop(":authority", self.host)
        pseudo = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)]
        self.wire.send_headers(stream_id, [*pseudo, *headers.items()], end_stream=not body)
        self.answers[stream_id] = Got()
        self._flush()
        left = memoryview(body)
        while left:
            self._read_until(lambda: self.wire.local_flow_control_window(stream_id) > 0)
            assert not self.over, "the proxy closed the connection in the middle of a request"
            size = min(self.wire.local_flow_control_window(stream_id), self.wire.max_outbound_frame_size)
            self.wire.send_data(stream_id, bytes(left[:size]), end_stream=len(left) <= size)
            left = left[size:]
            self._flush()
        return stream_id

    def turn(self, headers: Headers, body: bytes = ASK) -> Got:
        """One turn, its answer read to the end."""
        return self.answer(self.ask(headers, body=body))

    def answer(self, stream_id: int) -> Got:
        """Read until this answer, or the connection, is over."""
        return self.until(stream_id, lambda seen: seen.ended or seen.cut)

    def until(self, stream_id: int, enough: Callable[[Got], bool]) -> Got:
        """Read until there is enough of this answer, or the connection is over."""
        seen = self.answers[stream_id]
        self._read_until(lambda: enough(seen))
        seen.cut = seen.cut or (self.over and not seen.ended)
        return seen

    def cancel(self, stream_id: int) -> None:
        """Leave one request."""
        self.wire.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        self._flush()

    def _read_until(self, condition: Callable[[], bool]) -> None:
        while not condition() and not self.over:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            self.over = not data
            for event in self.wire.receive_data(data):
                self._on(event)
            self._flush()

    def _on(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                seen = self.answers[event.stream_id]
                seen.headers = dict(event.headers)
                seen.status = int(seen.headers[":status"])
            case h2.events.DataReceived():
                self.answers[event.stream_id].body += event.data
                self.wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.answers[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.answers[event.stream_id].cut = True
            case h2.events.ConnectionTerminated():
                self.over = True

    def _flush(self) -> None:
        with contextlib.suppress(ConnectionError):  # reading tells how it ended
            self.socket.sendall(self.wire.data_to_send())


class Socket:
    """One WebSocket through the proxy. `upgrade` is what came of the upgrade, unless nobody waits for it."""

    def __init__(
        self, proxy: Proxy, headers: Headers, *, wait: bool = True, says: str = "", uid: int | None = None
    ) -> None:
        self.socket = secure(tunnel(proxy, CHATGPT, says=says, uid=uid), proxy.trust(), CHATGPT)
        self.wire = WSConnection(ConnectionType.CLIENT)
        self.pending: list[Any] = []
        self.closed_with: int | None = None
        """The code of the proxy's close frame, once it has come."""
        self.upgrade = Got()
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        self._send(Request(host=CHATGPT, target=RESPONSES, extra_headers=extra, extensions=[PerMessageDeflate()]))
        if wait:
            self._read_upgrade()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def create(self, **body: Any) -> None:
        """Ask for a response."""
        self._send(TextMessage(data=json.dumps({"type": "response.create", **json.loads(ASK), **body})))

    def turn(self, **body: Any) -> Got:
        """Ask, and read to the last message of the answer or to the end of the socket."""
        self.create(**body)
        seen = Got(101)
        for message in self.messages():
            seen.messages.append(message)
            if message["type"] in LAST:
                seen.ended = True
                return seen
        seen.cut = True
        return seen

    def messages(self) -> Iterator[Event]:
        """Messages as they come, up to the end of the socket."""
        text = ""
        while (event := self._next()) is not None:
            if isinstance(event, CloseConnection):
                self.closed_with = int(event.code)
                with contextlib.suppress(OSError):  # who has closed may be gone already
                    self._send(event.response())
                return
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    yield dict(json.loads(text))
                    text = ""

    def ending(self) -> int | None:
        """Read to the end of the socket and of its connection: the code it was closed with, None when it was cut."""
        assert list(self.messages()) == [], "more was said"
        if self.closed_with is not None:
            assert self._next() is None
        return self.closed_with

    def _read_upgrade(self) -> None:
        first = self._next()
        match first:
            case AcceptConnection():
                self.upgrade.status = 101
                self.upgrade.headers = {name.decode(): value.decode() for name, value in first.extra_headers}
            case RejectConnection():
                self.upgrade.status = first.status_code
                self.upgrade.headers = {name.decode(): value.decode() for name, value in first.headers}
                while isinstance(data := self._next(), RejectData):
                    self.upgrade.body += data.data
                    if data.body_finished:
                        break
            case _:
                self.upgrade.cut = True

    def _send(self, event: Any) -> None:
        self.socket.sendall(self.wire.send(event))

    def _next(self) -> Any:
        while not self.pending:
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError):
                return None
            if not data:
                return None
            self.wire.receive_data(data)
            self.pending += self.wire.events()
        return self.pending.pop(0)


def turn_over(version: str, proxy: Proxy, headers: Headers) -> Got:
    """One turn over "h1", "h2" or "ws", by a client of its own."""
    if version == "ws":
        return turn_ws(proxy, headers)
    if version == "h1":
        with http1(proxy) as client:
            return turn1(client, headers)
    with Http2(proxy) as client:
        return client.turn(headers)


def turn_ws(proxy: Proxy, headers: Headers, *, says: str = "") -> Got:
    """One turn as the official client takes it: told to reconnect, or cut before any output, it does so."""
    for _ in range(3):
        with Socket(proxy, headers, says=says) as client:
            if client.upgrade.status != 101:
                return client.upgrade
            seen = client.turn()
        asked_to = seen.ended and seen.messages[-1].get("error", {}).get("code") == RECONNECT
        if not asked_to and not (seen.cut and not seen.text):
            return seen
    return seen
