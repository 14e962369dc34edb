"""An answer by our doing, or the end of one that the client is getting. By mitmproxy's own states: for the exchange
that is none of upstream's doing, and it knows of it."""

from collections.abc import Callable

from mitmproxy import http
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers.http._base import HttpEvent

from addons.attempts.attempt import UpstreamAttempt
from addons.attempts.connections import LedStream


def conclude(stream: LedStream, attempt: UpstreamAttempt, data: bytes) -> layer.CommandGenerator[None]:
    """With these last bytes, as if it were whole."""
    yield from attempt.abandon()
    if data:
        yield from h.HttpStream.state_stream_response_body(stream, h.ResponseData(stream.stream_id, data))
    yield from h.HttpStream.state_stream_response_body(stream, h.ResponseEndOfMessage(stream.stream_id))


def abort(stream: LedStream, attempt: UpstreamAttempt, why: str) -> layer.CommandGenerator[None]:
    """Broken off."""
    yield from attempt.abandon()
    error = h.ResponseProtocolError(stream.stream_id, why, h.ErrorCode.GENERIC_SERVER_ERROR)
    yield from h.HttpStream.handle_protocol_error(stream, error)


class OwnAnswer:
    """An answer of ours in the place of upstream's. `is_gone` is asked after everything that takes time."""

    def __init__(self, stream: LedStream, is_gone: Callable[[], layer.CommandGenerator[bool]]) -> None:
        self.stream = stream
        self.is_gone = is_gone

    def give(self, response: http.Response) -> layer.CommandGenerator[None]:
        """As soon as the client has finished asking."""
        stream = self.stream
        stream.flow.response = response
        if stream.client_state == stream.state_stream_request_body:
            stream.client_state = self.state_swallow_request_body
            stream.server_state = stream.state_done
        else:
            yield from self._send()

    def state_swallow_request_body(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """We have an answer before the client has finished asking: read on, then answer."""
        if isinstance(event, h.RequestEndOfMessage):
            self.stream.client_state = self.stream.state_done
            yield from self._send()

    def _send(self) -> layer.CommandGenerator[None]:
        yield h.HttpResponseHeadersHook(self.stream.flow)
        if not (yield from self.is_gone()):
            yield from self.stream.send_response()
