"""Keeps what streams past, so that it is still there for whoever looks at the flow afterwards."""

from typing import Final

from mitmproxy import http

CAPTURED: Final = "codex_rotate.captured"
"""In `flow.metadata` of a body that is kept in part: how many bytes are kept, and how many there were."""

DROPPED: Final = "codex_rotate.messages_dropped"
"""In `flow.metadata` of a socket of which only the newest messages are kept: how many are gone."""


class Capture:
    """The beginning of one streamed body, up to `most` bytes (0: nothing)."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.total = 0
        self._kept = bytearray()

    def keep(self, data: bytes) -> None:
        self.total += len(data)
        room = self.most - len(self._kept)
        if room > 0:
            self._kept += data[:room]

    def passing(self, data: bytes) -> bytes:
        """The same, of a piece that goes on unchanged."""
        self.keep(data)
        return data

    def into(self, flow: http.HTTPFlow) -> None:
        """Give the flow its body. One that is there already, by `store_streamed_bodies`, stays."""
        if self.most <= 0 or flow.response is None or flow.response.raw_content is not None:
            return
        flow.response.data.content = bytes(self._kept)
        if self.total > len(self._kept):
            flow.metadata[CAPTURED] = [len(self._kept), self.total]
            said = f"the first {len(self._kept)} of {self.total} bytes are kept"
            flow.comment = f"{flow.comment}, {said}" if flow.comment else said
        self._kept.clear()


class Messages:
    """The newest messages of one socket, up to `most` bytes: mitmproxy would keep all of them until it is closed."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept = 0
        self._dropped = 0

    def trim(self, flow: http.HTTPFlow) -> None:
        """A message has come. The newest one stays whatever its size."""
        assert flow.websocket is not None
        messages = flow.websocket.messages
        self._kept += len(messages[-1].content)
        while self._kept > self.most and len(messages) > 1:
            self._kept -= len(messages.pop(0).content)
            self._dropped += 1
            flow.metadata[DROPPED] = self._dropped
