"""The socket behind a client's WebSocket: the upgrade for it, and its end. Another one may take its place."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import wsproto.events
import wsproto.extensions
import wsproto.utilities
from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers import websocket as w
from wsproto import ConnectionType
from wsproto.connection import ConnectionState
from wsproto.frame_protocol import CloseReason

from addons.attempts.attempt import AttemptPhase
from addons.attempts.connecting import NoConnection, connect
from addons.attempts.driver import ExchangeDriver
from addons.attempts.protocol import Answer, Say, Send, Signal, SocketExchange, SocketStep
from addons.wire import answers

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


def ask[T](question: Callable[[], T]) -> T | Say:
    """Fail closed: what could not be judged ends the turn with an error of ours."""
    try:
        return question()
    except Exception as e:  # noqa: BLE001 - the border: whatever goes wrong, nothing leaves
        answers.log_defect("a turn was given up", e)
        return Say(answers.in_band_defect())


class UpstreamSocket:
    """Of the account that serves the client now."""

    def __init__(self, driver: ExchangeDriver, socket: SocketExchange) -> None:
        self.driver = driver
        self.socket = socket
        self.opening: http.Response | None = None
        """The head of the answer to an upgrade that is under way."""
        self.is_open = True

    def head(self, response: http.Response) -> SocketStep:
        """The answer to the upgrade begins."""
        self.opening = response
        return ask(lambda: self.socket.head(response))

    def heard(self, event: events.ConnectionEvent) -> SocketStep | w.WebsocketConnection:
        """It goes on, as the stream tells it: its body, then its end. The connection once that is a socket."""
        attempt, server = self.driver.attempt, self.driver.stream.context.server
        if event.connection is not server or attempt.phase is not AttemptPhase.HELD:
            return Signal.WAIT
        if isinstance(event, events.DataReceived):
            data = event.data
            return ask(lambda: self.socket.body(data))
        attempt.connection, response, self.opening = None, self.opening, None
        if response is None or response.status_code != 101:
            return ask(self.socket.end)
        attempt.phase, self.is_open = AttemptPhase.DELIVERED, True
        return w.WebsocketConnection(ConnectionType.CLIENT, extensions_of(response), conn=server)

    def without_token(self, content: bytes) -> bytes:
        """A message that has come from it, without the token that it was opened with."""
        echoes = self.driver.attempt.echoes
        return content if echoes is None else echoes.replaced(content)

    def harmless(self, said: wsproto.events.Event) -> wsproto.events.Event:
        """The same of what comes between messages: its frames are short, but so may a token be."""
        if isinstance(said, wsproto.events.Ping | wsproto.events.Pong):
            return replace(said, payload=self.without_token(bytes(said.payload)))
        if isinstance(said, wsproto.events.CloseConnection) and said.reason:
            return replace(said, reason=self.without_token(said.reason.encode()).decode())
        return said

    def leave(
        self, side: w.WebsocketConnection, farewell: wsproto.events.CloseConnection
    ) -> layer.CommandGenerator[None]:
        """Let go of it, or of the upgrade under way. `side` is our end of it."""
        attempt, connection = self.driver.attempt, self.driver.stream.context.server
        if self.is_open:
            if side.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
                yield h.SendHttp(h.RequestData(attempt.wire_id, side.send(farewell)), connection)
            attempt.connection = connection
        self.is_open, self.opening = False, None
        yield from attempt.abandon()

    def open(self, side: w.WebsocketConnection, step: Send) -> layer.CommandGenerator[SocketStep]:
        """Ask for another one. WAIT for the answer, or what follows from there being no connection."""
        yield from self.leave(side, wsproto.events.CloseConnection(CloseReason.NORMAL_CLOSURE))
        driver = self.driver
        driver.attempt = attempt = driver.attempt.successor()
        connection = yield from connect(driver.stream, attempt, step, driver.timers, 0)
        if isinstance(connection, NoConnection):
            lost = connection
            return ask(lambda: self.socket.lost(lost.loss, lost.message))
        if isinstance(connection, Answer):
            response = connection.response
            return ask(lambda: self.socket.forbidden(response))
        assert isinstance(connection, Server)
        yield from attempt.send(step.request, connection, complete=True)
        return Signal.WAIT
