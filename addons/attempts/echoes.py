"""An account's token that upstream sends back, in whatever it says to the request that bore it.

The client, flows and the log must never have it. It is looked for where an attempt's answer comes in: heads, reasons,
trailers, errors and bodies, as it was sent and in the forms of token_forms.py. A mark of the same length takes its
place, so that lengths stay true. A document is looked through as a whole where it is short; one in a coding goes on
without it if the token is there.
"""

import enum
from collections.abc import Sequence
from typing import Final, Self

from mitmproxy import http
from mitmproxy.proxy.layers import http as h
from wsproto.handshake import WEBSOCKET_VERSION

from addons.attempts.coded_echoes import CodedWatch, Seen
from addons.attempts.protocol import Send
from addons.attempts.token_forms import SENT, TokenForms
from addons.wire import messages
from config import decoding

SHORTEST: Final = 16
"""What is shorter than any token would be found by chance."""
BROKEN: Final = "upstream repeated the credentials of the request"
UNASKED: Final = "upstream switched to a protocol that was not asked for"
UNREADABLE: Final = "upstream's answer is in a coding that cannot be read to its end"
MOST_HELD: Final = 256 * 1024
"""Bytes of a body in a coding that are held until it is whole."""

type AnswerEvent = (
    h.ResponseHeaders | h.ResponseData | h.ResponseTrailers | h.ResponseEndOfMessage | h.ResponseProtocolError
)


class Way(enum.Enum):
    """How a body is looked through."""

    CHUNKS = enum.auto()
    """As it comes: what is in a coding and may be a stream."""
    TEXT = enum.auto()
    """What may be the beginning of the token stays for the next chunk: never the end of an event."""
    WHOLE = enum.auto()
    """As a whole: a document."""
    CODED = enum.auto()
    """The same with its head, which may have to say otherwise."""
    OVER = enum.auto()
    """Not any more: the token was, or may be, in what cannot be changed, and its answer counts as one that broke."""


class EchoFilter:
    """Of one attempt: takes the events of its answer, gives those that may go on."""

    def __init__(self, token: bytes, *, to_socket: bool = False) -> None:
        """`to_socket`: the request asks for a WebSocket."""
        self._forms = TokenForms.of(token)
        self._to_socket = to_socket
        self._way = Way.CHUNKS
        self._left = b""
        self._held: list[AnswerEvent] = []
        self._size = 0
        self._watch: CodedWatch | None = None

    @classmethod
    def of(cls, sent: Send) -> Self | None:
        """None for what bears no account's token."""
        said: str = sent.request.headers.get("authorization", "") if sent.key else ""
        token = said.removeprefix("Bearer ").encode("utf-8", "surrogateescape")
        if len(token) < SHORTEST:
            return None
        SENT.add(token)
        version = sent.request.headers.get("sec-websocket-version", "")
        return cls(token, to_socket=messages.is_upgrade(sent.request) and version.encode() == WEBSOCKET_VERSION)

    def passing(self, event: AnswerEvent) -> Sequence[AnswerEvent]:
        """What goes on of this now, and of what came before; nothing for the time being, or more than one."""
        if self._way is Way.OVER:
            return ()
        if isinstance(event, h.ResponseData):
            return self._data(event)
        if isinstance(event, h.ResponseHeaders):
            return self._head(event)
        if isinstance(event, h.ResponseProtocolError):
            event.message = self._text(event.message)
        elif isinstance(event, h.ResponseTrailers):
            self._fields(event.trailers)
        if self._way in _HOLDING and self._held and isinstance(event, h.ResponseTrailers):
            self._held.append(event)
            return ()
        before = [*self._released(whole=isinstance(event, h.ResponseEndOfMessage)), *self._rest(event.stream_id)]
        return [*before, event]

    def replaced(self, said: bytes) -> bytes:
        """What a WebSocket has said, whole; the same object if no token is in it."""
        return self._forms.replaced(said)

    def _head(self, event: h.ResponseHeaders) -> Sequence[AnswerEvent]:
        response = event.response
        if response.status_code == 101 and not self._is_socket(response):  # mitmproxy would pass on whatever comes
            return self._broken(event.stream_id, UNASKED)
        self._fields(response.headers)
        response.data.reason = self._forms.replaced(response.data.reason)
        plain = not decoding.is_known(response.headers.get("content-encoding", ""))
        document = response.status_code >= 300 or "json" in response.headers.get("content-type", "").lower()
        if plain:
            self._way = Way.WHOLE if document and _is_short(response) else Way.TEXT
        elif document and not plain and response.status_code != 304 and not event.end_stream:
            self._way = Way.CODED
            self._held.append(event)
            return ()
        else:
            self._watch = CodedWatch(self._forms, response.headers["content-encoding"])
        return (event,)

    def _data(self, event: h.ResponseData) -> Sequence[AnswerEvent]:
        if self._way in _HOLDING:
            self._held.append(event)
            self._size += len(event.data)
            return self._too_long() if self._size > MOST_HELD else ()
        if self._watch is not None:
            return self._coded(self._watch, event)
        data = self._forms.replaced(self._left + event.data)
        self._left = b""
        if self._way is Way.TEXT:
            kept = self._forms.beginning_at_the_end(data)
            if kept:
                data, self._left = data[:-kept], data[-kept:]
        event.data = data
        return (event,) if data else ()

    def _coded(self, watch: CodedWatch, event: h.ResponseData) -> Sequence[AnswerEvent]:
        """What may be the beginning of the token stays for the next chunk; where the token is, the answer breaks."""
        seen = watch.look(event.data)
        if seen in {Seen.TOKEN, Seen.UNREADABLE}:
            return self._broken(event.stream_id, BROKEN if seen is Seen.TOKEN else UNREADABLE)
        event.data = self._forms.replaced(event.data)
        self._held.append(event)
        return () if seen is Seen.BEGINNING else self._released(whole=False)

    def _is_socket(self, response: http.Response) -> bool:
        """Whether what follows is a WebSocket, whose messages are looked through."""
        return self._to_socket and response.headers.get("upgrade", "").lower() == "websocket"

    def _broken(self, stream_id: int, why: str) -> Sequence[AnswerEvent]:
        self._way, self._held = Way.OVER, []
        return (h.ResponseProtocolError(stream_id, why, h.ErrorCode.GENERIC_SERVER_ERROR),)

    def _too_long(self) -> Sequence[AnswerEvent]:
        """What is held of a document goes on, and the rest of it as it comes."""
        was, held = self._way, self._released(whole=False)
        if was is Way.WHOLE or not isinstance(head := held[0], h.ResponseHeaders):
            return held
        self._watch = CodedWatch(self._forms, head.response.headers["content-encoding"])
        return [head, *(passed for each in held[1:] for passed in self.passing(each))]

    def _rest(self, stream_id: int) -> Sequence[AnswerEvent]:
        left, self._left = self._left, b""
        return (h.ResponseData(stream_id, left),) if left else ()

    def _released(self, *, whole: bool) -> Sequence[AnswerEvent]:
        """All that was held; without its coding if the token is in it, or if it cannot be read to its end: another
        reader might manage that."""
        held, self._held = self._held, []
        if self._way is Way.WHOLE:
            return self._as_text(held)
        self._way = Way.CHUNKS
        if not held or not whole or not isinstance(head := held[0], h.ResponseHeaders):
            return held
        headers = head.response.headers
        body = b"".join(each.data for each in held if isinstance(each, h.ResponseData))
        if not body:
            return held
        plain, sound = _plain(body, headers["content-encoding"])
        found = self._forms.replaced(plain)
        if found is plain and sound:
            return held
        del headers["content-encoding"]
        if "content-length" in headers:
            headers["content-length"] = str(len(found))
        trailers = [each for each in held if isinstance(each, h.ResponseTrailers)]
        return [head, h.ResponseData(head.stream_id, found), *trailers]

    def _as_text(self, held: Sequence[AnswerEvent]) -> Sequence[AnswerEvent]:
        """What was held of a document that has no coding; what follows of it, if anything, goes as it comes."""
        self._way = Way.TEXT
        body = b"".join(each.data for each in held if isinstance(each, h.ResponseData))
        data = self._data(h.ResponseData(held[0].stream_id, body)) if body else ()
        return [*data, *(each for each in held if isinstance(each, h.ResponseTrailers))]

    def _fields(self, headers: http.Headers) -> None:
        whole = b"\n".join(part for field in headers.fields for part in field)
        if self._forms.replaced(whole) is whole:  # a look at all of them, and hardly ever at each
            return
        fields = tuple((self._forms.replaced(name), self._forms.replaced(value)) for name, value in headers.fields)
        if fields != headers.fields:
            headers.fields = fields

    def _text(self, said: str) -> str:
        return self._forms.replaced(said.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _plain(body: bytes, coding: str) -> tuple[bytes, bool]:
    """What can be read of a body, and whether that is all that anybody can read of it."""
    try:
        return decoding.whole(body, coding, decoding.MOST_SHOWN), True
    except decoding.CutShort:
        sound = True
    except decoding.CannotDecode:
        sound = False
    try:
        return decoding.beginning(body, coding, decoding.MOST_SHOWN), sound
    except decoding.CannotDecode:
        return b"", False


_HOLDING: Final = frozenset({Way.WHOLE, Way.CODED})


def _is_short(response: http.Response) -> bool:
    """Whether a body says that it is, so that its end does come soon; a stream of events says nothing."""
    length = response.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= MOST_HELD and not messages.is_event_stream(response)
