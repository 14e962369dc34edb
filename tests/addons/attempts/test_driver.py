"""What an exchange says is done, driven by hand: no socket, no clock, every event at the moment the test says."""

import pytest
from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Error
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events

from addons.attempts.connections import GetAccountConnection
from addons.attempts.patches.dialing import NO_DESCRIPTORS
from addons.attempts.protocol import Answer, Conclude, Loss, Signal, Step
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


class DeliversLate(Script):
    """Holds an answer until it is overdue."""

    def head(self, response: http.Response) -> Step:
        return Signal.WAIT

    def overdue(self) -> Step:
        return Signal.DELIVER


def test_what_is_delivered_because_it_is_late_is_looked_at_again(options: Options):
    """It may go on being silent."""
    rehearsal = asked(options, DeliversLate("one"))
    rehearsal.says(rehearsal.servers[0], b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    rehearsal.wake()
    assert rehearsal.wakeups[-1].delay == pytest.approx(30.0, abs=1.0)


def test_a_timer_of_an_earlier_attempt_means_nothing(options: Options):
    script = Script("one", "two")
    rehearsal = asked(options, script)
    early = rehearsal.wakeups[-1]
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


HALF = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
REST = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Second: 1\r\n\r\n4\r\nrest\r\n0\r\n\r\n"


class Continuing(Script):
    """Goes on with the next account when a stream stops, or when a piece of it says `die`."""

    def __init__(self, *keys: str) -> None:
        super().__init__(*keys)
        self.is_dead = False

    def head(self, response: http.Response) -> Step:
        step = super().head(response)
        return Signal.CONTINUE if step is Signal.DELIVER and "delivering" in self.history else step

    def delivering(self, response: http.Response) -> None:
        super().delivering(response)
        response.stream = self.passing

    def passing(self, data: bytes) -> bytes:
        self.is_dead = self.is_dead or b"die" in data
        return data.partition(b"die")[0]

    def passed(self) -> Step:
        if not self.is_dead:
            return Signal.WAIT
        self.is_dead = False
        return self._next()

    def stopped(self, message: str) -> Step:
        self.history.append("stopped")
        return self._next() if len(self.history) < 6 and self.keys else Signal.WAIT

    def overdue(self) -> Step:
        return self._next()

    def lost(self, loss: Loss, message: str) -> Step:
        self.history.append(f"lost {loss.name}")
        return self._next()

    def _next(self) -> Step:
        return self.start() if self.keys else Conclude(b"sorry")


def body_of(rehearsal: Rehearsal) -> bytes:
    """What the client has got, without the lengths of the chunks."""
    head, _, rest = rehearsal.sent[rehearsal.client].partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1" not in rest
    assert rest.index(b"0\r\n\r\n") == len(rest) - 5, "nothing comes behind the last chunk"
    return b"".join(rest.split(b"\r\n")[1::2])


class ContinuesLate(Continuing):
    """Holds what goes on with a stream until it is overdue."""

    def head(self, response: http.Response) -> Step:
        return super().head(response) if self.history.count("head 200") == 0 else Signal.WAIT

    def overdue(self) -> Step:
        return Signal.CONTINUE


def test_what_goes_on_late_is_looked_at_again_too(options: Options):
    rehearsal = asked(options, ContinuesLate("one", "two"))
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.leaves(rehearsal.servers[0])
    rehearsal.says(rehearsal.servers[1], HALF)
    assert rehearsal.wakeups[-1].delay < 30.0, "what is left of the time, the one for its connection being over"
    rehearsal.wake()
    assert rehearsal.wakeups[-1].delay == pytest.approx(30.0, abs=1.0)


def test_a_stream_that_breaks_off_goes_on_with_the_next_account(options: Options):
    script = Continuing("one", "two")
    rehearsal = asked(options, script)
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.leaves(rehearsal.servers[0])
    rehearsal.says(rehearsal.servers[1], REST)
    assert body_of(rehearsal) == b"halfrest"
    assert script.history[-1] == "finished"
    assert "broke" not in script.history
    assert "error" not in rehearsal.hooks
    assert b"Bearer two" in rehearsal.sent[rehearsal.servers[1]]
    assert b"x-second" not in rehearsal.sent[rehearsal.client].lower()


def test_a_stream_that_comes_to_an_early_end_goes_on_with_the_next_account(options: Options):
    rehearsal = asked(options, Continuing("one", "two"))
    rehearsal.says(rehearsal.servers[0], HALF + b"0\r\n\r\n")
    rehearsal.says(rehearsal.servers[1], REST)
    assert body_of(rehearsal) == b"halfrest"


def test_a_stream_that_falls_silent_goes_on_with_the_next_account(options: Options):
    rehearsal = asked(options, Continuing("one", "two"))
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.wake()
    assert rehearsal.servers[0].state is ConnectionState.CLOSED
    rehearsal.says(rehearsal.servers[1], REST)
    assert body_of(rehearsal) == b"halfrest"


@pytest.mark.parametrize("later", [b"", b"5\r\nlater\r\n"])
def test_after_a_stream_has_died_nothing_more_of_it_passes(options: Options, later: bytes):
    rehearsal = asked(options, Continuing("one", "two"))
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.says(rehearsal.servers[0], b"3\r\ndie\r\n" + later)
    rehearsal.says(rehearsal.servers[1], REST)
    assert body_of(rehearsal) == b"halfrest"


def test_when_nobody_is_left_the_stream_ends_with_our_words(options: Options):
    script = Continuing("one", "two")
    rehearsal = asked(options, script, refuse=frozenset({1}))
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.leaves(rehearsal.servers[0])
    assert body_of(rehearsal) == b"halfsorry"
    assert script.history[-2:] == ["lost CONNECT", "finished"]
    assert "error" not in rehearsal.hooks


def test_an_account_that_breaks_before_it_goes_on_is_a_lost_attempt(options: Options):
    script = Continuing("one", "two", "three")
    rehearsal = asked(options, script)
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.leaves(rehearsal.servers[0])
    rehearsal.leaves(rehearsal.servers[1])
    rehearsal.says(rehearsal.servers[2], REST)
    assert body_of(rehearsal) == b"halfrest"


def test_a_client_that_leaves_while_the_next_account_is_asked_is_gone(options: Options):
    script = Continuing("one", "two")
    rehearsal = asked(options, script)
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.leaves(rehearsal.servers[0])
    rehearsal.leaves(rehearsal.client)
    assert script.history[-1] == "gone"
    assert rehearsal.servers[1].state is ConnectionState.CLOSED


class Defect(Continuing):
    def stopped(self, message: str) -> Step:
        raise LookupError("a defect")


def test_a_defect_after_delivery_breaks_the_stream_and_sends_no_second_head(options: Options):
    rehearsal = asked(options, Defect("one", "two"))
    rehearsal.says(rehearsal.servers[0], HALF)
    rehearsal.leaves(rehearsal.servers[0])
    assert rehearsal.sent[rehearsal.client].count(b"HTTP/1.1") == 1
    assert rehearsal.client.state is ConnectionState.CLOSED
    assert len(rehearsal.servers) == 1
