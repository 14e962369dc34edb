"""A WebSocket whose client stays while the socket upstream becomes another one.

mitmproxy's own layer relays between two sockets that live and die together. This one does the same with one more way: a
step of the exchange (protocol.py) opens another socket upstream, through the same hooks as every connection, and lets
the first one go. The client's socket, its flow and its messages go on. Nothing is decided here.
"""

from collections.abc import Iterable
from typing import Any

import wsproto.events
import wsproto.extensions
import wsproto.utilities
from mitmproxy import websocket
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers import websocket as w
from wsproto.connection import ConnectionState
from wsproto.frame_protocol import Opcode

from addons.attempts.client_connections import UnwantedUpstream
from addons.attempts.driver import ExchangeDriver
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
from addons.attempts.upstream_socket import UpstreamSocket, ask
from config import clock


class RotatingWebsocket(w.WebsocketLayer):
    """Relays, and follows what the exchange says."""

    def __init__(self, driver: ExchangeDriver, socket: SocketExchange) -> None:
        super().__init__(driver.stream.context, driver.stream.flow)
        self.driver = driver
        self.socket = socket
        self.upstream = UpstreamSocket(driver, socket)

    def let_go(self) -> None:
        """It is over, and must not be kept by us."""
        del self.driver, self.socket, self.upstream, self.flow

    def relay_messages(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, h.ResponseHeaders):
            yield from self._follow(self.upstream.head(event.response))
        elif isinstance(event, h.ResponseProtocolError):
            yield from self._follow(ask(lambda: self.socket.lost(Loss.BROKEN, event.message)))
        elif isinstance(event, events.Wakeup):
            yield from self._woken(event)
        elif isinstance(event, UnwantedUpstream):
            if self.upstream.is_open:
                yield from self._follow(ask(self.socket.unwanted))
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
        elif self.upstream.is_open:
            side = self.server_ws
        else:
            yield from self._heard_of_upgrade(event)
            return
        if side.state is ConnectionState.CLOSED:
            return
        side.receive_data(event.data if isinstance(event, events.DataReceived) else None)
        yield from self._read(side)

    def _heard_of_upgrade(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        found = self.upstream.heard(event)
        if isinstance(found, w.WebsocketConnection):
            self.server_ws = found
            found = ask(self.socket.opened)
        yield from self._follow(found)

    def _read(self, side: w.WebsocketConnection, *, injected: bool = False) -> layer.CommandGenerator[None]:
        for said in side.events():
            if side is not self.client_ws and not (side is self.server_ws and self.upstream.is_open):
                return  # it was left meanwhile
            if isinstance(said, wsproto.events.Message):
                yield from self._message(side, said, injected=injected)
                continue
            other = said if side is self.client_ws else self.upstream.harmless(said)
            if isinstance(other, wsproto.events.Ping | wsproto.events.Pong):
                yield from self._ping(side, other)
            elif isinstance(other, wsproto.events.CloseConnection):
                yield from self._closing(side, other)

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
        if not from_client and not injected:
            content = self.upstream.without_token(content)
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
        if other is not self.server_ws or self.upstream.is_open:
            yield other.send2(said)
        elif isinstance(said, wsproto.events.Ping):
            yield side.send2(said.response())

    def _closing(
        self, side: w.WebsocketConnection, said: wsproto.events.CloseConnection
    ) -> layer.CommandGenerator[None]:
        step: SocketStep | None = None
        if side is self.server_ws:
            step = ask(lambda: self.socket.closed_upstream(said.code))
        if step is not None:
            yield from self.upstream.leave(self.server_ws, said)
            yield from self._follow(step)
            return
        assert self.flow.websocket is not None
        told = self.flow.websocket
        told.timestamp_end, told.closed_by_client = clock.now(), side is self.client_ws
        told.close_code, told.close_reason = said.code, said.reason
        for each in (self.server_ws, self.client_ws):
            if each is self.server_ws and not self.upstream.is_open:
                yield from self.driver.attempt.abandon()
                continue
            if each.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
                yield each.send2(said)
            yield commands.CloseConnection(each.conn)
        yield w.WebsocketEndHook(self.flow)
        self.flow.live = False
        self._handle_event = self.done

    # What is done

    def _follow(self, step: SocketStep) -> layer.CommandGenerator[None]:
        while step is not Signal.WAIT:
            if step is Signal.AWAIT:
                yield UpstreamDecisionHook(self.socket)
                if (yield from self._caught_up()):
                    return
                step = ask(self.socket.decided)
            elif isinstance(step, Send):
                step = yield from self.upstream.open(self.server_ws, step)
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
        if self.upstream.is_open:
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
        if side.state is ConnectionState.OPEN and (side is self.client_ws or self.upstream.is_open):
            for each in fragments:
                yield side.send2(each)

    # Silence

    def _schedule(self) -> layer.CommandGenerator[None]:
        seconds = self.socket.patience()
        if seconds > 0:
            yield from self.driver.attempt.wake_after(seconds, self.driver.stream, self.driver.timers)

    def _woken(self, event: events.Wakeup) -> layer.CommandGenerator[None]:
        if event.command is self.driver.attempt.timer:
            yield from self._follow(ask(self.socket.overdue))
