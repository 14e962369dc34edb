"""Tries the attempt machinery on this mitmproxy before any request meets it: by hand, without a socket, in a few ms.

`stream.py` and its neighbours lean on mitmproxy's internals. If a release moves one, the proxy must not start and find
out later with somebody's tokens. `Rehearsal` is also what their tests are written with.
"""

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, Final

from h2.connection import H2Connection
from hyperframe.frame import DataFrame, Frame, GoAwayFrame
from mitmproxy import http, version
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, Connection, ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import NextLayerHook
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.proxy.mode_specs import UpstreamMode
from mitmproxy.proxy.server import ConnectionHandler, ConnectionIO
from wsproto import ConnectionType
from wsproto.connection import Connection as Wire
from wsproto.events import TextMessage

from addons.attempts import client_connections, connections, stream
from addons.attempts.client_connections import UnwantedUpstream
from addons.attempts.local_websocket import accepting
from addons.attempts.patches.put_in_place import put_in_place
from addons.attempts.protocol import (
    Accept,
    Answer,
    Exchange,
    Loss,
    Put,
    Say,
    Send,
    Signal,
    SocketExchange,
    SocketStep,
    Step,
)
from addons.attempts.timers import SharedWakeup
from config.errors import RotateError
from config.network.outbound import OutboundRoute
from config.network.proxy_address import ProxyAddress

KNOWN: Final = "12.2.0 to 12.3.1"
US: Final = ProxyAddress(scheme="http", host="proxy.test", port=3128, username="us")
WAY: Final = OutboundRoute(proxy=US, named_by="upstream_proxy")


class Incompatible(RotateError):
    """This mitmproxy does not behave as attempts need."""

    def __init__(self, trouble: str) -> None:
        super().__init__(
            f"upstream attempts do not work with mitmproxy {version.VERSION} ({trouble}; addons/attempts/stream.py). "
            f"Known to work: {KNOWN}. Install one of those."
        )


class Rehearsal:
    """One HTTP layer with a client and upstream servers that are only values. Hooks complete at once.

    `refuse` holds the numbers of upstream connections (from 0) that fail to open; `alpn` is what further ones agree on.
    With `through` the client's layer is the one of an explicit proxy, led through another proxy.
    """

    client_alpn: bytes | None = None

    def __init__(
        self,
        options: Options,
        exchange: Exchange | None,
        refuse: frozenset[int] = frozenset(),
        through: UpstreamMode | None = None,
    ) -> None:
        self.client = Client(
            peername=("client", 1), sockname=("proxy", 2), timestamp_start=0, state=ConnectionState.OPEN
        )
        self.client.alpn = self.client_alpn
        context = Context(self.client, options)
        if through is None:
            context.server.address = ("upstream.test", 80)
        self.refuse = refuse
        self.alpn: bytes | None = None
        self.servers: list[Server] = []
        self.sent: defaultdict[Connection, bytes] = defaultdict(bytes)
        self.hooks: list[str] = []
        self.wakeups: list[commands.RequestWakeup] = []
        self.flow: http.HTTPFlow | None = None
        """Of the WebSocket, once there is one."""
        self.exchange = exchange
        self.layer = self._new_layer(context, HTTPMode.transparent if through is None else HTTPMode.regular)
        if through is not None:
            connections.lead_through(self.layer, self.client, through, WAY)
        self.feed(events.Start())

    def _new_layer(self, context: Context, mode: HTTPMode) -> HttpLayer:
        put_in_place()
        made = HttpLayer(context, mode)
        stream.install(made, lambda _: self.exchange)
        return made

    def feed(self, event: events.Event) -> None:
        """Let an event happen, and everything that follows from it."""
        queue = deque([event])
        while queue:
            for command in self.layer.handle_event(queue.popleft()):
                queue.extend(self._obey(command))

    def says(self, connection: Connection, data: bytes) -> None:
        self.feed(events.DataReceived(connection, data))

    def leaves(self, connection: Connection) -> None:
        connection.state = ConnectionState.CLOSED
        self.feed(events.ConnectionClosed(connection))

    def wake(self) -> None:
        """The newest timer fires."""
        self.feed(events.Wakeup(self.wakeups[-1]))

    def _obey(self, command: commands.Command) -> list[events.Event]:
        if isinstance(command, commands.OpenConnection):
            error = "refused" if len(self.servers) in self.refuse else None
            self.servers.append(command.connection)
            command.connection.error = error
            command.connection.alpn = self.alpn
            command.connection.state = ConnectionState.CLOSED if error else ConnectionState.OPEN
            return [events.OpenConnectionCompleted(command, error), *([] if error else self._in_time())]
        if isinstance(command, NextLayerHook):
            command.data.layer = self._new_layer(command.data.context, HTTPMode.transparent)
        if isinstance(command, commands.StartHook):
            self.hooks.append(command.name)
            if command.name == "websocket_start":
                self.flow = command.args()[0]
            return [events.HookCompleted(command)] if command.blocking else []
        if isinstance(command, commands.SendData):
            self.sent[command.connection] += command.data
        elif isinstance(command, commands.CloseConnection):
            was_open = command.connection.state is not ConnectionState.CLOSED
            command.connection.state = ConnectionState.CLOSED
            return [events.ConnectionClosed(command.connection)] if was_open else []
        elif isinstance(command, commands.RequestWakeup):
            self.wakeups.append(command)
        return []

    def _in_time(self) -> list[events.Event]:
        """The time is over for a connection that has come about: the timer goes on for whoever else waits by it."""
        ours = [each for each in self.wakeups[-1:] if isinstance(each, SharedWakeup)]
        direct = self.layer.mode is HTTPMode.transparent
        return [events.Wakeup(each) for each in ours if direct and each in self.layer.command_sources]


class Http2Rehearsal(Rehearsal):
    """The same with a client that speaks HTTP/2."""

    client_alpn = b"h2"


class Script:
    """An exchange that asks one account after another until one answers below 400."""

    def __init__(self, *keys: str) -> None:
        self.keys = deque(keys)
        self.history: list[str] = []
        self.replayable = True

    def streaming(self) -> None:
        self.replayable = False

    def start(self) -> Step:
        if not self.keys:
            return Answer(http.Response.make(503, b"nobody left"))
        key = self.keys.popleft()
        headers = http.Headers(host="upstream.test", authorization=f"Bearer {key}")
        if not self.replayable:
            headers["transfer-encoding"] = "chunked"
        body = b"body" if self.replayable else b""
        request = http.Request.make("POST", "http://upstream.test/", body, headers)
        return Send(request, key=key)

    def head(self, response: http.Response) -> Step:
        self.history.append(f"head {response.status_code}")
        return Signal.DELIVER if response.status_code < 400 else Signal.WAIT

    def body(self, data: bytes) -> Step:
        return Signal.WAIT

    def end(self) -> Step:
        return self.start()

    def lost(self, loss: Loss, message: str) -> Step:
        self.history.append(f"lost {loss.name}")
        return self.start()

    def patience(self) -> float:
        return 30.0

    def overdue(self) -> Step:
        return self.lost(Loss.BROKEN, "overdue")

    def delivering(self, response: http.Response) -> None:
        self.history.append("delivering")

    def reveal(self, response: http.Response) -> http.Response:
        return response

    def reveal_data(self, data: bytes) -> bytes:
        return data

    def finished(self) -> None:
        self.history.append("finished")

    def upgraded(self) -> SocketExchange | None:
        return None

    def passed(self) -> Step:
        return Signal.WAIT

    def stopped(self, message: str) -> Step:
        return Signal.WAIT

    def gone(self) -> None:
        self.history.append("gone")

    def broke(self, message: str) -> None:
        self.history.append("broke")

    async def decide(self) -> None: ...

    def decided(self) -> Step:
        return self.start()


class Hearing(Script):
    """An exchange that accepts an upgrade by itself, and notes what it is told there."""

    def start(self) -> Step:
        request = http.Request.make("GET", "http://upstream.test/", b"", http.Headers(UPGRADE_HEADERS))
        return Accept(accepting(request), self.talk)

    def talk(self, message: bytes) -> tuple[bytes, ...]:
        self.history.append(message.decode())
        return (b"told",)


class Rotating(Script):
    """An exchange whose socket leaves its first account at its first message."""

    def upgraded(self) -> SocketExchange | None:
        return OnceOnAnother()


class OnceOnAnother:
    """Has another socket opened, and the message sent there."""

    def __init__(self) -> None:
        self.waiting: list[Send] = [upgrade_with("second")]

    def take(self) -> SocketStep | None:
        return self.waiting.pop() if self.waiting else None

    def head(self, response: http.Response) -> SocketStep:
        return Signal.WAIT

    def body(self, data: bytes) -> SocketStep:
        return Signal.WAIT

    def end(self) -> SocketStep:
        return Say(b"refused")

    def lost(self, loss: Loss, message: str) -> SocketStep:
        return Say(b"lost")

    def forbidden(self, response: http.Response) -> SocketStep:
        return Say(b"forbidden")

    def opened(self) -> SocketStep:
        return Put(b"asked")

    def unwanted(self) -> SocketStep:
        return upgrade_with("third")

    def closed_upstream(self, code: int) -> SocketStep | None:
        return None

    def patience(self) -> float:
        return 0

    def overdue(self) -> SocketStep:
        return Signal.WAIT

    async def decide(self) -> None: ...

    def decided(self) -> SocketStep:
        return Signal.WAIT


def upgrade_with(key: str) -> Send:
    headers = http.Headers((*UPGRADE_HEADERS, (b"Authorization", b"Bearer " + key.encode())))
    return Send(http.Request.make("GET", "http://upstream.test/", b"", headers), key=key)


UPGRADE_HEADERS: Final = (
    (b"Host", b"upstream.test"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Version", b"13"),
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
)
UPGRADE: Final = b"GET / HTTP/1.1\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in UPGRADE_HEADERS) + b"\r\n"
ACCEPTED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
HTTP2_ASK: Final = ((":method", "POST"), (":scheme", "http"), (":authority", "upstream.test"), (":path", "/"))
ASK: Final = b"POST / HTTP/1.1\r\nHost: upstream.test\r\nContent-Length: 4\r\n\r\nbody"
LIMITED: Final = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 7\r\n\r\nlimited"
EARLY: Final = b"HTTP/1.1 103 Early Hints\r\n\r\n"
FINE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


TUNNEL: Final = b"CONNECT upstream.test:80 HTTP/1.1\r\nHost: upstream.test\r\n\r\n"
CONNECTED: Final = b"HTTP/1.1 200 Connected\r\n\r\n"
TUNNEL_HERE: Final = b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PLAIN: Final = b"GET http://upstream.test/ HTTP/1.1\r\nHost: upstream.test\r\n\r\n"
THROUGH: Final = UpstreamMode.parse("upstream:http://proxy.test:3128")


def check(options: Options) -> None:
    """Raises Incompatible when attempts or sockets of our own do not work, or clients' connections cannot be ended."""
    _check_attempts(options)
    _check_socket(options)
    _check_rotation(options)
    _check_go_away(options)
    _check_closing(options)


def _check_attempts(options: Options) -> None:
    """A refused attempt and a refused connection are followed by a good one."""
    try:
        script = Script("first", "unreachable", "second")
        rehearsal = Rehearsal(options, script, refuse=frozenset({1}))
        rehearsal.says(rehearsal.client, ASK)
        first = rehearsal.servers[0]
        rehearsal.says(first, LIMITED)
        second = rehearsal.servers[2]
        rehearsal.says(second, EARLY + FINE)
    except Exception as e:
        raise Incompatible(f"{type(e).__name__}: {e}") from e
    seen = rehearsal.sent[rehearsal.client]
    tokens = (b"Bearer first" in rehearsal.sent[first], b"Bearer second" in rehearsal.sent[second])
    if not (seen.startswith(b"HTTP/1.1 200") and seen.endswith(b"fine") and b"limited" not in seen and all(tokens)):
        raise Incompatible(f"the client was sent {seen[:40]!r}")


def _check_socket(options: Options) -> None:
    """An upgrade that we accept ourselves becomes a socket in which we are heard, and nothing leaves."""
    try:
        hearing = Hearing()
        rehearsal = Rehearsal(options, hearing)
        rehearsal.says(rehearsal.client, UPGRADE)
        rehearsal.says(rehearsal.client, Wire(ConnectionType.CLIENT).send(TextMessage(data="asked")))
    except Exception as e:
        raise Incompatible(f"{type(e).__name__}: {e}") from e
    head, _, said = rehearsal.sent[rehearsal.client].partition(b"\r\n\r\n")
    if not (head.startswith(b"HTTP/1.1 101") and b"told" in said and "asked" in hearing.history):
        raise Incompatible(f"a socket of our own said {said[:40]!r}")
    if rehearsal.servers:
        raise Incompatible("a socket of our own opened a connection")


def _check_rotation(options: Options) -> None:
    """A socket gets another one behind it, and its client notices nothing."""
    try:
        rehearsal = Rehearsal(options, Rotating("first"))
        asked = Wire(ConnectionType.CLIENT).send(TextMessage(data="asked"))
        told = Wire(ConnectionType.SERVER).send(TextMessage(data="told"))
        rehearsal.says(rehearsal.client, UPGRADE)
        first = rehearsal.servers[0]
        rehearsal.says(first, ACCEPTED)
        rehearsal.says(rehearsal.client, asked)
        second = rehearsal.servers[1]
        rehearsal.says(second, ACCEPTED)
        rehearsal.says(second, told)
        assert rehearsal.flow is not None
        rehearsal.feed(UnwantedUpstream(rehearsal.flow, None))
        third = rehearsal.servers[2]
    except Exception as e:
        raise Incompatible(f"{type(e).__name__}: {e}") from e
    _, _, said = rehearsal.sent[rehearsal.client].partition(b"\r\n\r\n")
    head, _, put = rehearsal.sent[second].partition(b"\r\n\r\n")
    if said != told or first.state is not ConnectionState.CLOSED or b"Bearer second" not in head or not put:
        raise Incompatible(f"a socket that was to go to another account said {said[:40]!r}")
    if second.state is not ConnectionState.CLOSED or b"Bearer third" not in rehearsal.sent[third]:
        raise Incompatible("a socket that nobody had asked anything did not go to another account")


def _check_go_away(options: Options) -> None:
    """A client that speaks HTTP/2 is told to go elsewhere, and is served what it has asked and still asks."""
    try:
        rehearsal = Http2Rehearsal(options, None)
        client = H2Connection()
        client.initiate_connection()
        for stream_id, key in ((1, "first"), (3, "second")):
            rehearsal.exchange = Script(key)
            client.send_headers(stream_id, HTTP2_ASK, end_stream=True)
            rehearsal.says(rehearsal.client, client.data_to_send())
            client_connections.go_away(rehearsal.client)
            rehearsal.says(rehearsal.servers[-1], FINE)
        said = list(_frames(rehearsal.sent[rehearsal.client]))
    except Exception as e:
        raise Incompatible(f"{type(e).__name__}: {e}") from e
    # h2 itself takes nothing any more once it has read a GOAWAY, so frames are read here
    told = {frame.last_stream_id for frame in said if isinstance(frame, GoAwayFrame)}
    served = [frame.stream_id for frame in said if isinstance(frame, DataFrame) and frame.data == b"fine"]
    if told != {client_connections.MOST_STREAM_ID} or served != [1, 3]:
        raise Incompatible(f"a client that was to go elsewhere was told {told} and served {served}")


def _frames(data: bytes) -> Iterator[Frame]:
    """Of HTTP/2."""
    rest = memoryview(data)
    while rest:
        frame, length = Frame.parse_frame_header(rest[:9])
        frame.parse_body(rest[9 : 9 + length])
        yield frame
        rest = rest[9 + length :]


class _Handler(ConnectionHandler):
    """A client's connection, without a socket."""

    async def handle_hook(self, hook: commands.StartHook) -> None:
        """Nobody is asked."""


class _Task:
    """What a connection's task would be, as far as it can be ended."""

    cancelled = False

    def cancel(self, _: str) -> None:
        self.cancelled = True


def _check_closing(options: Options) -> None:
    """A connection that mitmproxy lists is found, and its task can be ended."""
    try:
        proxyserver, task = Proxyserver(), _Task()
        client = Client(peername=("client", 1), sockname=("proxy", 2), timestamp_start=0, state=ConnectionState.OPEN)
        handler: Any = _Handler(Context(client, options))
        handler.transports[client] = ConnectionIO(handler=task)  # type: ignore[arg-type]
        with proxyserver.register_connection(client.id, handler):
            listed = client_connections.ClientConnections(proxyserver)
            there = list(listed)
            listed.close(client.id)
    except Exception as e:
        raise Incompatible(f"{type(e).__name__}: {e}") from e
    if not (task.cancelled and there == [client.id]):
        raise Incompatible("connections of clients cannot be ended")


def check_tunnel(options: Options) -> None:
    """Raises Incompatible when attempts do not go through another proxy, each with a tunnel of its own."""
    try:
        rehearsal = Rehearsal(options, Script("first", "refused", "second"), through=THROUGH)
        for said in (TUNNEL, ASK):
            rehearsal.says(rehearsal.client, said)
        for number, answers in enumerate(((CONNECTED, LIMITED), (b"HTTP/1.1 503 No\r\n\r\n",), (CONNECTED, FINE))):
            for each in answers:
                rehearsal.says(rehearsal.servers[number], each)
        plain = Rehearsal(options, Script("plain"), through=THROUGH)
        plain.says(plain.client, PLAIN)
        here = Rehearsal(options, Script("here"), through=THROUGH)
        for said in (TUNNEL_HERE, ASK):
            here.says(here.client, said)
    except Exception as e:
        raise Incompatible(f"{type(e).__name__}: {e}") from e
    asked = [rehearsal.sent[server] for server in rehearsal.servers]
    tunnels = all(sent.startswith(b"CONNECT upstream.test:80") for sent in asked)
    tokens = (b"Bearer first" in asked[0], b"Bearer" not in asked[1], b"Bearer second" in asked[2])
    if not (tunnels and all(tokens) and rehearsal.sent[rehearsal.client].endswith(b"fine")):
        raise Incompatible("attempts do not go through another proxy")
    ours = US.authorization.encode()
    if any(ours in sent for sent in asked) or ours not in plain.sent[plain.servers[0]]:
        raise Incompatible("another proxy's credentials go astray")
    if {server.address for server in (*rehearsal.servers, *plain.servers)} != {THROUGH.address}:
        raise Incompatible("a connection went past the other proxy")
    if THROUGH.address in {server.address for server in here.servers} or not here.servers:
        raise Incompatible("a tunnel to this machine went to the other proxy")
