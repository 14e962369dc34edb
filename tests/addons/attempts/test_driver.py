"""What an exchange says is done, driven by hand: no socket, no clock, every event at the moment the test says."""

import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Error
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events

from addons.attempts.connections import GetAccountConnection
from addons.attempts.dialing import NO_DESCRIPTORS
from addons.attempts.protocol import Answer, Loss, Signal, Step
from addons.attempts.selftest import ASK, FINE, LIMITED, Rehearsal, Script
from tests.addons.attempts.asking import asked


def test_a_refusal_stays_hidden_and_the_next_account_answers(options: Options):
    rehearsal = asked(options, Script("one", "two"))
    rehearsal.says(rehearsal.servers[0], LIMITED)
    rehearsal.says(rehearsal.servers[1], FINE)
    assert rehearsal.sent[rehearsal.client].endswith(b"fine")
    assert b"limited" not in rehearsal.sent[rehearsal.client]
    assert b"Bearer one" in rehearsal.sent[rehearsal.servers[0]]
    assert b"Bearer two" in rehearsal.sent[rehearsal.servers[1]]
    assert all(rehearsal.sent[server].endswith(b"body") for server in rehearsal.servers)


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
    assert script.history == ["lost BROKEN"]
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


class Answering(Script):
    def start(self) -> Step:
        return Answer(http.Response.make(418, b"short"))


def test_an_answer_of_our_own_needs_no_upstream(options: Options):
    rehearsal = asked(options, Answering())
    assert not rehearsal.servers
    assert rehearsal.sent[rehearsal.client].startswith(b"HTTP/1.1 418")
    assert rehearsal.hooks[-2:] == ["responseheaders", "response"]


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


class Killing(Rehearsal):
    """The user kills the flow while `hook` is awaited."""

    hook = ""

    def _obey(self, command: commands.Command) -> list[events.Event]:
        if isinstance(command, commands.StartHook) and command.name == "requestheaders":
            self.flow = command.args()[0]
        if isinstance(command, commands.StartHook) and command.name == self.hook:
            self.flow.error = Error(Error.KILLED_MESSAGE)
        return super()._obey(command)


@pytest.mark.parametrize("hook", ["upstream_decision", "responseheaders"])
def test_a_flow_that_is_killed_meanwhile_goes_nowhere(options: Options, hook: str):
    class Deciding(Script):
        def start(self) -> Step:
            return Signal.AWAIT

        def decided(self) -> Step:
            return Answer(http.Response.make(418, b"short"))

    script = Deciding()
    rehearsal = Killing(options, script)
    rehearsal.hook = hook
    rehearsal.says(rehearsal.client, ASK)
    assert script.history == ["gone", "gone"]
    assert rehearsal.client.state is ConnectionState.CLOSED
    assert not rehearsal.servers
    assert b"short" not in rehearsal.sent[rehearsal.client]


def test_a_machine_that_opens_no_more_connections_is_no_accounts_loss() -> None:
    assert GetAccountConnection.loss(f"x {NO_DESCRIPTORS}", through=True) is Loss.SCARCE
    assert GetAccountConnection.loss("refused", through=True) is Loss.PROXY
    assert GetAccountConnection.loss("refused", through=False) is Loss.CONNECT
    assert GetAccountConnection(address=("a", 1), tls=False, via=None).explained(NO_DESCRIPTORS) == NO_DESCRIPTORS
