"""WebSocket messages as flows show them. What goes on the wire is mitmproxy's own message, which nobody sees."""

import weakref
from typing import Any

from mitmproxy import http
from mitmproxy.websocket import WebSocketMessage, WebSocketMessageState

from addons.redaction.flows import FlowRedactor


def show(flow: http.HTTPFlow, shown: FlowRedactor) -> None:
    """A message has come: if there is something to mask in it, put another one in its place."""
    assert flow.websocket is not None
    messages = flow.websocket.messages
    if shown.watched and (content := shown.masked(messages[-1].content)) is not messages[-1].content:
        messages[-1] = ShownMessage(messages[-1], content)


class ShownMessage(WebSocketMessage):
    """Stands for a message that is on its way; what others do to it is done to that."""

    def __init__(self, real: WebSocketMessage, content: bytes) -> None:
        super().__init__(real.type, real.from_client, content, real.timestamp, real.dropped, real.injected)
        self._real = weakref.ref(real)

    @classmethod
    def from_state(cls, state: WebSocketMessageState) -> Any:
        """A copy is a message like any other."""
        return WebSocketMessage.from_state(state)

    def drop(self) -> None:
        super().drop()  # type: ignore[no-untyped-call]
        real = self._real()
        if real is not None:
            real.dropped = True

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        real = self._real() if name == "content" and "_real" in self.__dict__ else None
        if real is not None:
            real.__dict__["content"] = value
