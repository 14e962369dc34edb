"""A client's WebSocket whose upstream becomes another one."""

import base64
import itertools

import pytest
from mitmproxy.options import Options
from mitmproxy.proxy.layers.websocket import WebSocketMessageInjected
from mitmproxy.websocket import WebSocketMessage
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    TextMessage,
)
from wsproto.frame_protocol import Opcode

from addons.attempts.protocol import (
    Put,
    Say,
    Signal,
)
from tests.addons.attempts.relay import TOKENS, Relay, Upstream

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


@pytest.mark.parametrize("deflate", [True, False])
@pytest.mark.parametrize("moved", [True, False])
def test_the_token_that_a_socket_was_opened_with_comes_back_from_it_to_nobody(
    options: Options, deflate: bool, moved: bool
) -> None:
    """As it was sent, escaped or in base64, also where a message is cut in its middle."""
    relay = Relay(options, deflate=deflate)
    server, token = (relay.moved(), TOKENS["two"]) if moved else (relay.first, TOKENS["one"])
    escaped, packed = token.replace("-", "\\u002d"), base64.b64encode(token.encode()).decode()
    server.says(
        TextMessage(data=f'{{"x": "{token}"}}'),
        TextMessage(data=escaped),
        BytesMessage(data=packed.encode()),
        TextMessage(data=token[:9], message_finished=False),
        TextMessage(data=f"{token[9:]} and more"),
        Ping(payload=token.encode()),
        CloseConnection(code=1000, reason=f"bad {token}"),
    )
    heard = relay.heard()
    assert len(heard) == 7
    told = repr(heard) + repr(relay.data.messages) + repr(relay.data.close_reason)
    assert relay.data.messages[-1].content.endswith(b" and more")
    assert not [each for each in (token, token[9:], escaped, packed[:-4]) if each in told]


def test_what_the_client_says_itself_is_left_alone(options: Options) -> None:
    relay = Relay(options)
    relay.says(TOKENS["one"])
    assert relay.first.texts() == [TOKENS["one"]]


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
