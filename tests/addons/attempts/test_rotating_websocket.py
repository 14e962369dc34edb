"""A client's WebSocket whose upstream becomes another one, driven by hand: frames in and out on every side."""

import gc
import itertools
import weakref
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.websocket import WebSocketMessageInjected
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import Opcode

from addons.attempts.patches.typechecks import skip_message_typechecks
from addons.attempts.protocol import (
    Loss,
    Put,
    Say,
    Send,
    Signal,
    SocketExchange,
    SocketStep,
    Step,
    UpstreamDecisionHook,
)
from addons.attempts.selftest import Rehearsal, Script
from addons.wire.answers import in_band_defect

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

    flow: http.HTTPFlow | None = None
    awaiting: commands.Command | None = None
    slow: tuple[type[commands.Command], ...] = ()
    """These are not done until the test says so."""

    def __init__(self, options: Options, exchange: Script, socket: Rotating, refuse: frozenset[int]) -> None:
        self.socket = socket
        super().__init__(options, exchange, refuse)

    def _obey(self, command: commands.Command) -> list[events.Event]:
        done = super()._obey(command)
        if isinstance(command, commands.StartHook) and command.name.startswith("websocket"):
            self.flow = command.args()[0]
            assert self.flow.websocket is not None
            message = self.flow.websocket.messages[-1] if self.flow.websocket.messages else None
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


# --- as long as nothing is done --------------------------------------------------------------------------------------


@pytest.mark.parametrize("deflate", [True, False])
def test_messages_pass_both_ways(options: Options, deflate: bool) -> None:
    relay = Relay(options, deflate=deflate)
    relay.says("ask")
    assert relay.first.texts() == ["ask"]
    relay.first.says(TextMessage(data="answer"), BytesMessage(data=b"more"))
    assert relay.texts() == ["answer", b"more"]
    assert [(each.from_client, each.content) for each in relay.data.messages] == [
        (True, b"ask"),
        (False, b"answer"),
        (False, b"more"),
    ]


def test_a_message_in_pieces_passes_in_its_pieces(options: Options) -> None:
    relay = Relay(options)
    relay.says(TextMessage(data="as", message_finished=False), TextMessage(data="k"))
    assert relay.first.texts() == ["as", "k"]
    assert relay.socket.told[-1] == "client: ask"


def test_pings_pass(options: Options) -> None:
    relay = Relay(options)
    relay.says(Ping(payload=b"there?"))
    assert Ping(payload=b"there?") in relay.first.heard()
    relay.first.says(Pong(payload=b"there?"))
    assert relay.heard() == [Pong(payload=b"there?")]


def test_what_a_message_says_in_its_place_goes_to_the_client(options: Options) -> None:
    relay = Relay(options)
    relay.socket.instead["ask"] = Say(b"no")
    assert relay.says("ask") == [TextMessage(data="no")]
    assert relay.first.texts() == []
    assert [(each.from_client, each.injected) for each in relay.data.messages] == [(True, False), (False, True)]


@pytest.mark.parametrize("from_client", [True, False])
def test_messages_that_a_user_injects_pass_without_being_judged(options: Options, from_client: bool) -> None:
    relay = Relay(options)
    relay.says("ask")
    assert relay.stage.flow is not None
    relay.first.heard()
    injected = WebSocketMessage(Opcode.TEXT, from_client, b"psst", injected=True)
    relay.stage.feed(WebSocketMessageInjected(relay.stage.flow, injected))
    assert (relay.first.texts(), relay.texts()) == ((["psst"], []) if from_client else ([], ["psst"]))
    assert relay.socket.told == ["client: ask"]


@pytest.mark.parametrize("from_client", [True, False])
def test_also_on_another_socket(options: Options, from_client: bool) -> None:
    relay = Relay(options)
    second = relay.moved()
    assert relay.stage.flow is not None
    second.heard()
    injected = WebSocketMessage(Opcode.TEXT, from_client, b"psst", injected=True)
    relay.stage.feed(WebSocketMessageInjected(relay.stage.flow, injected))
    assert (second.texts(), relay.texts()) == ((["psst"], []) if from_client else ([], ["psst"]))


# --- another socket upstream -----------------------------------------------------------------------------------------


def test_another_socket_upstream_takes_the_place_of_the_first_one_beneath_the_clients(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    assert relay.first.texts() == ["ask"]
    relay.socket.after["opened"] = Put(b"ask as two")
    relay.moves()
    (farewell,) = relay.first.heard()
    assert isinstance(farewell, CloseConnection)
    assert (farewell.code, relay.first.connected) == (1000, False)
    second = Upstream(relay.stage, 1)
    sent = relay.stage.sent[second.connection]
    assert TOKENS["two"].encode() in sent
    assert TOKENS["one"].encode() not in sent
    second.accepts()
    assert relay.heard() == [], "the client sees nothing of it"
    assert second.texts() == ["ask as two"]
    second.says(TextMessage(data="answer"))
    assert relay.texts() == ["answer"]
    relay.says("ask again")
    assert second.texts() == ["ask again"]
    assert relay.socket.told == [
        "client: ask",
        "server: limited",
        "head 101",
        "opened",
        "server: answer",
        "client: ask again",
    ]


def test_a_message_of_the_clients_may_be_what_opens_another_socket(options: Options) -> None:
    relay = Relay(options)
    relay.socket.instead["ask"] = relay.exchange.to("two")
    relay.socket.after["opened"] = Put(b"ask")
    relay.says("ask")
    assert Upstream(relay.stage, 1).accepts().texts() == ["ask"]
    assert relay.first.texts() == []
    assert not relay.data.messages[0].dropped


def test_sockets_follow_one_another(options: Options) -> None:
    relay = Relay(options)
    second = relay.moved()
    relay.socket.instead["limited too"] = relay.exchange.to("three")
    relay.socket.after["opened"] = Put(b"ask three")
    second.says(TextMessage(data="limited too"))
    third = Upstream(relay.stage, 2).accepts()
    assert (second.connected, third.texts()) == (False, ["ask three"])
    third.says(TextMessage(data="answer"))
    assert relay.texts() == ["answer"]


def test_the_same_account_on_another_socket_gets_another_connection(options: Options) -> None:
    """A token was renewed."""
    relay = Relay(options)
    relay.says("ask")
    relay.socket.after["opened"] = Put(b"ask")
    relay.moves("one")
    assert not relay.first.connected
    assert Upstream(relay.stage, 1).accepts().texts() == ["ask"]


@pytest.mark.parametrize(("first", "second"), [*itertools.product([True, False], repeat=2)])
def test_each_socket_is_compressed_as_its_own_ends_have_agreed(options: Options, first: bool, second: bool) -> None:
    relay = Relay(options, deflate=first)
    other = relay.moved(deflate=second)
    assert other.texts() == ["ask"]
    for text in ("answer", "answer again"):
        other.says(TextMessage(data=text * 20))
        assert relay.texts() == [text * 20]
        relay.says(text)
        assert other.texts() == [text]


def test_a_token_that_upstream_says_back_in_its_refusal_is_heard_by_nobody(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    body = TOKENS["two"].encode()
    relay.stage.says(
        Upstream(relay.stage, 1).connection, b"HTTP/1.1 403 No\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    assert relay.socket.told[-1] == "end"
    assert not any(TOKENS["two"] in each for each in relay.socket.told)


# --- what else may come of an upgrade --------------------------------------------------------------------------------

REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 7\r\n\r\nlimited"


def test_a_refused_upgrade_is_told_with_its_body_and_may_lead_to_a_third(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    second = Upstream(relay.stage, 1)
    relay.socket.after["end"] = relay.exchange.to("three")
    relay.socket.after["opened"] = Put(b"ask")
    relay.stage.says(second.connection, REFUSED)
    assert relay.socket.told[-3:] == ["head 429", "body limited", "end"]
    assert Upstream(relay.stage, 2).accepts().texts() == ["ask"]
    assert relay.connected


def test_a_refused_upgrade_may_be_told_to_the_client_whose_socket_stays(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    relay.socket.after["end"] = Say(b"nobody left")
    relay.stage.says(Upstream(relay.stage, 1).connection, REFUSED)
    assert relay.texts() == ["nobody left"]
    relay.socket.instead["ask again"] = relay.exchange.to("three")
    relay.socket.after["opened"] = Put(b"ask again")
    relay.says("ask again")
    third = Upstream(relay.stage, 2).accepts()
    assert third.texts() == ["ask again"]
    third.says(TextMessage(data="answer"))
    assert relay.texts() == ["answer"]


def test_a_connection_whose_upgrade_was_refused_may_serve_the_same_account_s_next_one(options: Options) -> None:
    """A token was renewed meanwhile."""
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    second = Upstream(relay.stage, 1)
    second.heard()
    relay.socket.after |= {"end": Signal.AWAIT, "decided": relay.exchange.to("two"), "opened": Put(b"ask")}
    relay.stage.says(second.connection, REFUSED)
    assert len(relay.stage.servers) == 2
    second.wire = WSConnection(ConnectionType.SERVER)
    assert second.accepts().texts() == ["ask"]
    second.says(TextMessage(data="answer"))
    assert relay.texts() == ["answer"]


def test_a_connection_that_is_refused_is_lost(options: Options) -> None:
    relay = Relay(options, refuse=frozenset({1}))
    relay.says("ask")
    relay.socket.after["lost CONNECT"] = relay.exchange.to("three")
    relay.socket.after["opened"] = Put(b"ask")
    relay.moves()
    assert relay.socket.told[-1] == "lost CONNECT"
    assert Upstream(relay.stage, 2).accepts().texts() == ["ask"]


def test_an_upgrade_that_breaks_off_is_lost(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.after["lost BROKEN"] = Say(b"nobody left")
    relay.moves()
    relay.stage.leaves(Upstream(relay.stage, 1).connection)
    assert relay.socket.told[-1] == "lost BROKEN"
    assert relay.texts() == ["nobody left"]
    assert relay.connected


def test_what_comes_in_one_piece_with_the_101_is_heard(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    second = Upstream(relay.stage, 1)
    second.heard()
    accepted = second.wire.send(AcceptConnection())
    relay.stage.says(second.connection, accepted + second.wire.send(TextMessage(data="welcome")))
    assert relay.texts() == ["welcome"]


# --- while there is none upstream ------------------------------------------------------------------------------------


def test_a_ping_is_answered_while_there_is_no_socket_upstream(options: Options) -> None:
    relay = Relay(options)
    relay.moves()
    assert relay.says(Ping(payload=b"there?")) == [Pong(payload=b"there?")]
    assert relay.says(Pong(payload=b"here")) == []


def test_a_client_that_leaves_while_another_socket_is_opened_ends_it(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    second = Upstream(relay.stage, 1)
    relay.says(CloseConnection(code=1000, reason="bye"))
    assert (relay.connected, second.connected) == (False, False)
    assert (relay.data.closed_by_client, relay.data.close_code) == (True, 1000)
    assert relay.last_hook_is_the_end()


def test_a_client_that_breaks_off_while_a_connection_is_opened_ends_it_once_that_is_known(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.stage.slow = (commands.OpenConnection,)
    relay.moves()
    relay.stage.leaves(relay.stage.client)
    relay.stage.goes_on()
    assert not Upstream(relay.stage, 1).connected
    assert relay.data.closed_by_client
    assert relay.last_hook_is_the_end()


def test_what_the_first_server_says_in_the_piece_that_has_led_to_another_one_is_for_nobody(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["limited"] = relay.exchange.to("two")
    relay.first.says(TextMessage(data="limited"), TextMessage(data="really limited"))
    assert relay.socket.told == ["client: ask", "server: limited"]
    assert relay.texts() == []


def test_a_server_that_closes_its_socket_right_after_its_refusal_has_closed_nobody_elses(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["limited"] = relay.exchange.to("two")
    relay.socket.after["opened"] = Put(b"ask")
    relay.first.says(TextMessage(data="limited"), CloseConnection(code=1008))
    assert relay.socket.told == ["client: ask", "server: limited"]
    assert relay.connected
    assert Upstream(relay.stage, 1).accepts().texts() == ["ask"]


def test_what_the_first_server_says_later_is_for_nobody(options: Options) -> None:
    """Nor that it closes the connection then."""
    relay = Relay(options)
    relay.says("ask")
    late = relay.first.wire.send(TextMessage(data="late"))
    second = relay.moved()
    relay.stage.feed(events.DataReceived(relay.first.connection, late))
    relay.stage.feed(events.ConnectionClosed(relay.first.connection))
    assert "server: late" not in relay.socket.told
    second.says(TextMessage(data="answer"))
    assert relay.texts() == ["answer"]
    assert relay.connected


def test_what_the_first_server_says_while_another_socket_is_opened_is_for_nobody(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    late = relay.first.wire.send(TextMessage(data="late"))
    relay.moves()
    relay.stage.feed(events.DataReceived(relay.first.connection, late))
    relay.stage.feed(events.ConnectionClosed(relay.first.connection))
    relay.socket.after["opened"] = Put(b"ask")
    assert Upstream(relay.stage, 1).accepts().texts() == ["ask"]
    assert relay.socket.told == ["client: ask", "server: limited", "head 101", "opened"]
    assert relay.connected


# --- what takes time -------------------------------------------------------------------------------------------------


def test_what_is_awaited_is_decided_before_it_goes_on(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["busy"] = Signal.AWAIT
    relay.socket.after["decided"] = Put(b"ask once more")
    relay.stage.slow = (UpstreamDecisionHook,)
    relay.first.says(TextMessage(data="busy"))
    assert relay.first.texts() == ["ask"]
    relay.stage.goes_on()
    assert relay.first.texts() == ["ask once more"]
    assert relay.texts() == []


def test_messages_that_came_while_something_was_awaited_are_heard_first(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["busy"] = Signal.AWAIT
    relay.socket.after["decided"] = relay.exchange.to("two")
    relay.stage.slow = (UpstreamDecisionHook,)
    relay.first.says(TextMessage(data="busy"))
    relay.first.says(TextMessage(data="very busy"))
    relay.says("ask anew")
    relay.stage.goes_on()
    assert relay.socket.told == ["client: ask", "server: busy", "server: very busy", "client: ask anew", "decided"]
    assert relay.texts() == ["very busy"]


def test_what_came_in_the_same_piece_is_heard_first_as_well(options: Options) -> None:
    """It is more of what has failed, and no answer to what is sent then."""
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["busy"] = Signal.AWAIT
    relay.stage.slow = (UpstreamDecisionHook,)
    relay.first.says(TextMessage(data="busy"), TextMessage(data="very busy"))
    relay.stage.goes_on()
    assert relay.texts() == ["very busy"]
    assert relay.socket.told == ["client: ask", "server: busy", "server: very busy", "decided"]


@pytest.mark.parametrize("step", [Signal.WAIT, None])
def test_a_socket_that_upstream_closes_meanwhile_is_heard_of_first(options: Options, step: SocketStep | None) -> None:
    """If it is to be closed for the client as well, nothing is decided any more."""
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["busy"] = Signal.AWAIT
    relay.socket.after |= {"decided": relay.exchange.to("two"), "opened": Put(b"ask")}
    if step is not None:
        relay.socket.after["closed"] = step
    relay.stage.slow = (UpstreamDecisionHook,)
    relay.first.says(TextMessage(data="busy"))
    relay.first.says(CloseConnection(code=1013))
    relay.stage.goes_on()
    assert relay.socket.told[2] == "closed 1013"
    assert not relay.first.connected
    if step is None:
        assert "decided" not in relay.socket.told
        assert relay.last_hook_is_the_end()
    else:
        assert Upstream(relay.stage, 1).accepts().texts() == ["ask"]
        assert relay.connected


@pytest.mark.parametrize("politely", [True, False])
def test_a_client_that_has_left_meanwhile_gets_no_decision(options: Options, politely: bool) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.instead["busy"] = Signal.AWAIT
    relay.stage.slow = (UpstreamDecisionHook,)
    relay.first.says(TextMessage(data="busy"))
    if politely:
        relay.says(CloseConnection(code=1000))
    else:
        relay.stage.leaves(relay.stage.client)
    relay.stage.goes_on()
    assert "decided" not in relay.socket.told
    assert not relay.first.connected
    assert relay.last_hook_is_the_end()


def test_silence_is_asked_about_when_its_time_has_come(options: Options) -> None:
    relay = Relay(options)
    relay.socket.seconds = 30.0
    relay.socket.after["overdue"] = relay.exchange.to("two")
    relay.socket.after["opened"] = Put(b"ask")
    relay.says("ask")
    assert relay.stage.wakeups[-1].delay == pytest.approx(30.0, abs=1.0)
    relay.stage.wake()
    assert relay.socket.told[-1] == "overdue"
    assert Upstream(relay.stage, 1).accepts().texts() == ["ask"]


def test_a_defect_ends_the_turn_with_an_error_of_ours(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")

    def defect() -> SocketStep:
        raise LookupError("a secret")

    relay.socket.opened = defect  # type: ignore[method-assign]
    relay.moves()
    Upstream(relay.stage, 1).accepts()
    assert relay.texts() == [in_band_defect().decode()]


# --- how it ends -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [False, True])
def test_a_socket_that_upstream_closes_is_closed_for_the_client_too(options: Options, moved: bool) -> None:
    relay = Relay(options)
    upstream = relay.moved() if moved else relay.first
    upstream.says(CloseConnection(code=1011, reason="oh"))
    (farewell,) = relay.heard()
    assert isinstance(farewell, CloseConnection)
    assert (farewell.code, relay.connected, upstream.connected) == (1011, False, False)
    assert (relay.data.closed_by_client, relay.data.close_code, relay.data.close_reason) == (False, 1011, "oh")
    assert relay.last_hook_is_the_end()


@pytest.mark.parametrize("politely", [True, False])
def test_unless_another_one_takes_its_place(options: Options, politely: bool) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.socket.after |= {"closed": relay.exchange.to("two"), "opened": Put(b"ask")}
    if politely:
        relay.first.says(CloseConnection(code=1011))
    else:
        relay.stage.leaves(relay.first.connection)
    assert relay.socket.told[-1] == f"closed {1011 if politely else 1006}"
    second = Upstream(relay.stage, 1).accepts()
    assert second.texts() == ["ask"]
    second.says(TextMessage(data="answer"))
    assert relay.texts() == ["answer"]
    assert not relay.first.connected


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("politely", [True, False])
def test_a_client_that_leaves_closes_the_socket_upstream(options: Options, moved: bool, politely: bool) -> None:
    relay = Relay(options)
    upstream = relay.moved() if moved else relay.first
    upstream.heard()
    if politely:
        relay.says(CloseConnection(code=1000, reason="bye"))
        assert [type(each) for each in upstream.heard()] == [CloseConnection]
    else:
        relay.stage.leaves(relay.stage.client)
    assert (relay.connected, upstream.connected) == (False, False)
    assert relay.data.closed_by_client
    assert relay.last_hook_is_the_end()


@pytest.mark.parametrize("ends", ["client", "server", "opening"])
def test_nothing_is_left_for_the_garbage_collector(
    options: Options, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http.MessageData, "__post_init__", http.MessageData.__post_init__)  # put back afterwards
    skip_message_typechecks()
    relay = Relay(options)
    relay.socket.seconds = 30.0
    second = relay.moved()
    stream = weakref.ref(next(iter(relay.stage.layer.streams.values())))
    flow = weakref.ref(relay.stage.flow)  # type: ignore[arg-type]
    if ends == "opening":
        relay.socket.instead["limited too"] = relay.exchange.to("three")
        second.says(TextMessage(data="limited too"))
    relay.stage.flow = None
    gc.collect()
    gc.disable()
    try:
        if ends == "server":
            second.says(CloseConnection(code=1000))
        else:
            relay.says(CloseConnection(code=1000))
        relay.stage.flow = None
        assert not relay.connected
        assert flow() is None
        relay.stage.layer.streams.clear()  # as when the client's connection is forgotten
        assert stream() is None
    finally:
        gc.enable()
