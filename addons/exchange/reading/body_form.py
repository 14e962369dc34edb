"""What the body of an answer is, told by its first bytes and not by its head, and its events if it has some.

Answers without a content type, with one in other letters, and compressed ones are streams like any other. What cannot
be read passes, and is said.
"""

import enum
import logging
from collections.abc import Iterator
from typing import Final

from mitmproxy import http

from addons.wire import events, messages
from addons.wire.events import Events
from config import decoding

logger = logging.getLogger(__name__)

BEGINNING: Final = 64
"""Bytes after which it is clear whether a body is a stream of events."""
MOST_DOCUMENT: Final = 256 * 1024


class Form(enum.Enum):
    """What an answer is."""

    UNKNOWN = enum.auto()
    """Nothing of its body has come that would tell."""
    EVENTS = enum.auto()
    DOCUMENT = enum.auto()
    """One text; what it means is known when it is whole."""
    REFUSAL = enum.auto()
    """Its status is 300 or more."""
    OPAQUE = enum.auto()
    """It passes unread."""
    CUT = enum.auto()
    """It has failed, and the client was told something else: nothing of it passes any more."""


class BodyReader:
    """Of one answer to this request. `opaque`: a success is not looked into."""

    def __init__(self, response: http.Response, request: http.Request, *, opaque: bool) -> None:
        self.response = response
        self.request = request
        self.coding: str = response.headers.get("content-encoding", "").strip(" ,").lower() or "identity"
        self.form = _of_head(response, request, opaque=opaque)
        self._decode: decoding.Feed | None = None
        self._beginning = b""
        """Of a body whose form is not known yet, or that is a document: what has come, without its coding."""
        self._events = Events()
        self.is_stream = self.form is Form.EVENTS
        self._is_declared = self.is_stream
        """Whether only its head says so, as yet."""
        if self.form in {Form.UNKNOWN, Form.EVENTS, Form.DOCUMENT} and not self.is_plain:
            self._with_coding()

    @property
    def is_plain(self) -> bool:
        """Whether its bytes are what it says."""
        return self.coding == "identity"

    @property
    def document(self) -> bytes:
        """What has come of one that is no stream, without its coding; not more than MOST_DOCUMENT."""
        return self._beginning

    def events_in(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The type and the data of each event that is complete with this chunk; none of what is no stream."""
        if self.form in {Form.REFUSAL, Form.OPAQUE, Form.CUT}:
            return iter(())
        plain = self._plain(data)
        if self._is_declared:
            plain = self._looked_at(plain)
        elif not self.is_stream:
            plain = self._found_out(plain)
        return self._events.feed(plain) if self.is_stream else iter(())

    def is_quiet(self, data: bytes) -> bool:
        """Whether nothing in this chunk can matter once there was output."""
        return self.is_plain and self._events.quiet(data)

    def _looked_at(self, plain: bytes) -> bytes:
        """Whether what is said to be a stream is one: all that has come, once that is known."""
        self._beginning += plain
        is_text = events.begins_like_text(self._beginning)
        if is_text is None and len(self._beginning) <= BEGINNING:
            return b""
        self._is_declared = False
        if is_text:
            self.form, self.is_stream = Form.DOCUMENT, False
            return plain
        plain, self._beginning = self._beginning, b""
        return plain

    def _found_out(self, plain: bytes) -> bytes:
        """Look at what has come so far; all of that once it is known to be a stream."""
        if len(self._beginning) < MOST_DOCUMENT:
            self._beginning += plain
        is_stream = events.begins_like_events(self._beginning) if self.form is Form.UNKNOWN else False
        if is_stream or (is_stream is None and len(self._beginning) > BEGINNING):
            self.form, self.is_stream = Form.EVENTS, True
            plain, self._beginning = self._beginning, b""
        elif is_stream is False and self.form is Form.UNKNOWN:
            self.form = Form.DOCUMENT
        return plain

    def _plain(self, data: bytes) -> bytes:
        if self._decode is None:
            return data
        try:
            return self._decode(data)
        except decoding.CannotDecode as e:
            self._unreadable(e)
            return b""

    def _with_coding(self) -> None:
        try:
            self._decode = decoding.decoder(self.coding)
        except decoding.CannotDecode as e:
            self._unreadable(e)

    def _unreadable(self, why: decoding.CannotDecode) -> None:
        logger.warning("codex-rotate: an answer passes unread: its body is %s (%s)", why, self.coding[:40])
        self.form = Form.OPAQUE


def _of_head(response: http.Response, request: http.Request, *, opaque: bool) -> Form:
    if response.status_code >= 300:
        return Form.REFUSAL
    if opaque or response.status_code == 101:
        return Form.OPAQUE
    if messages.is_upgrade(request):
        return Form.DOCUMENT  # and no socket
    return Form.EVENTS if messages.is_event_stream(response) else Form.UNKNOWN
