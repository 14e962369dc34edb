"""The HTTP streams that mitmproxy is given: those of its own, with upstream attempts in the place of its one request.

mitmproxy's public hooks cannot ask upstream a second time: once a response head has been seen it belongs to the flow.
So the HTTP layer gets streams of our own class. They let mitmproxy read the client's request as always and then,
instead of connecting once, have a driver (`driver.py`) do what an `Exchange` says: send this copy of the request, wait,
send that one, deliver what was held. From "deliver" on the base class is in charge again: streaming, hooks, capture and
errors are its own.

What is leaned on, and why it is safe to: docs/mitmproxy.md. `selftest.py` drives all of it before the proxy starts.
"""

import functools
from collections.abc import Iterable
from typing import Any, Final

from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers.websocket import WebsocketLayer

from addons.attempts.attempt import AttemptPhase, UpstreamAttempt, takes_trailers
from addons.attempts.connections import LedStream, know
from addons.attempts.driver import ExchangeDriver
from addons.attempts.local_websocket import LocalSocket
from addons.attempts.protocol import Find
from addons.attempts.rotating_websocket import RotatingWebsocket
from addons.attempts.timers import AttemptWakeup, Timers

RESPONSE_EVENTS: Final = (
    h.ResponseHeaders,
    h.ResponseData,
    h.ResponseTrailers,
    h.ResponseEndOfMessage,
    h.ResponseProtocolError,
)


def _nothing(_: events.Event | None = None) -> layer.CommandGenerator[None]:
    yield from ()


class AttemptStream(LedStream):
    """One request of the client. What mitmproxy calls, and why it is not the base class's alone."""

    def __init__(self, context: Context, stream_id: int, http_layer: h.HttpLayer, timers: Timers, find: Find) -> None:
        super().__init__(context, stream_id)
        self.http_layer = http_layer
        self.find = find
        self.driver = ExchangeDriver(self, timers)

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        """Attempts have ids of their own, and those that were left must not be heard any more."""
        attempt = self.driver.attempt
        handling: layer.CommandGenerator[None]
        if isinstance(event, h.RequestTrailers) and self.client_state == self.state_stream_request_body:
            if not takes_trailers(self.context.server):
                return _nothing()
        elif isinstance(event, RESPONSE_EVENTS):
            if attempt.is_stale(event):
                return _nothing()
            event.stream_id = self.stream_id
            if attempt.echoes is not None and not attempt.retold:
                going = attempt.echoes.passing(event)
                if len(going) != 1:
                    return self._several(attempt, going)
                event = going[0]
        if isinstance(event, events.Wakeup) and isinstance(event.command, AttemptWakeup):
            handling = self.driver.woken(event.command)
        else:
            handling = super()._handle_event(event)
        return handling if attempt.wire_id == self.stream_id else attempt.translated(handling, self.context.client)

    def _several(self, attempt: UpstreamAttempt, going: Iterable[events.Event]) -> layer.CommandGenerator[None]:
        """What an attempt has said, as long as anybody wants to hear it."""
        for event in going:
            if self.driver.attempt is attempt and attempt.phase is not AttemptPhase.ABANDONED:
                handling: layer.CommandGenerator[None] = super()._handle_event(event)
                if attempt.wire_id != self.stream_id:
                    handling = attempt.translated(handling, self.context.client)
                yield from handling

    def passthrough(self, event: events.Event) -> layer.CommandGenerator[None]:
        """The same inside a WebSocket."""
        handling: layer.CommandGenerator[None] = super().passthrough(event)
        attempt = self.driver.attempt
        if attempt.phase is AttemptPhase.NONE:  # a tunnel: all that is inside comes this way
            return handling
        if isinstance(event, RESPONSE_EVENTS):
            if attempt.is_stale(event):
                return _nothing()
            if attempt.phase is AttemptPhase.HELD and attempt.echoes is not None:
                return self._upgrading(attempt, attempt.echoes.passing(event))
        elif isinstance(event, events.Wakeup) and isinstance(event.command, AttemptWakeup) and not self._rotates:
            return _nothing()
        if attempt.wire_id != self.stream_id:
            handling = attempt.translated(handling, self.context.client)
        return self._relayed(handling)

    @property
    def _rotates(self) -> bool:
        return isinstance(self.child_layer, RotatingWebsocket)

    def _upgrading(self, attempt: UpstreamAttempt, going: Iterable[events.Event]) -> layer.CommandGenerator[None]:
        """What is said to the upgrade for a further socket."""
        for event in going:
            if self.driver.attempt is attempt and attempt.phase is AttemptPhase.HELD:
                handling: layer.CommandGenerator[None] = super().passthrough(event)
                yield from self._relayed(attempt.translated(handling, self.context.client))

    def _relayed(self, handling: layer.CommandGenerator[None]) -> layer.CommandGenerator[None]:
        yield from handling
        if self.flow.websocket is not None and not self.flow.live:
            self._let_go()

    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:
        """A body of known length was judged by it, and a hook may since have said to keep it: no streaming later."""
        if request and self.request_body_buf and "content-length" in self.flow.request.headers:
            return False
        attempt = self.driver.attempt
        attempt.retold = not request
        streams: bool = yield from super().check_body_size(request)
        attempt.retold = False
        return streams

    def make_server_connection(self) -> layer.CommandGenerator[bool]:
        """The request is complete. The base class shall not send it: attempts do."""
        yield from self.driver.start(self.find(self.flow))
        return False

    def start_request_stream(self) -> layer.CommandGenerator[None]:
        """The body is too large to keep, or an addon asked to stream it: one attempt, and no second."""
        exchange = self.find(self.flow)
        if exchange is not None:
            exchange.streaming()
        self.client_state = self.state_stream_request_body
        yield from self.driver.start(exchange)

    def state_wait_for_response_headers(self, event: h.ResponseHeaders) -> layer.CommandGenerator[None]:
        """What becomes the flow's must be fit to be shown."""
        if self.driver.attempt.phase is AttemptPhase.HELD:  # a streamed request: the base class sets the state it knows
            self.server_state = self.driver.state_hold_response
            yield from self.server_state(event)
            return
        self.driver.delivering(event.response)
        yield from super().state_wait_for_response_headers(event)

    def state_stream_response_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        """A stream whose account dies may go on with another one's."""
        if isinstance(event, h.ResponseEndOfMessage) and (yield from self.driver.stopped()):
            return
        if not isinstance(event, h.ResponseData):
            yield from super().state_stream_response_body(event)
            return
        for command in super().state_stream_response_body(event):
            passes = command.event if isinstance(command, h.SendHttp) else None
            if not isinstance(passes, h.ResponseData) or passes.data:  # an empty chunk would end it over HTTP/1.1
                yield command
        following = self.driver.passed()
        if following is not None:
            yield from following

    def start_response_stream(self) -> layer.CommandGenerator[None]:
        """The client gets what the flow does not show."""
        yield from self._revealed(super().start_response_stream())

    def send_response(self, already_streamed: bool = False) -> layer.CommandGenerator[None]:
        """The same for an answer that was kept. Either way the exchange is over."""
        self.driver.finished()
        sending: layer.CommandGenerator[None] = super().send_response(already_streamed)
        yield from sending if already_streamed else self._revealed(sending)

    def _revealed(self, sending: layer.CommandGenerator[None]) -> layer.CommandGenerator[None]:
        """Only hooks are awaited in it, which reply nothing."""
        exchange = self.driver.exchange
        for command in sending:
            if exchange is not None and isinstance(command, h.SendHttp):
                event = command.event
                if isinstance(event, h.ResponseData):
                    event.data = exchange.reveal_data(event.data)
                elif isinstance(event, h.ResponseHeaders) and self.driver.attempt.phase is AttemptPhase.DELIVERED:
                    event.response = exchange.reveal(event.response)
            yield command

    def flow_done(self) -> layer.CommandGenerator[None]:
        """A socket that the pool serves may get another one behind it; behind one that we have accepted is nobody."""
        exchange, talk = self.driver.exchange, self.driver.talk
        is_socket = self.flow.response is not None and self.flow.response.status_code == 101
        socket = exchange.upgraded() if exchange is not None and is_socket and talk is None else None
        if socket is not None and self.flow.websocket is not None:
            self.child_layer = RotatingWebsocket(self.driver, socket)
        elif talk is not None and is_socket:
            self.child_layer = LocalSocket(self.context, self.flow, talk)
        else:
            yield from super().flow_done()
            if self.child_layer is None:
                self._let_go()
            return
        self._handle_event = self.passthrough  # type: ignore[method-assign]
        yield from self.child_layer.handle_event(events.Start())
        yield h.SendHttp(h.ResponseEndOfMessage(self.stream_id), self.context.client)

    def handle_protocol_error(
        self, event: h.RequestProtocolError | h.ResponseProtocolError
    ) -> layer.CommandGenerator[None]:
        """An attempt that breaks before it is delivered is not the client's trouble."""
        if isinstance(event, h.ResponseProtocolError) and self.driver.attempt.phase is AttemptPhase.HELD:
            yield from self.driver.lost(event)
            return
        is_stream = self.server_state == self.state_stream_response_body
        if isinstance(event, h.ResponseProtocolError) and is_stream and (yield from self.driver.stopped(event.message)):
            return
        self.driver.broken_off(event)
        yield from super().handle_protocol_error(event)
        if self.http_layer.streams.get(self.stream_id) is not self:
            self._let_go()

    def _let_go(self) -> None:
        """Nothing more comes of this stream. What leads back to it goes, and the flow with its bodies: the garbage
        collector would find them, but maybe a thousand requests later."""
        self._handle_event = self.client_state = self.server_state = _nothing  # type: ignore[method-assign,assignment]
        self.driver.let_go()
        self.context.layers.clear()
        if isinstance(self.child_layer, RotatingWebsocket):
            self.child_layer.let_go()
        elif isinstance(self.child_layer, (LocalSocket, WebsocketLayer)):
            del self.child_layer.flow
        del self.flow


def install(top: layer.Layer | None, find: Find) -> None:
    """Have every HTTP layer at or below `top` make our streams. `find` names the exchange of a flow."""
    current: Any = top
    while current is not None:
        if type(current) is h.HttpLayer:
            _install(current, find)
        current = getattr(current, "child_layer", None)


def _install(http_layer: h.HttpLayer, find: Find) -> None:
    know(http_layer)
    made = functools.partial(_make_stream, http_layer, Timers(http_layer), find)
    http_layer.make_stream = made  # type: ignore[method-assign]


def _make_stream(http_layer: h.HttpLayer, timers: Timers, find: Find, stream_id: int) -> layer.CommandGenerator[None]:
    stream = AttemptStream(http_layer.context.fork(), stream_id, http_layer, timers, find)
    http_layer.streams[stream_id] = stream
    yield from http_layer.event_to_child(stream, events.Start())
