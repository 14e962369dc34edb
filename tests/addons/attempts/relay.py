"""A client's WebSocket and the sockets behind it, driven by hand: frames in and out on every side."""

from typing import Any

from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    Event,
    Message,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate

from addons.attempts.protocol import (
    Loss,
    Put,
    Send,
    Signal,
    SocketExchange,
    SocketStep,
    Step,
)
from addons.attempts.selftest import Rehearsal, Script

TOKENS = {name: f"token-of-{name}-nobody-may-see" for name in ("one", "two", "three")}


class Rotating:
    """Decides as the test says: `instead` is what is done in the place of messages of these contents, `after` what
    follows from anything else that happens; by default nothing."""

    def __init__(self) -> None:
        self.instead: dict[str, SocketStep] = {}
        self.after: dict[str, SocketStep] = {}
        self.told: list[str] = []
        self.seconds = 0.0
        self._step: SocketStep | None = None

    def judge(self, message: WebSocketMessage) -> None:
        """As an addon does in the hook of a message."""
        content = message.content.decode()
        self.told.append(f"{'client' if message.from_client else 'server'}: {content}")
        self._step = self.instead.pop(content, None)
        if self._step is not None and not message.from_client:
            message.drop()

    def _noted(self, what: str) -> SocketStep:
        self.told.append(what)
        return self.after.pop(what, Signal.WAIT)

    def take(self) -> SocketStep | None:
        step, self._step = self._step, None
        return step

    def head(self, response: http.Response) -> SocketStep:
        return self._noted(f"head {response.status_code}")

    def body(self, data: bytes) -> SocketStep:
        return self._noted(f"body {data.decode()}")

    def end(self) -> SocketStep:
        return self._noted("end")

    def lost(self, loss: Loss, message: str) -> SocketStep:
        return self._noted(f"lost {loss.name}")

    def opened(self) -> SocketStep:
        return self._noted("opened")

    def unwanted(self) -> SocketStep:
        return self._noted("unwanted")

    def closed_upstream(self, code: int) -> SocketStep | None:
        self.told.append(f"closed {code}")
        return self.after.pop("closed", None)

    def patience(self) -> float:
        return self.seconds

    def overdue(self) -> SocketStep:
        return self._noted("overdue")

    async def decide(self) -> None: ...

    def decided(self) -> SocketStep:
        return self._noted("decided")


class Upgrading(Script):
    """The client's upgrade, for one account after another."""

    def __init__(self, request: http.Request, socket: SocketExchange) -> None:
        super().__init__()
        self.request, self.socket = request, socket

    def to(self, name: str) -> Send:
        request = self.request.copy()
        request.headers["authorization"] = f"Bearer {TOKENS[name]}"
        return Send(request, key=name)

    def start(self) -> Step:
        return self.to("one")

    def patience(self) -> float:
        return 0.0

    def upgraded(self) -> SocketExchange | None:
        return self.socket


class Stage(Rehearsal):
    """A rehearsal with an addon that judges messages, and in which what takes time can be made to."""

    awaiting: commands.Command | None = None
    slow: tuple[type[commands.Command], ...] = ()
    """These are not done until the test says so."""

    def __init__(self, options: Options, exchange: Script, socket: Rotating, refuse: frozenset[int]) -> None:
        self.socket = socket
        super().__init__(options, exchange, refuse)

    def _obey(self, command: commands.Command) -> list[events.Event]:
        done = super()._obey(command)
        if isinstance(command, commands.StartHook) and command.name.startswith("websocket"):
            websocket = command.args()[0].websocket
            message = websocket.messages[-1] if websocket.messages else None
            if command.name == "websocket_message" and message is not None and not message.injected:
                self.socket.judge(message)
        if isinstance(command, self.slow):
            self.awaiting = command
            return []
        return done

    def goes_on(self) -> None:
        """What took time is done."""
        command, self.awaiting = self.awaiting, None
        if isinstance(command, commands.OpenConnection):
            self.feed(events.OpenConnectionCompleted(command, command.connection.error))
        else:
            assert isinstance(command, commands.StartHook)
            self.feed(events.HookCompleted(command))


class Upstream:
    """The other end of one of the proxy's connections."""

    def __init__(self, stage: Stage, number: int) -> None:
        self.stage, self.connection = stage, stage.servers[number]
        self.wire = WSConnection(ConnectionType.SERVER)
        self.taken = 0

    def heard(self) -> list[Event]:
        """What has come since the last time."""
        data = self.stage.sent[self.connection][self.taken :]
        self.taken += len(data)
        if data:
            self.wire.receive_data(data)
        return list(self.wire.events())

    def accepts(self, *, deflate: bool = False) -> "Upstream":
        (asked,) = self.heard()
        assert isinstance(asked, Request)
        extensions = [PerMessageDeflate()] if deflate else []
        self.stage.says(self.connection, self.wire.send(AcceptConnection(extensions=extensions)))
        return self

    def says(self, *said: Event) -> None:
        """All of it at once."""
        self.stage.says(self.connection, b"".join(self.wire.send(each) for each in said))

    def texts(self) -> list[Any]:
        return [each.data for each in self.heard() if isinstance(each, Message)]

    @property
    def connected(self) -> bool:
        return self.connection.state is ConnectionState.OPEN


class Relay:
    """A client in a socket whose first upstream has accepted it."""

    def __init__(
        self, options: Options, *, deflate: bool = False, refuse: frozenset[int] = frozenset(), early: str = ""
    ) -> None:
        self.wire = WSConnection(ConnectionType.CLIENT)
        asked = self.wire.send(Request(host="upstream.test", target="/", extensions=[PerMessageDeflate()]))
        fields = [line.split(b": ", 1) for line in asked.split(b"\r\n")[1:-2]]
        request = http.Request.make("GET", "http://upstream.test/", b"", http.Headers([(n, v) for n, v in fields]))
        self.socket = Rotating()
        self.exchange = Upgrading(request, self.socket)
        self.stage = Stage(options, self.exchange, self.socket, refuse)
        self.taken = 0
        self.stage.says(self.stage.client, asked)
        self.first = Upstream(self.stage, 0).accepts(deflate=deflate)
        (accepted,) = self.heard()
        assert isinstance(accepted, AcceptConnection)
        assert len(accepted.extensions) == deflate

    def heard(self) -> list[Event]:
        data = self.stage.sent[self.stage.client][self.taken :]
        self.taken += len(data)
        if data:
            self.wire.receive_data(data)
        return list(self.wire.events())

    def says(self, *said: Event | str) -> list[Event]:
        """All of it at once; what comes back."""
        given = [TextMessage(data=each) if isinstance(each, str) else each for each in said]
        self.stage.says(self.stage.client, b"".join(self.wire.send(each) for each in given))
        return self.heard()

    def texts(self) -> list[Any]:
        return [each.data for each in self.heard() if isinstance(each, Message)]

    def moves(self, name: str = "two", said: str = "limited") -> None:
        """Upstream says this, upon which another socket is opened."""
        self.socket.instead[said] = self.exchange.to(name)
        self.first.says(TextMessage(data=said))

    def moved(self, *, deflate: bool = False) -> Upstream:
        """The client has asked, the first account is limited, and the second one has the question."""
        self.says("ask")
        self.socket.after["opened"] = Put(b"ask")
        self.moves()
        return Upstream(self.stage, 1).accepts(deflate=deflate)

    @property
    def connected(self) -> bool:
        return self.stage.client.state is ConnectionState.OPEN

    @property
    def data(self) -> WebSocketData:
        assert self.stage.flow is not None
        assert self.stage.flow.websocket is not None
        return self.stage.flow.websocket

    def last_hook_is_the_end(self) -> bool:
        return self.stage.hooks[-1] == "websocket_end" and self.stage.hooks.count("websocket_end") == 1
