"""A WebSocket of our own, driven by hand: a client's frames in, what it is told out, and nobody else involved."""

import logging
from collections.abc import Sequence

import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.websocket import WebSocketData
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
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

from addons.attempts import local_websocket
from addons.attempts.local_websocket import accepting
from addons.attempts.protocol import Accept, Step, Talk
from addons.attempts.selftest import Rehearsal, Script
from addons.wire.answers import in_band_defect


def echo(message: bytes) -> Sequence[bytes]:
    """Answers a question, and leaves everything else alone."""
    return (b"you said " + message,) if message.endswith(b"?") else ()


class Accepting(Script):
    """Accepts the upgrade as an exchange does."""

    def __init__(self, request: http.Request, talk: Talk) -> None:
        super().__init__()
        self.request, self.talk = request, talk

    def start(self) -> Step:
        return Accept(accepting(self.request), self.talk)


class Stage(Rehearsal):
    """A rehearsal that keeps the flow, and whose addons drop the message that says so."""

    flow: http.HTTPFlow

    def _obey(self, command: commands.Command) -> list[events.Event]:
        if isinstance(command, commands.StartHook) and command.name.startswith("websocket"):
            self.flow = command.args()[0]
            assert self.flow.websocket is not None
            if command.name == "websocket_message" and self.flow.websocket.messages[-1].content == b"drop me?":
                self.flow.websocket.messages[-1].drop()
        return super()._obey(command)


class Client:
    """The client's end, which has asked for an upgrade and offered to compress."""

    def __init__(self, options: Options, talk: Talk = echo, early: bytes = b"") -> None:
        self.wire = WSConnection(ConnectionType.CLIENT)
        asked = self.wire.send(Request(host="upstream.test", target="/", extensions=[PerMessageDeflate()]))
        fields = [line.split(b": ", 1) for line in asked.split(b"\r\n")[1:-2]]
        headers = http.Headers([(name, value) for name, value in fields])
        self.script = Accepting(http.Request.make("GET", "http://upstream.test/", b"", headers), talk)
        self.stage = Stage(options, self.script)
        self.taken = 0
        self.stage.says(self.stage.client, asked + early)

    def heard(self) -> list[Event]:
        """What has come since the last time; wsproto raises if the acceptance is not the right one."""
        data = self.stage.sent[self.stage.client][self.taken :]
        self.taken += len(data)
        if data:
            self.wire.receive_data(data)
        return list(self.wire.events())

    def says(self, *said: Event) -> list[Event]:
        """Say something; what comes back."""
        for event in said:
            self.stage.says(self.stage.client, self.wire.send(event))
        return self.heard()

    def opened(self) -> "Client":
        """Past the acceptance."""
        (accepted,) = self.heard()
        assert isinstance(accepted, AcceptConnection)
        assert accepted.extensions == []
        return self

    @property
    def connected(self) -> bool:
        return self.stage.client.state is ConnectionState.OPEN

    @property
    def data(self) -> WebSocketData:
        assert self.stage.flow.websocket is not None
        return self.stage.flow.websocket


def frame(text: str) -> bytes:
    """A client's frame, made without a connection."""
    return Connection(ConnectionType.CLIENT).send(TextMessage(data=text))


def closing(heard: list[Event]) -> int:
    """The code of the close frame that is the last thing heard."""
    assert isinstance(heard[-1], CloseConnection)
    return int(heard[-1].code)


# --- the upgrade ------------------------------------------------------------------------------------------------------


def upgrade(version: str = "HTTP/1.1", **headers: str) -> http.Request:
    usual = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-extensions": "permessage-deflate; client_max_window_bits",
    }
    given = usual | {name.replace("_", "-"): value for name, value in headers.items()}
    request = http.Request.make("GET", "http://upstream.test/", b"", given)
    request.http_version = version
    return request


def test_an_upgrade_is_accepted_as_the_rfc_says_without_extensions_and_without_a_body() -> None:
    response = accepting(upgrade())
    assert response.status_code == 101
    assert dict(response.headers) == {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    }
    assert response.raw_content == b""


@pytest.mark.parametrize(
    "request_",
    [
        upgrade(sec_websocket_key=""),
        upgrade(sec_websocket_key="schlüssel"),
        upgrade(sec_websocket_version="8"),
        upgrade("HTTP/1.0"),
        upgrade("HTTP/2.0"),
    ],
    ids=["no key", "not a key", "an old version", "HTTP/1.0", "HTTP/2"],
)
def test_what_cannot_become_a_socket_is_sent_to_http(request_: http.Request) -> None:
    assert accepting(request_).status_code == 426


def test_a_refusal_in_place_of_the_101_is_an_ordinary_answer(options: Options) -> None:
    script = Accepting(upgrade(sec_websocket_version="8"), echo)
    rehearsal = Rehearsal(options, script)
    rehearsal.says(rehearsal.client, b"GET / HTTP/1.1\r\nHost: upstream.test\r\n\r\n")
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 426")
    assert rehearsal.hooks[-2:] == ["responseheaders", "response"]
    assert not rehearsal.layer.streams


@pytest.mark.parametrize("websocket", [True, False])
def test_nothing_leaves_whatever_mitmproxy_is_set_to(options: Options, websocket: bool) -> None:
    """Without its websocket option mitmproxy itself would connect to upstream and pass on whatever comes."""
    options.update(websocket=websocket)
    client = Client(options).opened()
    assert client.says(TextMessage(data="who?"))[0] == TextMessage(data="you said who?")
    assert not client.stage.servers


# --- what is said in it -----------------------------------------------------------------------------------------------


def test_a_message_is_answered_and_the_socket_closed_once_the_client_agrees(options: Options) -> None:
    client = Client(options).opened()
    answer, farewell = client.says(TextMessage(data="who?"))
    assert answer == TextMessage(data="you said who?")
    assert isinstance(farewell, CloseConnection)
    assert (farewell.code, client.connected) == (1000, True)
    client.says(farewell.response())
    assert not client.connected


def test_the_flow_shows_the_socket_and_its_messages(options: Options) -> None:
    client = Client(options).opened()
    (*_, farewell) = client.says(TextMessage(data="who?"))
    assert isinstance(farewell, CloseConnection)
    client.says(farewell.response())
    assert [(one.from_client, one.content) for one in client.data.messages] == [
        (True, b"who?"),
        (False, b"you said who?"),
    ]
    assert (client.data.closed_by_client, client.data.close_code) == (False, 1000)
    assert client.data.timestamp_end
    assert not client.stage.flow.live
    assert client.stage.hooks[-5:] == [
        "response",
        "websocket_start",
        "websocket_message",
        "websocket_message",
        "websocket_end",
    ]


def test_a_message_that_gets_no_answer_leaves_the_socket_open_for_the_next(options: Options) -> None:
    client = Client(options).opened()
    assert client.says(TextMessage(data="so.")) == []
    assert client.says(TextMessage(data="who?"))[0] == TextMessage(data="you said who?")


def test_several_words_are_said_in_order(options: Options) -> None:
    client = Client(options, lambda _: (b"one", b"two")).opened()
    said = client.says(TextMessage(data="count"))
    assert [event.data for event in said if isinstance(event, Message)] == ["one", "two"]
    assert closing(said) == 1000


def test_a_message_in_pieces_is_one_message(options: Options) -> None:
    client = Client(options).opened()
    pieces = TextMessage(data="wh", message_finished=False), TextMessage(data="o?")
    assert client.says(*pieces)[0] == TextMessage(data="you said who?")
    assert len(client.data.messages) == 2


def test_what_comes_in_one_piece_with_the_upgrade_is_heard(options: Options) -> None:
    client = Client(options, early=frame("who?"))
    _, answer, _ = client.heard()
    assert answer == TextMessage(data="you said who?")


def test_a_binary_message_is_heard_too(options: Options) -> None:
    client = Client(options).opened()
    assert client.says(BytesMessage(data=b"who?"))[0] == TextMessage(data="you said who?")


def test_a_ping_is_answered(options: Options) -> None:
    client = Client(options).opened()
    assert client.says(Ping(payload=b"there?")) == [Pong(payload=b"there?")]


def test_a_message_that_another_addon_drops_is_not_answered(options: Options) -> None:
    client = Client(options).opened()
    assert client.says(TextMessage(data="drop me?")) == []
    assert client.connected


def test_who_answers_and_fails_leaves_the_client_with_an_error_of_ours(
    options: Options, caplog: pytest.LogCaptureFixture
) -> None:
    def talk(message: bytes) -> Sequence[bytes]:
        raise LookupError(message)

    client = Client(options, talk).opened()
    with caplog.at_level(logging.ERROR):
        told, farewell = client.says(TextMessage(data="a secret"))
    assert told == TextMessage(data=in_band_defect().decode())
    assert closing([farewell]) == 1000
    assert "secret" not in caplog.text


# --- how it ends ------------------------------------------------------------------------------------------------------


def test_a_client_that_says_nothing_is_closed_after_a_minute(options: Options) -> None:
    client = Client(options).opened()
    assert client.stage.wakeups[-1].delay == 60
    client.stage.wake()
    assert closing(client.heard()) == 1001
    assert client.connected, "the client ends the connection"


def test_a_client_that_does_not_end_a_closed_socket_is_cut_off(options: Options) -> None:
    client = Client(options).opened()
    client.stage.wake()
    client.stage.wake()
    assert not client.connected
    assert (client.data.closed_by_client, client.data.close_code) == (False, 1001)


def test_what_a_client_says_after_the_end_is_not_heard(options: Options) -> None:
    client = Client(options).opened()
    client.stage.says(client.stage.client, frame("who?") + frame("and who else?"))
    heard = client.heard()
    assert [event.data for event in heard if isinstance(event, Message)] == ["you said who?"]
    client.stage.says(client.stage.client, frame("hello?"))
    assert client.heard() == []


def test_a_timer_of_an_ended_socket_means_nothing(options: Options) -> None:
    client = Client(options).opened()
    early, late = client.stage.wakeups[0], len(client.stage.wakeups)
    (_, farewell) = client.says(TextMessage(data="who?"))
    client.stage.feed(events.Wakeup(early))
    assert client.connected, "the client still has its time to end the connection"
    assert isinstance(farewell, CloseConnection)
    client.says(farewell.response())
    client.stage.feed(events.Wakeup(client.stage.wakeups[late]))
    assert client.stage.hooks.count("websocket_end") == 1


def test_a_client_that_just_leaves_is_let_go(options: Options) -> None:
    """The official one ends every socket so."""
    client = Client(options).opened()
    client.stage.client.state = ConnectionState.CAN_WRITE
    client.stage.feed(events.ConnectionClosed(client.stage.client))
    assert client.stage.client.state is ConnectionState.CLOSED
    assert (client.data.closed_by_client, client.data.close_code) == (True, 1006)
    assert client.stage.hooks[-1] == "websocket_end"


def test_a_client_that_takes_its_leave_is_answered(options: Options) -> None:
    client = Client(options).opened()
    assert closing(client.says(CloseConnection(code=1000, reason="bye"))) == 1000
    assert not client.connected
    assert (client.data.closed_by_client, client.data.close_reason) == (True, "bye")


def test_what_is_no_frame_closes_the_socket(options: Options) -> None:
    client = Client(options).opened()
    client.stage.says(client.stage.client, b"\xff\xff what is this?")
    assert closing(client.heard()) == 1002
    assert not client.connected


def test_a_message_too_large_is_not_listened_to(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_websocket, "MOST_BYTES", 10)
    client = Client(options).opened()
    assert closing(client.says(TextMessage(data="who, by the way, is this?"))) == 1009
    assert client.data.messages == []
