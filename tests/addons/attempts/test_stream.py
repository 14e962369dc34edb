"""The streams that mitmproxy is given, driven by hand: no socket, no clock, every event at the moment the test says."""

import gc
import weakref

import h2.config
import h2.connection
import h2.events
import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage

from addons.attempts import connections
from addons.attempts.patches.typechecks import skip_message_typechecks
from addons.attempts.protocol import Step
from addons.attempts.selftest import FINE, HTTP2_ASK, LIMITED, UPGRADE, Hearing, Http2Rehearsal, Rehearsal, Script
from tests.addons.attempts.asking import asked


def test_accounts_never_share_a_connection_and_one_account_reuses_its_own(options: Options):
    rehearsal = asked(options, Script("one", "two", "one"))
    rehearsal.says(rehearsal.servers[0], LIMITED)
    rehearsal.says(rehearsal.servers[1], LIMITED)
    assert len(rehearsal.servers) == 2
    assert rehearsal.sent[rehearsal.servers[0]].count(b"Bearer one") == 2


def test_the_client_leaving_cancels_the_attempt_and_is_told_once(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    rehearsal.leaves(rehearsal.client)
    assert "gone" in script.history
    assert rehearsal.servers[0].state is ConnectionState.CLOSED
    assert len(rehearsal.servers) == 1


class H2Upstream:
    """The server's side of one HTTP/2 connection, as values."""

    def __init__(self, rehearsal: Rehearsal, server: Server) -> None:
        self.rehearsal, self.server, self.taken = rehearsal, server, 0
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.initiate_connection()

    def read(self) -> list[h2.events.Event]:
        data = self.rehearsal.sent[self.server][self.taken :]
        self.taken += len(data)
        return self.h2.receive_data(data)

    def answer(self, stream: int, status: str, body: bytes) -> None:
        self.h2.send_headers(stream, [(":status", status), ("content-length", str(len(body)))])
        self.h2.send_data(stream, body, end_stream=True)
        self.rehearsal.says(self.server, self.h2.data_to_send())


def test_two_attempts_on_one_http2_connection_get_streams_of_their_own(options: Options):
    rehearsal = asked(options, Script("one", "one"), alpn=b"h2")
    upstream = H2Upstream(rehearsal, rehearsal.servers[0])
    first = [e.stream_id for e in upstream.read() if isinstance(e, h2.events.RequestReceived)]
    upstream.answer(first[0], "429", b"limited")
    second = [e.stream_id for e in upstream.read() if isinstance(e, h2.events.RequestReceived)]
    upstream.answer(second[0], "200", b"fine")
    assert len(rehearsal.servers) == 1
    assert first != second
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")
    assert set(rehearsal.layer.streams) == set(), "the streams of finished attempts are dropped"


def test_a_third_attempt_on_a_connection_does_not_get_the_second_ones_stream(options: Options):
    rehearsal = asked(options, Script("one", "one", "one", "one"), alpn=b"h2")
    upstream = H2Upstream(rehearsal, rehearsal.servers[0])
    for status in ("401", "401", "401", "200"):
        (asking,) = [e.stream_id for e in upstream.read() if isinstance(e, h2.events.RequestReceived)]
        upstream.answer(asking, status, b"fine")
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 200")


def test_an_abandoned_http2_attempt_is_reset_and_its_late_answer_ignored(options: Options):
    rehearsal = asked(options, Script("one", "one"), alpn=b"h2")
    upstream = H2Upstream(rehearsal, rehearsal.servers[0])
    upstream.read()
    rehearsal.wake()
    seen = upstream.read()
    assert any(isinstance(e, h2.events.StreamReset) for e in seen)
    second = next(e.stream_id for e in seen if isinstance(e, h2.events.RequestReceived))
    upstream.answer(second, "200", b"fine")
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")


def test_a_client_that_leaves_a_further_attempt_has_that_one_cancelled(options: Options):
    rehearsal = asked(options, Script("one", "one"), alpn=b"h2")
    upstream = H2Upstream(rehearsal, rehearsal.servers[0])
    (first,) = [e.stream_id for e in upstream.read() if isinstance(e, h2.events.RequestReceived)]
    upstream.answer(first, "429", b"limited")
    (second,) = [e.stream_id for e in upstream.read() if isinstance(e, h2.events.RequestReceived)]
    rehearsal.leaves(rehearsal.client)
    assert [e.stream_id for e in upstream.read() if isinstance(e, h2.events.StreamReset)] == [second]
    assert not rehearsal.layer.streams


def test_a_finished_stream_is_not_kept_by_its_pending_timer(options: Options):
    rehearsal = asked(options, Script("one"))
    stream = weakref.ref(next(iter(rehearsal.layer.streams.values())))
    rehearsal.says(rehearsal.servers[0], FINE)
    gc.collect()
    assert rehearsal.wakeups
    assert stream() is None


@pytest.mark.parametrize("keys", [("one",), ("one", "two")])
def test_a_finished_stream_leaves_nothing_for_the_garbage_collector(
    options: Options, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(http.MessageData, "__post_init__", http.MessageData.__post_init__)  # put back afterwards
    skip_message_typechecks()
    rehearsal = asked(options, Script(*keys))
    stream = weakref.ref(next(iter(rehearsal.layer.streams.values())))
    gc.collect()
    gc.disable()
    try:
        for server in rehearsal.servers:  # the second is there once the first has said something
            rehearsal.says(server, FINE if len(rehearsal.servers) == len(keys) else LIMITED)
        assert rehearsal.sent[rehearsal.client].endswith(b"fine")
        assert stream() is None
    finally:
        gc.enable()


class Hiding(Script):
    """Its flow shows no cookie; the client gets it."""

    def __init__(self, *keys: str, streamed: bool = False) -> None:
        super().__init__(*keys)
        self.streamed = streamed

    def delivering(self, response: http.Response) -> None:
        response.stream = self.streamed
        response.headers["set-cookie"] = "marked"

    def reveal(self, response: http.Response) -> http.Response:
        revealed = response.copy()
        revealed.headers["set-cookie"] = "secret"
        return revealed

    def reveal_data(self, data: bytes) -> bytes:
        return data.replace(b"fine", b"even")


@pytest.mark.parametrize("keys", [("one",), ("one", "two")])
@pytest.mark.parametrize(("streamed", "body"), [(True, b"fine"), (False, b"even")])
def test_the_client_gets_what_the_flow_does_not_show(
    options: Options, keys: tuple[str, ...], streamed: bool, body: bytes
):
    """The head; of the body what was kept, and by then replaced. What is streamed was never replaced."""
    rehearsal = asked(options, Hiding(*keys, streamed=streamed))
    for server in rehearsal.servers:
        rehearsal.says(server, FINE if len(rehearsal.servers) == len(keys) else LIMITED)
    assert b"set-cookie: secret\r\n" in rehearsal.sent[rehearsal.client]
    assert b"marked" not in rehearsal.sent[rehearsal.client]
    assert rehearsal.sent[rehearsal.client].endswith(body)


def test_a_head_of_our_own_hides_nothing(options: Options):
    rehearsal = asked(options, Hiding())
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 503")
    assert b"set-cookie" not in rehearsal.sent[rehearsal.client]


def test_layers_of_closed_connections_are_forgotten(options: Options):
    rehearsal = asked(options, Script("one", "two", "three"))
    for n in range(2):
        rehearsal.leaves(rehearsal.servers[n])
        rehearsal.servers[n].timestamp_end = 1.0
    rehearsal.says(rehearsal.servers[2], FINE)
    connections.forget_closed(rehearsal.layer)
    kept = [rehearsal.layer.connections[server] for server in rehearsal.servers[:2]]
    assert all(type(one).__name__ == "_Inert" for one in kept)


class HearingLast(Hearing):
    """Asks one account first, and accepts the upgrade by itself when that has not answered."""

    def start(self) -> Step:
        return Script.start(self) if self.keys else Hearing.start(self)


def frame(text: str) -> bytes:
    return Connection(ConnectionType.CLIENT).send(TextMessage(data=text))


@pytest.mark.parametrize("alpn", [None, b"h2"])
def test_an_upgrade_accepted_after_an_attempt_is_a_socket_that_hears_nothing_of_upstream(
    options: Options, alpn: bytes | None
):
    script = HearingLast("one")
    rehearsal = Rehearsal(options, script)
    rehearsal.alpn = alpn
    rehearsal.says(rehearsal.client, UPGRADE)
    (server,) = rehearsal.servers
    rehearsal.wake()
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 101")
    rehearsal.feed(events.DataReceived(server, FINE))
    sent = rehearsal.sent[server]
    rehearsal.says(rehearsal.client, frame("asked"))
    assert "asked" in script.history
    assert b"told" in rehearsal.sent[rehearsal.client]
    assert b"fine" not in rehearsal.sent[rehearsal.client]
    assert rehearsal.sent[server] == sent


def test_an_addon_that_replaces_our_acceptance_by_another_answer_has_its_way(options: Options):
    """Its answer is delivered as any other, and nobody waits for messages."""

    class Replacing(Rehearsal):
        def _obey(self, command: commands.Command) -> list[events.Event]:
            if isinstance(command, commands.StartHook) and command.name == "responseheaders":
                command.args()[0].response = http.Response.make(403, b"not here")
            return super()._obey(command)

    rehearsal = Replacing(options, Hearing())
    rehearsal.says(rehearsal.client, UPGRADE)
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 403")
    assert not rehearsal.layer.streams


@pytest.mark.parametrize("attempts", [1, 2])
def test_of_an_answer_that_turns_out_to_be_large_nothing_is_lost(options: Options, attempts: int):
    """mitmproxy keeps its beginning until it knows, and then tells that once more."""
    options.update(stream_large_bodies="10")
    rehearsal = asked(options, Script("one", "two"))
    for place in range(attempts - 1):
        rehearsal.says(rehearsal.servers[place], LIMITED)
    server = rehearsal.servers[attempts - 1]
    rehearsal.says(server, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    rehearsal.says(server, b"7\r\n second\r\n")
    rehearsal.says(server, b"6\r\n third\r\n0\r\n\r\n")
    got = rehearsal.sent[rehearsal.client]
    assert [word for word in (b"first", b" second", b" third") if word in got] == [b"first", b" second", b" third"]


def test_trailers_do_not_reach_a_server_of_http1_also_where_the_body_is_streamed(options: Options):
    """mitmproxy would fail on them, and the client get nothing."""
    options.update(stream_large_bodies="1")
    script = Script("one")
    rehearsal, client = Http2Rehearsal(options, script), h2.connection.H2Connection()
    client.initiate_connection()
    client.send_headers(1, HTTP2_ASK)
    client.send_data(1, b"body")
    client.send_headers(1, [("x-sum", "1")], end_stream=True)
    rehearsal.says(rehearsal.client, client.data_to_send())
    server = rehearsal.servers[0]
    assert rehearsal.sent[server].endswith(b"0\r\n\r\n")
    rehearsal.says(server, FINE)
    assert script.history[-1] == "finished"
