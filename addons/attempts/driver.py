"""What an exchange says is done here: send an attempt, hold what comes, deliver it, answer, break off.

Nothing is decided here. A driver stands beside the stream that mitmproxy calls (`stream.py`), sets that stream's states
and calls its methods; of mitmproxy's internals it leans on what docs/mitmproxy.md names.
"""

from collections.abc import Callable

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers.http._base import HttpEvent

from addons.attempts import own_words
from addons.attempts.attempt import AttemptPhase, UpstreamAttempt
from addons.attempts.connecting import NoConnection, connect
from addons.attempts.connections import LedStream
from addons.attempts.protocol import (
    Accept,
    Answer,
    Conclude,
    Exchange,
    Loss,
    Send,
    Signal,
    Step,
    Talk,
    UpstreamDecisionHook,
)
from addons.attempts.timers import AttemptWakeup, Timers
from addons.wire.answers import failed_closed, log_defect


class ExchangeDriver:
    """Does for one stream what its exchange says."""

    def __init__(self, stream: LedStream, timers: Timers) -> None:
        self.stream = stream
        self.timers = timers
        self.exchange: Exchange | None = None
        self.attempt = UpstreamAttempt(stream.stream_id, stream.stream_id)
        """The newest one. There is always one, so that nobody has to ask."""
        self.begun = False
        """Whether the client is getting an answer, or has got one."""
        self.talk: Talk | None = None
        """What is said inside of a WebSocket that we have accepted ourselves."""

    # What has happened

    def start(self, exchange: Exchange | None) -> layer.CommandGenerator[None]:
        """The request can be sent."""
        self.exchange = exchange
        yield from self._follow(self._ask(lambda exchange: exchange.start()))

    def lost(self, event: h.ResponseProtocolError) -> layer.CommandGenerator[None]:
        """An attempt that was held has broken."""
        self.attempt.connection = None
        unread = self.attempt.on_kept_connection and not self.attempt.held
        yield from self._follow(self._loss(Loss.STALE if unread else Loss.BROKEN, event))

    def woken(self, timer: AttemptWakeup) -> layer.CommandGenerator[None]:
        """A timer fires. What that means is asked now."""
        if timer is self.attempt.timer:
            step = self._ask(lambda exchange: exchange.overdue())
            yield from self._follow(step)
            if step in {Signal.WAIT, Signal.DELIVER, Signal.CONTINUE}:  # what is delivered may fall silent, too
                yield from self._schedule()

    def delivering(self, response: http.Response) -> None:
        """The response of the attempt is about to become the flow's."""
        if self.exchange is not None:
            self.exchange.delivering(response)

    def passed(self) -> layer.CommandGenerator[None] | None:
        """A piece of a stream that is delivered has passed: what is to be done about that, mostly nothing."""
        step = Signal.WAIT if self.exchange is None else self._ask(lambda exchange: exchange.passed())
        return None if step is Signal.WAIT else self._follow(step)

    def stopped(self, message: str = "") -> layer.CommandGenerator[bool]:
        """Upstream says no more in a stream that is delivered: whether something else follows."""
        if self.exchange is None or self.attempt.phase is not AttemptPhase.DELIVERED:
            return False
        step = self._ask(lambda exchange: exchange.stopped(message))
        if step is Signal.WAIT:
            return False
        self.attempt.connection = None
        yield from self._follow(step)
        return True

    def finished(self) -> None:
        """The client has, or is about to get, the whole answer."""
        self.attempt.timer = None
        if self.exchange is not None:
            self.exchange.finished()

    def broken_off(self, event: h.RequestProtocolError | h.ResponseProtocolError) -> None:
        """The client, or upstream in what is delivered, has come to an early end."""
        self.attempt.end()
        if self.exchange is not None and self.stream.server_state != self.stream.state_done:
            if isinstance(event, h.ResponseProtocolError):
                self.exchange.broke(event.message)
            else:
                self.exchange.gone()

    def let_go(self) -> None:
        """The stream is over, and must not be kept by us."""
        self.timers.forget(self.stream)
        self.exchange = None
        self.attempt.held.clear()
        del self.stream

    # The state that we give to the stream

    def state_hold_response(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """An attempt is under way, and nothing of it is delivered."""
        self.attempt.held.append(event)
        step: Step = Signal.WAIT
        if isinstance(event, h.ResponseHeaders):
            response = event.response
            step = self._ask(lambda exchange: exchange.head(response))
            if step is Signal.WAIT and response.status_code >= 300:
                yield from self._schedule()  # a refusal has another patience than an answer
        elif isinstance(event, h.ResponseData):
            data = event.data
            step = self._ask(lambda exchange: exchange.body(data))
        elif isinstance(event, h.ResponseEndOfMessage):
            self.attempt.connection = None
            step = self._ask(lambda exchange: exchange.end())
        yield from self._follow(step)

    # Doing what the exchange says

    def _ask(self, question: Callable[[Exchange], Step]) -> Step:
        """Fail closed: no exchange, or one that raises, means that nothing leaves."""
        if self.exchange is None:
            return Answer(failed_closed())
        try:
            return question(self.exchange)
        except Exception as e:  # noqa: BLE001 - the border: whatever goes wrong, nothing leaves
            log_defect("a request was refused", e)
            return Answer(failed_closed())

    def _follow(self, step: Step) -> layer.CommandGenerator[None]:
        while True:
            if isinstance(step, Send):
                failed = yield from self._send(step)
                if failed is None:
                    return
                step = self._unconnected(failed) if isinstance(failed, NoConnection) else failed
            elif isinstance(step, Answer | Conclude):
                yield from self._end(step)
                return
            elif step is Signal.AWAIT:
                yield from self.attempt.abandon()
                assert self.exchange is not None
                yield UpstreamDecisionHook(self.exchange)
                if (yield from self._client_gone()):
                    return
                step = self._ask(lambda exchange: exchange.decided())
            else:
                if step is Signal.DELIVER or step is Signal.CONTINUE:
                    yield from self._deliver(further=step is Signal.CONTINUE)
                elif step is Signal.ABORT:
                    yield from own_words.abort(self.stream, self.attempt, "upstream fell silent")
                return

    def _send(self, step: Send) -> layer.CommandGenerator[NoConnection | Answer | None]:
        """Make an attempt. The reply is why there is no connection, an answer when it must not be used, else None."""
        stream = self.stream
        yield from self.attempt.abandon()
        self.attempt = attempt = self.attempt.successor()
        stream.server_state = self.state_hold_response
        seconds = self.exchange.patience() if self.exchange is not None else 0
        connection = yield from connect(stream, attempt, step, self.timers, seconds)
        if (yield from self._client_gone()):
            return None
        if not isinstance(connection, Server):
            return connection
        yield from attempt.send(step.request, connection, complete=stream.client_state == stream.state_done)
        yield from self._schedule()
        return None

    def _deliver(self, *, further: bool) -> layer.CommandGenerator[None]:
        """Hand the attempt over to mitmproxy's own states, from its first event on; a `further` one without its head,
        because the client has had one."""
        stream, attempt = self.stream, self.attempt
        stream.server_state = stream.state_stream_response_body if further else stream.state_wait_for_response_headers
        self.begun = True
        for event in attempt.take_held():
            if self.attempt is not attempt or attempt.phase is not AttemptPhase.DELIVERED:
                return  # it has died within what was held
            if further and isinstance(event, h.ResponseHeaders | h.ResponseTrailers):
                continue
            if isinstance(event, h.ResponseProtocolError):
                yield from stream.handle_protocol_error(event)
            else:
                yield from stream.server_state(event)

    def _end(self, step: Answer | Conclude) -> layer.CommandGenerator[None]:
        """With words of ours."""
        if isinstance(step, Conclude):
            yield from own_words.conclude(self.stream, self.attempt, step.data)
        elif self.begun:
            yield from own_words.abort(self.stream, self.attempt, "a defect in the middle of an answer")
        else:
            yield from self.attempt.abandon()
            self.talk = step.talk if isinstance(step, Accept) else None
            yield from own_words.OwnAnswer(self.stream, self._client_gone).give(step.response)

    def _client_gone(self) -> layer.CommandGenerator[bool]:
        """To be asked after everything that takes time: the client may have left, or the user killed the flow."""
        if not (yield from self.stream.check_killed(True)):
            return False
        self.attempt.end()
        if self.exchange is not None:
            self.exchange.gone()
        return True

    def _unconnected(self, failed: NoConnection) -> Step:
        event = h.ResponseProtocolError(self.stream.stream_id, failed.message, h.ErrorCode.CONNECT_FAILED)
        return self._loss(failed.loss, event)

    def _loss(self, loss: Loss, event: h.ResponseProtocolError) -> Step:
        self.attempt.held.append(event)
        return self._ask(lambda exchange: exchange.lost(loss, event.message))

    def _schedule(self) -> layer.CommandGenerator[None]:
        seconds = self.exchange.patience() if self.exchange is not None else 0
        yield from self.attempt.wake_after(seconds, self.stream, self.timers)
