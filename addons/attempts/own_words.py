"""How an answer that the client is getting ends by our doing. By mitmproxy's own states: for the exchange that is none
of upstream's doing, and it knows of it."""

from mitmproxy.proxy import layer
from mitmproxy.proxy.layers import http as h

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
