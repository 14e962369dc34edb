"""What a server has said at once is passed on at once.

mitmproxy makes a piece of every chunk (HTTP/1.1) and every data frame (HTTP/2), and takes each through all layers, TLS
and the client's socket by itself. An answer's events come several at a time whenever a model is quick or a network
slow, each in a chunk of its own. Of what has arrived with one read the pieces of one body are joined; nothing waits.
"""

from collections.abc import Callable
from typing import Any, Final

from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers import http as h
from mitmproxy.proxy.layers.http import _base, _http1, _http2

_NAME: Final = "_handle_event"
_MARK: Final = "joins_bursts"

type _Handler = Callable[[Any, events.Event], layer.CommandGenerator[None]]


def join_bursts() -> None:
    """From now on, for all connections."""
    for kind in (_http1.Http1Client, _http2.Http2Client):
        handler: _Handler = getattr(kind, _NAME)
        if not hasattr(handler, _MARK):
            setattr(kind, _NAME, _joining(handler))


def _joining(theirs: _Handler) -> _Handler:
    def handle_event(self: Any, event: events.Event) -> layer.CommandGenerator[None]:
        handling = theirs(self, event)
        return _joined(handling) if isinstance(event, events.DataReceived) else handling

    setattr(handle_event, _MARK, True)
    return handle_event


def _joined(handling: layer.CommandGenerator[None]) -> layer.CommandGenerator[None]:
    """The same commands in the same order, with neighbours joined that bring data of one body."""
    held: list[_base.ReceiveHttp] = []
    for command in handling:
        if not isinstance(command, _base.ReceiveHttp) or not isinstance(command.event, h.ResponseData):
            if held:
                yield _one(held)
                held = []
            yield command
            continue
        if held and held[0].event.stream_id != command.event.stream_id:
            yield _one(held)
            held = []
        held.append(command)
    if held:
        yield _one(held)


def _one(held: list[_base.ReceiveHttp]) -> _base.ReceiveHttp:
    if len(held) == 1:
        return held[0]
    data = b"".join(each.event.data for each in held if isinstance(each.event, h.ResponseData))
    return _base.ReceiveHttp(h.ResponseData(held[0].event.stream_id, data))
