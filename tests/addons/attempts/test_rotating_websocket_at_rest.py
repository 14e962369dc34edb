"""The same while there is no socket upstream, while something is awaited, and at its end."""

import gc
import weakref

import pytest
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from wsproto.events import (
    CloseConnection,
    Ping,
    Pong,
    TextMessage,
)

from addons.attempts.client_connections import UnwantedUpstream
from addons.attempts.patches.typechecks import skip_message_typechecks
from addons.attempts.protocol import (
    Put,
    Signal,
    SocketStep,
    UpstreamDecisionHook,
)
from addons.wire.answers import in_band_defect
from tests.addons.attempts.relay import Relay, Upstream

# --- while there is none upstream ------------------------------------------------------------------------------------


def test_a_ping_is_answered_while_there_is_no_socket_upstream(options: Options) -> None:
    relay = Relay(options)
    relay.moves()
    assert relay.says(Ping(payload=b"there?")) == [Pong(payload=b"there?")]
    assert relay.says(Pong(payload=b"here")) == []


def test_a_socket_that_is_not_wanted_is_left_without_a_word_to_the_client(options: Options) -> None:
    relay = Relay(options)
    relay.socket.after["unwanted"] = relay.exchange.to("two")
    assert relay.stage.flow is not None
    relay.stage.feed(UnwantedUpstream(relay.stage.flow, None))
    assert not relay.first.connected
    second = Upstream(relay.stage, 1).accepts()
    assert (relay.heard(), relay.connected) == ([], True)
    relay.says("ask")
    assert second.texts() == ["ask"]


def test_nobody_is_asked_about_one_that_is_left_already(options: Options) -> None:
    relay = Relay(options)
    relay.says("ask")
    relay.moves()
    assert relay.stage.flow is not None
    relay.stage.feed(UnwantedUpstream(relay.stage.flow, None))
    assert "unwanted" not in relay.socket.told


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
