"""A WebSocket whose client stays while the socket upstream becomes another one.

mitmproxy's own layer relays between two sockets that live and die together. This one does the same with one more way: a
step of the exchange (protocol.py) opens another socket upstream, through the same hooks as every connection, and lets
the first one go. The client's socket, its flow and its messages go on. Nothing is decided here.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import wsproto.events
import wsproto.extensions
import wsproto.utilities
from mitmproxy import http, websocket
from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers import websocket as w
from wsproto import ConnectionType
from wsproto.connection import ConnectionState
from wsproto.frame_protocol import CloseReason, Opcode

from addons.attempts import unverified
from addons.attempts.attempt import AttemptPhase
from addons.attempts.connections import GetAccountConnection, forget_closed
from addons.attempts.driver import ExchangeDriver
from addons.attempts.echoes import EchoFilter
from addons.attempts.patches.dialing import CONNECT_SECONDS
from addons.attempts.protocol import (
    Loss,
    Put,
    Say,
    Send,
    Signal,
    SocketExchange,
    SocketStep,
    UpstreamDecisionHook,
)
from addons.attempts.timers import AttemptWakeup
from addons.wire import answers
from config import clock

_DEFLATE: Final = wsproto.extensions.PerMessageDeflate.name


def extensions_of(response: http.Response) -> list[wsproto.extensions.Extension]:
    """What both ends have agreed on, as far as mitmproxy does: compression."""
    said = response.headers.get("sec-websocket-extensions", "").encode("ascii", "replace")
    agreed: list[wsproto.extensions.Extension] = []
    for each in wsproto.utilities.split_comma_header(said) if said else []:
        if each.split(";", 1)[0].strip() == _DEFLATE:
            deflate = wsproto.extensions.PerMessageDeflate()
            deflate.finalize(each)
            agreed.append(deflate)
    return agreed


class RotatingWebsocket(w.WebsocketLayer):
    """Relays, and follows what the exchange says."""

    def __init__(self, driver: ExchangeDriver, socket: SocketExchange) -> None:
        super().__init__(driver.stream.context, driver.stream.flow)
        self.driver = driver
        self.socket = socket
        self.opening: http.Response | None = None
        """The head of the answer to an upgrade that is under way."""
        self.is_open = True
        """Whether there is a socket upstream."""

    def let_go(self) -> None:
        """It is over, and must not be kept by us."""
        del self.driver, self.socket, self.flow

    def relay_messages(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, h.ResponseHeaders):
            self.opening = event.response
            yield from self._follow(self._ask(lambda: self.socket.head(event.response)))
        elif isinstance(event, h.ResponseProtocolError):
            yield from self._follow(self._ask(lambda: self.socket.lost(Loss.BROKEN, event.message)))
        elif isinstance(event, events.Wakeup):
            yield from self._woken(event)
        elif isinstance(event, w.WebSocketMessageInjected):
            side = self.client_ws if event.message.from_client else self.server_ws
            fragments = w.Fragmentizer([], event.message.type == Opcode.TEXT)
            side._events.extend(fragments(event.message.content))  # noqa: SLF001 - as mitmproxy does
            yield from self._read(side, injected=True)
        elif isinstance(event, events.ConnectionEvent):
            yield from self._heard(event)

    # What comes

    def _heard(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        if event.connection is self.context.client:
            side = self.client_ws
        elif self.is_open:
            side = self.server_ws
        else:
            yield from self._heard_of_upgrade(event)
            return
        if side.state is ConnectionState.CLOSED:
            return
        side.receive_data(event.data if isinstance(event, events.DataReceived) else None)
        yield from self._read(side)

    def _heard_of_upgrade(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        """The answer to an upgrade, as the stream tells it: its body, then its end."""
        if event.connection is not self.context.server or self.driver.attempt.phase is not AttemptPhase.HELD:
            return
        if isinstance(event, events.DataReceived):
            data = event.data
            yield from self._follow(self._ask(lambda: self.socket.body(data)))
        elif self.opening is not None and self.opening.status_code == 101:
            self._opened(self.opening)
            yield from self._follow(self._ask(self.socket.opened))
        else:
            self.driver.attempt.connection = None
            yield from self._follow(self._ask(self.socket.end))

    def _opened(self, response: http.Response) -> None:
        attempt = self.driver.attempt
        attempt.phase, attempt.connection, self.opening = AttemptPhase.DELIVERED, None, None
        self.server_ws = w.WebsocketConnection(ConnectionType.CLIENT, extensions_of(response), conn=self.context.server)
        self.is_open = True

    def _read(self, side: w.WebsocketConnection, *, injected: bool = False) -> layer.CommandGenerator[None]:
        for said in side.events():
            if side is not self.client_ws and not (side is self.server_ws and self.is_open):
                return  # it was left meanwhile
            if isinstance(said, wsproto.events.Message):
                yield from self._message(side, said, injected=injected)
            elif isinstance(said, wsproto.events.Ping | wsproto.events.Pong):
                yield from self._ping(side, said)
            elif isinstance(said, wsproto.events.CloseConnection):
                yield from self._closing(side, said)

    def _message(
        self, side: w.WebsocketConnection, said: wsproto.events.Message[Any], *, injected: bool
    ) -> layer.CommandGenerator[None]:
        text = isinstance(said.data, str)
        side.frame_buf[-1] += said.data.encode() if isinstance(said.data, str) else bytes(said.data)
        if not said.message_finished:
            if said.frame_finished:
                side.frame_buf.append(b"")
            return
        content, frames, side.frame_buf = b"".join(side.frame_buf), side.frame_buf, [b""]
        from_client = side is self.client_ws
        message = websocket.WebSocketMessage(
            Opcode.TEXT if text else Opcode.BINARY, from_client, content, injected=injected
        )
        yield from self._show(message)
        step = None if injected else self.socket.take()
        if step is None:
            if not message.dropped:
                fragments = w.Fragmentizer(frames, text)(message.content)
                yield from self._send(self.server_ws if from_client else self.client_ws, fragments)
        else:
            yield from self._follow(step)
        if from_client:
            yield from self._schedule()

    def _ping(
        self, side: w.WebsocketConnection, said: wsproto.events.Ping | wsproto.events.Pong
    ) -> layer.CommandGenerator[None]:
        side_name, kind = ("client" if side is self.client_ws else "server"), type(said).__name__.lower()
        yield commands.Log(f"Received WebSocket {kind} from {side_name} (payload: {bytes(said.payload)!r})")
        other = self.server_ws if side is self.client_ws else self.client_ws
        if other is not self.server_ws or self.is_open:
            yield other.send2(said)
        elif isinstance(said, wsproto.events.Ping):
            yield side.send2(said.response())

    def _closing(
        self, side: w.WebsocketConnection, said: wsproto.events.CloseConnection
    ) -> layer.CommandGenerator[None]:
        step: SocketStep | None = None
        if side is self.server_ws:
            step = self._ask(lambda: self.socket.closed_upstream(said.code))
        if step is not None:
            yield from self._leave(said)
            yield from self._follow(step)
            return
        assert self.flow.websocket is not None
        told = self.flow.websocket
        told.timestamp_end, told.closed_by_client = clock.now(), side is self.client_ws
        told.close_code, told.close_reason = said.code, said.reason
        for each in (self.server_ws, self.client_ws):
            if each is self.server_ws and not self.is_open:
                yield from self.driver.attempt.abandon()
                continue
            if each.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
                yield each.send2(said)
            yield commands.CloseConnection(each.conn)
        yield w.WebsocketEndHook(self.flow)
        self.flow.live = False
        self._handle_event = self.done

    # What is done

    def _ask[T](self, question: Callable[[], T]) -> T | Say:
        """Fail closed: what could not be judged ends the turn with an error of ours."""
        try:
            return question()
        except Exception as e:  # noqa: BLE001 - the border: whatever goes wrong, nothing leaves
            answers.log_defect("a turn was given up", e)
            return Say(answers.in_band_defect())

    def _follow(self, step: SocketStep) -> layer.CommandGenerator[None]:
        while step is not Signal.WAIT:
            if step is Signal.AWAIT:
                yield UpstreamDecisionHook(self.socket)
                if (yield from self._caught_up()):
                    return
                step = self._ask(self.socket.decided)
            elif isinstance(step, Send):
                step = yield from self._open(step)
            elif isinstance(step, Put):
                yield from self._send(self.server_ws, w.Fragmentizer([], True)(step.content))
                step = Signal.WAIT
            else:
                assert isinstance(step, Say)
                yield from self._say(step.content)
                return
        yield from self._schedule()

    def _caught_up(self) -> layer.CommandGenerator[bool]:
        """Hear what has come while something was awaited: it is older than what is decided now. Whether all is over."""
        if self.is_open:
            yield from self._read(self.server_ws)
        while self._paused_event_queue and self.flow.live:
            yield from self.relay_messages(self._paused_event_queue.popleft())
        return not self.flow.live

    def _say(self, content: bytes) -> layer.CommandGenerator[None]:
        message = websocket.WebSocketMessage(Opcode.TEXT, False, content, injected=True)
        yield from self._show(message)
        if not message.dropped:
            yield from self._send(self.client_ws, w.Fragmentizer([], True)(message.content))

    def _show(self, message: websocket.WebSocketMessage) -> layer.CommandGenerator[None]:
        assert self.flow.websocket is not None
        self.flow.websocket.messages.append(message)
        yield w.WebsocketMessageHook(self.flow)

    def _send(
        self, side: w.WebsocketConnection, fragments: Iterable[wsproto.events.Message[Any]]
    ) -> layer.CommandGenerator[None]:
        if side.state is ConnectionState.OPEN and (side is self.client_ws or self.is_open):
            for each in fragments:
                yield side.send2(each)

    def _leave(self, farewell: wsproto.events.CloseConnection) -> layer.CommandGenerator[None]:
        """Let go of the socket upstream, or of the upgrade under way."""
        attempt, connection = self.driver.attempt, self.context.server
        if self.is_open:
            if self.server_ws.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
                yield h.SendHttp(h.RequestData(attempt.wire_id, self.server_ws.send(farewell)), connection)
            attempt.connection = connection if isinstance(connection, Server) else None
        self.is_open, self.opening = False, None
        yield from attempt.abandon()

    def _open(self, step: Send) -> layer.CommandGenerator[SocketStep]:
        """Ask for another socket. WAIT for the answer, or what follows from there being no connection."""
        yield from self._leave(wsproto.events.CloseConnection(CloseReason.NORMAL_CLOSURE))
        driver, stream = self.driver, self.driver.stream
        driver.attempt = attempt = driver.attempt.successor()
        attempt.echoes = EchoFilter.of(step)
        forget_closed(stream.http_layer)
        wanted = GetAccountConnection.for_attempt(step, stream.flow.server_conn, stream.http_layer)
        yield from wanted.hurried(CONNECT_SECONDS)
        connection, error = yield wanted
        if connection is None:
            loss = GetAccountConnection.loss(str(error), through=bool(stream.flow.server_conn.via))
            told = wanted.explained(str(error))
            return self._ask(lambda: self.socket.lost(loss, told))
        refusal = unverified.refusal(step, connection, self.context.options)
        if refusal is not None:
            return self._ask(lambda: self.socket.forbidden(refusal.response))
        wanted.took(connection, step.request)
        stream.context.server = stream.flow.server_conn = connection
        if attempt.wire_id != stream.stream_id:
            stream.http_layer.streams[attempt.wire_id] = stream
        yield from attempt.send(step.request, connection, complete=True)
        return Signal.WAIT

    # Silence

    def _schedule(self) -> layer.CommandGenerator[None]:
        seconds = self.socket.patience()
        if seconds > 0:
            self.driver.attempt.timer = AttemptWakeup(seconds, self.driver.stream)
            yield from self.driver.timers.schedule(self.driver.attempt.timer)

    def _woken(self, event: events.Wakeup) -> layer.CommandGenerator[None]:
        if event.command is self.driver.attempt.timer:
            yield from self._follow(self._ask(self.socket.overdue))
