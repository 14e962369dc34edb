"""A WebSocket that we accept ourselves, with nobody behind it: for telling a client why it is not served.

A refused upgrade loses its body on the way through a proxy; inside a socket the client reads what it is told
(docs/codex-wire.md section 1.2). `stream.py` puts this layer where mitmproxy's own WebSocket layer would be; that one
relays between two sides, this one has only the client's. Flow, messages and hooks are the same. Every socket ends: when
the client has its answer, when it leaves, or after a while.
"""

from collections.abc import Sequence
from typing import Any, Final

from mitmproxy import http
from mitmproxy.hooks import all_hooks
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto import ConnectionType
from wsproto.connection import Connection, ConnectionState
from wsproto.events import CloseConnection, Message, Ping, TextMessage
from wsproto.frame_protocol import CloseReason, Opcode
from wsproto.handshake import WEBSOCKET_VERSION
from wsproto.utilities import generate_accept_token

from addons.attempts.protocol import Talk
from addons.wire import answers
from config import clock

MOST_SECONDS: Final = 60.0
"""So long such a socket stays open, whatever happens on it. The client opens another one when it needs one."""
FAREWELL_SECONDS: Final = 5.0
"""So long the client has to end the connection after we have closed the socket: cutting it could cost it our last
words."""
MOST_BYTES: Final = 64 << 20
"""A message larger than this is not listened to."""


def accepting(request: http.Request) -> http.Response:
    """101 for an upgrade, without extensions; 426 for what cannot become a WebSocket."""
    key: str = request.headers.get("sec-websocket-key", "")
    version: str = request.headers.get("sec-websocket-version", "")
    if not (key.isascii() and key and version == WEBSOCKET_VERSION.decode() and request.http_version == "HTTP/1.1"):
        return answers.upgrade_refused()
    token = generate_accept_token(key.encode())
    headers = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": token.decode()}
    response = http.Response.make(101, b"", headers)
    del response.headers["content-length"]
    return response


class LocalSocket(layer.Layer):
    """Listens to the client, passes what it says to `talk`, and closes when that has answered."""

    def __init__(self, context: Context, flow: http.HTTPFlow, talk: Talk) -> None:
        super().__init__(context)
        self.flow = flow
        self.talk = talk
        self.data = flow.websocket = flow.websocket or WebSocketData()
        self.wire = Connection(ConnectionType.SERVER)
        self.heard = bytearray()
        self.farewell: CloseConnection | None = None
        """How we have closed the socket, once we have."""
        self.timer: commands.RequestWakeup | None = None
        self.over = False

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if self.over:
            return
        if isinstance(event, events.Start):
            yield self._hook("websocket_start")
            yield self._schedule(MOST_SECONDS)
        elif isinstance(event, events.DataReceived):
            self.wire.receive_data(event.data)
            yield from self._listen()
        elif isinstance(event, events.ConnectionClosed):
            self.wire.receive_data(None)
            yield from self._listen()
        elif isinstance(event, events.Wakeup) and event.command is self.timer:
            if self.farewell is None:
                yield from self._close(CloseReason.GOING_AWAY)
            else:
                yield from self._end(self.farewell, by_client=False)

    def _listen(self) -> layer.CommandGenerator[None]:
        for event in self.wire.events():
            if isinstance(event, CloseConnection):
                yield from self._end(self.farewell or event, by_client=self.farewell is None)
                return
            if self.farewell is not None:
                continue
            if isinstance(event, Ping):
                yield self._send(event.response())
            elif isinstance(event, Message):
                text = isinstance(event, TextMessage)
                self.heard += event.data.encode() if isinstance(event, TextMessage) else event.data
                if len(self.heard) > MOST_BYTES:
                    yield from self._close(CloseReason.MESSAGE_TOO_BIG)
                elif event.message_finished:
                    content, self.heard = bytes(self.heard), bytearray()
                    yield from self._answer(WebSocketMessage(Opcode.TEXT if text else Opcode.BINARY, True, content))

    def _answer(self, heard: WebSocketMessage) -> layer.CommandGenerator[None]:
        yield from self._show(heard)
        said = () if heard.dropped else self._ask(heard.content)
        for content in said:
            message = WebSocketMessage(Opcode.TEXT, False, content)
            yield from self._show(message)
            if not message.dropped:
                yield self._send(TextMessage(data=message.content.decode(errors="replace")))
        if said:
            yield from self._close(CloseReason.NORMAL_CLOSURE)

    def _ask(self, content: bytes) -> Sequence[bytes]:
        """Fail closed: a message we could not judge ends the turn with an error of ours."""
        try:
            return self.talk(content)
        except Exception as e:  # noqa: BLE001 - the border: a defect of ours must not leave the client waiting
            answers.log_defect("a message was refused", e)
            return (answers.in_band_defect(),)

    def _close(self, code: CloseReason) -> layer.CommandGenerator[None]:
        """Say goodbye and wait for the client to do so too."""
        self.farewell = CloseConnection(code=code)
        yield self._send(self.farewell)
        yield self._schedule(FAREWELL_SECONDS)

    def _end(self, how: CloseConnection, *, by_client: bool) -> layer.CommandGenerator[None]:
        self.over = True
        if self.wire.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
            yield self._send(how)
        yield commands.CloseConnection(self.context.client)
        self.data.timestamp_end = clock.now()
        self.data.closed_by_client = by_client
        self.data.close_code = how.code
        self.data.close_reason = how.reason
        yield self._hook("websocket_end")
        self.flow.live = False

    def _show(self, message: WebSocketMessage) -> layer.CommandGenerator[None]:
        self.data.messages.append(message)
        yield self._hook("websocket_message")

    def _hook(self, name: str) -> commands.Command:
        made: Any = all_hooks[name]
        command: commands.Command = made(self.flow)
        return command

    def _send(self, event: Any) -> commands.SendData:
        return commands.SendData(self.context.client, self.wire.send(event))

    def _schedule(self, seconds: float) -> commands.RequestWakeup:
        self.timer = commands.RequestWakeup(seconds)
        return self.timer
