"""Upstream attempts, driven by hand: no socket, no clock, every event at the moment the test says."""

import gc
import weakref
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import pytest
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events
from mitmproxy.test import taddons
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage

from addons.attempts import connections
from addons.attempts.protocol import Answer, Signal, Step
from addons.attempts.selftest import ASK, FINE, LIMITED, UPGRADE, Hearing, Rehearsal, Script


@pytest.fixture
def options() -> Iterator[Options]:
    with taddons.context(Proxyserver()) as context:
        yield context.options


def asked(
    options: Options, script: Script | None, refuse: frozenset[int] = frozenset(), alpn: bytes | None = None
) -> Rehearsal:
    rehearsal = Rehearsal(options, script, refuse)
    rehearsal.alpn = alpn
    rehearsal.says(rehearsal.client, ASK)
    return rehearsal


def test_a_refusal_stays_hidden_and_the_next_account_answers(options: Options):
    rehearsal = asked(options, Script("one", "two"))
    rehearsal.says(rehearsal.servers[0], LIMITED)
    rehearsal.says(rehearsal.servers[1], FINE)
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")
    assert b"limited" not in rehearsal.sent[rehearsal.client]
    assert b"Bearer one" in rehearsal.sent[rehearsal.servers[0]]
    assert b"Bearer two" in rehearsal.sent[rehearsal.servers[1]]
    assert all(rehearsal.sent[server].endswith(b"body") for server in rehearsal.servers)


def test_accounts_never_share_a_connection_and_one_account_reuses_its_own(options: Options):
    rehearsal = asked(options, Script("one", "two", "one"))
    rehearsal.says(rehearsal.servers[0], LIMITED)
    rehearsal.says(rehearsal.servers[1], LIMITED)
    assert len(rehearsal.servers) == 2
    assert rehearsal.sent[rehearsal.servers[0]].count(b"Bearer one") == 2


def test_a_connection_that_cannot_be_opened_is_a_lost_attempt(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script, refuse=frozenset({0}))
    rehearsal.says(rehearsal.servers[1], FINE)
    assert script.history == ["lost CONNECT", "head 200", "delivering", "finished"]
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")


def test_a_connection_that_breaks_before_the_head_is_a_lost_attempt(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    rehearsal.leaves(rehearsal.servers[0])
    rehearsal.says(rehearsal.servers[1], FINE)
    assert script.history[0] == "lost BROKEN"
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")


def test_silence_is_a_lost_attempt_and_late_words_of_it_are_ignored(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    rehearsal.wake()
    assert script.history == ["lost OVERDUE"]
    assert rehearsal.servers[0].state is ConnectionState.CLOSED
    rehearsal.feed(events.DataReceived(rehearsal.servers[0], FINE))
    assert rehearsal.sent[rehearsal.client] == b""
    rehearsal.says(rehearsal.servers[1], FINE)
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")


def test_a_timer_of_an_earlier_attempt_means_nothing(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    early = rehearsal.wakeups[0]
    rehearsal.says(rehearsal.servers[0], LIMITED)
    rehearsal.feed(events.Wakeup(early))
    assert script.history == ["head 429"]


def test_after_delivery_a_break_is_the_clients_to_see_and_nothing_is_sent_again(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    rehearsal.says(rehearsal.servers[0], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    rehearsal.leaves(rehearsal.servers[0])
    assert script.history == ["head 200", "delivering", "broke"]
    assert len(rehearsal.servers) == 1
    assert rehearsal.client.state is ConnectionState.CLOSED


def test_nobody_left_is_answered_by_ourselves(options: Options):
    rehearsal = asked(options, Script("one"))
    rehearsal.says(rehearsal.servers[0], LIMITED)
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 503")
    assert rehearsal.sent[rehearsal.client].endswith(b"nobody left")


def test_the_client_leaving_cancels_the_attempt_and_is_told_once(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    rehearsal.leaves(rehearsal.client)
    assert "gone" in script.history
    assert rehearsal.servers[0].state is ConnectionState.CLOSED
    assert len(rehearsal.servers) == 1


def test_without_an_exchange_nothing_leaves(options: Options):
    rehearsal = asked(options, None)
    assert not rehearsal.servers
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 503")


class Raising(Script):
    def head(self, response: http.Response) -> Step:
        raise LookupError("a defect")


def test_an_exchange_that_raises_is_answered_503_and_nothing_of_the_attempt_is_delivered(options: Options):
    rehearsal = asked(options, Raising("one", "two"))
    rehearsal.says(rehearsal.servers[0], FINE)
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 503")
    assert b"fine" not in rehearsal.sent[rehearsal.client]
    assert len(rehearsal.servers) == 1


class Waiting(Script):
    def start(self) -> Step:
        return Signal.AWAIT

    def decided(self) -> Step:
        raise ValueError("nothing was decided")


def test_what_was_waited_for_in_vain_is_answered_503(options: Options):
    rehearsal = asked(options, Waiting("one"))
    assert "upstream_decision" in rehearsal.hooks
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 503")
    assert not rehearsal.servers


class Aborting(Script):
    def overdue(self) -> Step:
        return Signal.ABORT


def test_a_delivered_answer_that_is_aborted_ends_on_both_sides(options: Options):
    rehearsal = asked(options, Aborting("one"))
    rehearsal.says(rehearsal.servers[0], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    rehearsal.wake()
    assert rehearsal.client.state is ConnectionState.CLOSED
    assert rehearsal.servers[0].state is ConnectionState.CLOSED


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


def test_a_finished_stream_is_not_kept_by_its_pending_timer(options: Options):
    rehearsal = asked(options, Script("one"))
    stream = weakref.ref(next(iter(rehearsal.layer.streams.values())))
    rehearsal.says(rehearsal.servers[0], FINE)
    gc.collect()
    assert rehearsal.wakeups
    assert stream() is None


def test_layers_of_closed_connections_are_forgotten(options: Options):
    rehearsal = asked(options, Script("one", "two", "three"))
    for n in range(2):
        rehearsal.leaves(rehearsal.servers[n])
        rehearsal.servers[n].timestamp_end = 1.0
    rehearsal.says(rehearsal.servers[2], FINE)
    connections.forget_closed(rehearsal.layer)
    kept = [rehearsal.layer.connections[server] for server in rehearsal.servers[:2]]
    assert all(type(one).__name__ == "_Inert" for one in kept)


class Answering(Script):
    def start(self) -> Step:
        return Answer(http.Response.make(418, b"short"))


def test_an_answer_of_our_own_needs_no_upstream(options: Options):
    rehearsal = asked(options, Answering())
    assert not rehearsal.servers
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 418")
    assert rehearsal.hooks[-2:] == ["responseheaders", "response"]


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


CHUNKED = b"POST / HTTP/1.1\r\nHost: upstream.test\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_a_body_too_large_to_keep_is_sent_once(options: Options):
    options.update(stream_large_bodies="4")
    script = Script("one", "two")
    rehearsal = Rehearsal(options, script)
    rehearsal.says(rehearsal.client, CHUNKED + b"8\r\n12345678\r\n")
    rehearsal.says(rehearsal.client, b"3\r\nend\r\n0\r\n\r\n")
    assert script.replayable is False
    assert rehearsal.sent[rehearsal.servers[0]].endswith(b"8\r\n12345678\r\n3\r\nend\r\n0\r\n\r\n")
    rehearsal.says(rehearsal.servers[0], FINE)
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")


def test_an_answer_of_our_own_waits_for_a_streamed_body_to_end(options: Options):
    options.update(stream_large_bodies="4")
    rehearsal = Rehearsal(options, Answering())
    rehearsal.says(rehearsal.client, CHUNKED + b"8\r\n12345678\r\n")
    assert rehearsal.sent[rehearsal.client] == b""
    rehearsal.says(rehearsal.client, b"0\r\n\r\n")
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 418")
