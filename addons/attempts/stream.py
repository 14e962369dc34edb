"""Upstream attempts: the one module that leans on mitmproxy's internals.

mitmproxy's public hooks cannot ask upstream a second time: once a response head has been seen it belongs to the flow.
So the HTTP layer gets streams of our own class. They let mitmproxy read the client's request as always and then,
instead of connecting once, do what an `Exchange` says: send this copy of the request, wait, send that one, deliver
what was held. From "deliver" on the base class is in charge again: streaming, hooks, capture and errors are its own.

What is leaned on, and why it is safe to: docs/mitmproxy.md. `selftest.py` drives all of it before the proxy starts.
"""

import itertools
from collections.abc import Callable, Generator
from typing import Any, Final

from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers.http._base import HttpEvent
from mitmproxy.proxy.layers.websocket import WebsocketLayer

from addons.attempts.connections import GetAccountConnection, LedStream, forget_closed, know
from addons.attempts.local_websocket import LocalSocket
from addons.attempts.protocol import (
    Accept,
    Answer,
    Exchange,
    Find,
    Loss,
    Send,
    Signal,
    Step,
    Talk,
    UpstreamDecisionHook,
)
from addons.attempts.timers import AttemptWakeup, Timers
from addons.wire.answers import failed_closed, log_defect

RESPONSE_EVENTS: Final = (
    h.ResponseHeaders,
    h.ResponseData,
    h.ResponseTrailers,
    h.ResponseEndOfMessage,
    h.ResponseProtocolError,
)

_FRESH_IDS: Final = itertools.count(-1, -1)
"""Stream ids for further attempts: no client can use them, HTTP/2's are positive, and none is ever used twice."""


def _nothing(_: events.Event | None = None) -> layer.CommandGenerator[None]:
    yield from ()


class AttemptStream(LedStream):
    """One request of the client and all attempts made for it."""

    def __init__(self, context: Context, stream_id: int, http_layer: h.HttpLayer, timers: Timers, find: Find) -> None:
        super().__init__(context, stream_id)
        self.http_layer = http_layer
        self.timers = timers
        self.find = find
        self.exchange: Exchange | None = None
        self.held: list[HttpEvent] = []
        self.wire_id = stream_id
        """The id of the current attempt. A further attempt gets a fresh one: HTTP/2 connections never reuse an id, and
        whatever an abandoned attempt still says can be told apart and ignored."""
        self.attempted = False
        self.abandoned = False
        self.undecided = False
        """An attempt is under way and nothing of it has been delivered."""
        self.upstream_open = False
        self.hidden = False
        self.talk: Talk | None = None
        self.timer: AttemptWakeup | None = None

    # What mitmproxy calls

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, RESPONSE_EVENTS):
            if self._is_straggler(event):
                return _nothing()
            event.stream_id = self.stream_id
        elif self._is_ours(event):
            return self._woken(event)
        handling: layer.CommandGenerator[None] = super()._handle_event(event)
        if self.undecided or self.hidden or self.wire_id != self.stream_id:
            return self._translated(handling)
        return handling

    def passthrough(self, event: events.Event) -> layer.CommandGenerator[None]:
        handling: layer.CommandGenerator[None] = super().passthrough(event)
        if not self.attempted:  # a tunnel: all that is inside comes this way
            return handling
        if self._is_straggler(event) or self._is_ours(event):
            return _nothing()
        return self._relayed(self._translated(handling) if self.wire_id != self.stream_id else handling)

    def _relayed(self, handling: layer.CommandGenerator[None]) -> layer.CommandGenerator[None]:
        yield from handling
        if self.flow.websocket is not None and not self.flow.live:
            self._let_go()

    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:
        """A body of known length was judged by it, and a hook may since have said to keep it: no streaming later."""
        if request and self.request_body_buf and "content-length" in self.flow.request.headers:
            return False
        return (yield from super().check_body_size(request))

    def make_server_connection(self) -> layer.CommandGenerator[bool]:
        """The request is complete. The base class shall not send it: attempts do."""
        self.exchange = self.find(self.flow)
        yield from self._follow(self._ask(lambda exchange: exchange.start()))
        return False

    def start_request_stream(self) -> layer.CommandGenerator[None]:
        """The body is too large to keep, or an addon asked to stream it: one attempt, and no second."""
        self.exchange = self.find(self.flow)
        if self.exchange is not None:
            self.exchange.streaming()
        self.client_state = self.state_stream_request_body
        yield from self._follow(self._ask(lambda exchange: exchange.start()))

    def state_wait_for_response_headers(self, event: h.ResponseHeaders) -> layer.CommandGenerator[None]:
        if self.undecided:  # a streamed request: the base class has set the state it knows
            self.server_state = self.state_attempt
            yield from self.state_attempt(event)
            return
        if self.exchange is not None:
            self.exchange.delivering(event.response)
            self.hidden = True
        yield from super().state_wait_for_response_headers(event)

    def send_response(self, already_streamed: bool = False) -> layer.CommandGenerator[None]:
        self.timer = None
        if self.exchange is not None:
            self.exchange.finished()
        sending: layer.CommandGenerator[None] = super().send_response(already_streamed)
        yield from sending if already_streamed else self._translated(sending)

    def flow_done(self) -> layer.CommandGenerator[None]:
        """An upgrade that we have accepted ourselves has nobody behind it to relay to."""
        if self.talk is None or self.flow.response is None or self.flow.response.status_code != 101:
            yield from super().flow_done()
            if self.child_layer is None:
                self._let_go()
            return
        self.child_layer = LocalSocket(self.context, self.flow, self.talk)
        self._handle_event = self.passthrough  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(events.Start())
        yield h.SendHttp(h.ResponseEndOfMessage(self.stream_id), self.context.client)

    def handle_protocol_error(
        self, event: h.RequestProtocolError | h.ResponseProtocolError
    ) -> layer.CommandGenerator[None]:
        if isinstance(event, h.ResponseProtocolError) and self.undecided:
            self.upstream_open = False
            yield from self._follow(self._loss(Loss.BROKEN, event))
            return
        self.timer = None
        self.undecided = False
        if self.exchange is not None and self.server_state != self.state_done:
            if isinstance(event, h.ResponseProtocolError):
                self.exchange.broke(event.message)
            else:
                self.exchange.gone()
        yield from super().handle_protocol_error(event)
        if self.http_layer.streams.get(self.stream_id) is not self:
            self._let_go()

    def _let_go(self) -> None:
        """Nothing more comes of this stream. What leads back to it goes, and the flow with its bodies: the garbage
        collector would find them, but maybe a thousand requests later."""
        self._handle_event = self.client_state = self.server_state = _nothing  # type: ignore[method-assign,assignment]
        self.timers.forget(self)
        self.exchange = None
        self.held.clear()
        self.context.layers.clear()
        if isinstance(self.child_layer, (LocalSocket, WebsocketLayer)):
            del self.child_layer.flow
        del self.flow

    def _is_straggler(self, event: events.Event) -> bool:
        """Whether this comes from an attempt that was left."""
        return isinstance(event, RESPONSE_EVENTS) and (self.abandoned or event.stream_id != self.wire_id)

    # States of our own

    def state_attempt(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """An attempt is under way and nothing of it has been delivered."""
        self.held.append(event)
        step: Step = Signal.WAIT
        if isinstance(event, h.ResponseHeaders):
            response = event.response
            step = self._ask(lambda exchange: exchange.head(response))
        elif isinstance(event, h.ResponseData):
            data = event.data
            step = self._ask(lambda exchange: exchange.body(data))
        elif isinstance(event, h.ResponseEndOfMessage):
            self.upstream_open = False
            step = self._ask(lambda exchange: exchange.end())
        yield from self._follow(step)

    def state_swallow_request_body(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """We have an answer before the client has finished asking: read on, then answer."""
        if isinstance(event, h.RequestEndOfMessage):
            self.client_state = self.state_done
            yield from self._respond()

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
                error = yield from self._send(step)
                if error is None:
                    return
                lost = h.ResponseProtocolError(self.stream_id, error, h.ErrorCode.CONNECT_FAILED)
                step = self._loss(Loss.PROXY if self.flow.server_conn.via else Loss.CONNECT, lost)
            elif isinstance(step, Answer):
                yield from self._abandon()
                self.flow.response = step.response
                self.talk = step.talk if isinstance(step, Accept) else None
                yield from self._respond()
                return
            elif step is Signal.AWAIT:
                yield from self._abandon()
                if not (yield from self._decide()):
                    return
                step = self._ask(lambda exchange: exchange.decided())
            else:
                if step is Signal.DELIVER:
                    yield from self._deliver()
                elif step is Signal.ABORT:
                    yield from self._abort()
                return

    def _send(self, attempt: Send) -> layer.CommandGenerator[str | None]:
        """Start an attempt. The reply is an error message when there is no connection, else None."""
        yield from self._abandon()
        self.wire_id = next(_FRESH_IDS) if self.attempted else self.stream_id
        self.attempted = self.undecided = True
        self.abandoned = False
        self.held.clear()
        self.server_state = self.state_attempt
        forget_closed(self.http_layer)
        wanted = GetAccountConnection.for_attempt(attempt, self.flow.server_conn, self.http_layer)
        if wanted.via and self.exchange is not None:
            yield from wanted.hurried(self.exchange.patience())
        connection, error = yield wanted
        if (yield from self._client_gone()):
            return None
        if connection is None:
            return wanted.explained(str(error))
        wanted.took(connection, attempt.request)
        self.context.server = self.flow.server_conn = connection
        if self.wire_id != self.stream_id:
            self.http_layer.streams[self.wire_id] = self
        self.upstream_open = True
        yield from self._send_request(attempt.request, connection)
        yield from self._schedule()
        return None

    def _send_request(self, request: http.Request, connection: Server) -> layer.CommandGenerator[None]:
        complete = self.client_state == self.state_done
        content, trailers = (request.raw_content, request.trailers) if complete else (None, None)
        if content and not {"content-length", "transfer-encoding"} & {k.lower() for k in request.headers}:
            request.headers["content-length"] = str(len(content))  # HTTP/2 may leave it out, HTTP/1 must not
        bare = complete and not (content or trailers)
        yield h.SendHttp(h.RequestHeaders(self.wire_id, request, bare), connection)
        if content:
            yield h.SendHttp(h.RequestData(self.wire_id, content), connection)
        if trailers:
            yield h.SendHttp(h.RequestTrailers(self.wire_id, trailers), connection)
        if complete:
            yield h.SendHttp(h.RequestEndOfMessage(self.wire_id), connection)

    def _deliver(self) -> layer.CommandGenerator[None]:
        """Hand the attempt over to the base class, from its first event on."""
        held, self.held = self.held, []
        self.undecided = False
        self.server_state = self.state_wait_for_response_headers
        for event in held:
            if isinstance(event, h.ResponseProtocolError):
                yield from self.handle_protocol_error(event)
            else:
                yield from self.server_state(event)

    def _respond(self) -> layer.CommandGenerator[None]:
        if self.client_state == self.state_stream_request_body:
            self.client_state = self.state_swallow_request_body
            self.server_state = self.state_done
            return
        yield h.HttpResponseHeadersHook(self.flow)
        if (yield from self._client_gone()):
            return
        yield from self.send_response()

    def _decide(self) -> layer.CommandGenerator[bool]:
        assert self.exchange is not None
        yield UpstreamDecisionHook(self.exchange)
        return not (yield from self._client_gone())

    def _client_gone(self) -> layer.CommandGenerator[bool]:
        """To be asked after everything that takes time: the client may have left, or the user killed the flow."""
        if not (yield from self.check_killed(True)):
            return False
        self.timer = None
        self.undecided = False
        if self.exchange is not None:
            self.exchange.gone()
        return True

    def _loss(self, loss: Loss, event: h.ResponseProtocolError) -> Step:
        self.held.append(event)
        return self._ask(lambda exchange: exchange.lost(loss, event.message))

    def _abandon(self) -> layer.CommandGenerator[None]:
        """Leave the current attempt: cancel what is still running upstream and forget its id."""
        self.timer = None
        self.undecided = False
        self.abandoned = self.attempted
        if self.upstream_open:
            self.upstream_open = False
            cancel = h.RequestProtocolError(self.wire_id, "attempt abandoned", h.ErrorCode.CANCEL)
            yield h.SendHttp(cancel, self.context.server)
        if self.wire_id != self.stream_id:
            yield h.DropStream(self.wire_id)

    def _abort(self) -> layer.CommandGenerator[None]:
        yield from self._abandon()
        stalled = h.ResponseProtocolError(self.stream_id, "upstream fell silent", h.ErrorCode.GENERIC_SERVER_ERROR)
        yield from super().handle_protocol_error(stalled)

    # Time: what it means that a timer fires is asked then.

    def _schedule(self) -> layer.CommandGenerator[None]:
        seconds = self.exchange.patience() if self.exchange is not None else 0
        self.timer = None
        if seconds > 0:
            self.timer = AttemptWakeup(seconds, self)
            yield from self.timers.schedule(self.timer)

    def _is_ours(self, event: events.Event) -> bool:
        command = event.command if isinstance(event, events.Wakeup) else None
        return isinstance(command, AttemptWakeup) and command.stream() is self

    def _woken(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.Wakeup) and event.command is self.timer:
            step = self._ask(lambda exchange: exchange.overdue())
            yield from self._translated(self._follow(step))
            if step is Signal.WAIT:
                yield from self._schedule()

    # Between the attempt's names for things and the client's

    def _translated(self, handling: layer.CommandGenerator[None]) -> layer.CommandGenerator[None]:
        reply: Any = None
        while True:
            try:
                command = handling.send(reply)
            except StopIteration:
                return
            if isinstance(command, h.SendHttp):
                self._translate(command)
            elif isinstance(command, h.DropStream) and command.stream_id == self.stream_id != self.wire_id:
                yield h.DropStream(self.wire_id)
            reply = yield command

    def _translate(self, command: h.SendHttp) -> None:
        if command.connection is not self.context.client:
            if command.event.stream_id == self.stream_id:
                command.event.stream_id = self.wire_id
        elif isinstance(command.event, h.ResponseHeaders) and self.hidden and self.exchange is not None:
            command.event.response = self.exchange.reveal(command.event.response)
            self.hidden = False
        elif isinstance(command.event, h.ResponseData) and self.exchange is not None:
            command.event.data = self.exchange.reveal_data(command.event.data)


def install(top: layer.Layer | None, find: Find) -> None:
    """Have every HTTP layer at or below `top` make our streams. `find` names the exchange of a flow."""
    current: Any = top
    while current is not None:
        if type(current) is h.HttpLayer:
            _install(current, find)
        current = getattr(current, "child_layer", None)


def _install(http_layer: h.HttpLayer, find: Find) -> None:
    timers = Timers(http_layer)
    know(http_layer)

    def make_stream(stream_id: int) -> Generator[commands.Command, Any, None]:
        stream = AttemptStream(http_layer.context.fork(), stream_id, http_layer, timers, find)
        http_layer.streams[stream_id] = stream
        yield from http_layer.event_to_child(stream, events.Start())

    http_layer.make_stream = make_stream  # type: ignore[method-assign]
