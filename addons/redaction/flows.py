"""Keeps secrets out of what is shown and saved: flows hold a mark where the wire has a secret. Pure.

What the client has said goes on its way in a copy that no flow ever sees, and what it is to hear is put back on the way
to it. Managed tokens are only ever in such copies, whatever is masked here.
"""

import functools
from dataclasses import dataclass, field
from typing import Final

from mitmproxy import http
from mitmproxy.net import encoding

from addons.redaction.masking import masked
from addons.redaction.patterns import REQUEST_HEADERS, RESPONSE_HEADERS
from addons.wire import messages
from config import decoding

MARK: Final = b"[redacted by codex-rotate]"
ACCOUNT: Final = b"chatgpt-account-id"
_PROTOCOL: Final = (b"sec-websocket-key", b"sec-websocket-accept")
"""Random by design, and read by mitmproxy and by us: these stay as they are."""


type Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedHeaders:
    """Header fields as they were and as they are shown; none where nothing was taken out."""

    was: Fields = field(default=(), repr=False)
    shown: Fields = ()

    def reveal(self, headers: http.Headers) -> http.Headers:
        """A copy with the secrets back in their places. A value that somebody has changed meanwhile stays changed."""
        if headers.fields == self.shown:
            return http.Headers(self.was)
        left: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for (name, was), (_, shown) in zip(reversed(self.was), reversed(self.shown), strict=True):
            left.setdefault(name.lower(), []).append((was, shown))
        fields = []
        for name, value in headers.fields:
            values = left.get(name.lower())
            was, shown = values.pop() if values else (value, value)  # one per field, changed or not
            fields.append((name, was if value == shown else value))
        return http.Headers(fields)

    def first(self, name: bytes) -> bytes:
        """What a header was; empty if nothing was taken out, or there is none of that name."""
        return next((value for known, value in self.was if known.lower() == name), b"")


def hide(headers: http.Headers, wanted: frozenset[bytes], ids: frozenset[bytes] | None = None) -> RedactedHeaders:
    """Put the mark in the place of every value of these names. With `ids`, what looks like a secret in all others is
    masked as well; without, nobody can see those."""
    suspicious = ids is not None and _suspicious(headers, wanted, ids)
    if not suspicious and not any(name.lower() in wanted for name, _ in headers.fields):
        return RedactedHeaders()
    was = headers.fields
    shown = []
    for pair in was:
        name, value = pair
        lower = name.lower()
        if lower in wanted:
            shown.append((name, MARK))
        elif suspicious and lower not in _PROTOCOL:
            shown.append((name, masked(value, ids or frozenset())))
        else:
            shown.append(pair)
    headers.fields = tuple(shown)
    return RedactedHeaders(was=was, shown=headers.fields)


def _suspicious(headers: http.Headers, wanted: frozenset[bytes], ids: frozenset[bytes]) -> bool:
    """Mostly nothing is found, and that is found out at once for all of them."""
    everything = b"\n".join(value for name, value in headers.fields if name.lower() not in wanted)
    return masked(everything, ids) is not everything


class FlowRedactor:
    """What flows show of one request and its answer, and what that stands for on the wire.

    `ids` are ids of accounts, which are masked wherever they stand. `watched`: whether anybody can see headers and
    bodies; reading them costs more than the rest.
    """

    def __init__(self, ids: frozenset[bytes] = frozenset(), *, watched: bool = False) -> None:
        self.ids = ids
        self.watched = watched
        self._head = self._trailers = self._answer_head = RedactedHeaders()
        self._path = (b"", b"")
        self._asked: tuple[bytes | None, bytes | None] = (None, None)
        self._answered: tuple[bytes | None, bytes | None] = (None, None)
        self._answering = False

    # The request

    def request_head(self, request: http.Request) -> None:
        """Right when it has arrived: from now on the flow does not show what is secret in it."""
        own = request.headers.get(ACCOUNT, "").encode("utf-8", "surrogateescape")
        if own and self.watched:
            self.ids |= {own}
        self._head = hide(request.headers, REQUEST_HEADERS, self._looked_for())
        path = request.data.path
        request.data.path = self._without_own(_masked_path(path, self.ids))
        self._path = (path, request.data.path)

    def request_body(self, request: http.Request) -> None:
        """The request is complete. A body that is not kept has nothing to show."""
        body = request.raw_content
        request.data.content = self._shown_body(request, body)
        self._asked = (body, request.data.content)
        if request.trailers:
            self._trailers = hide(request.trailers, REQUEST_HEADERS, self._looked_for())

    def body(self, request: http.Request) -> bytes:
        """The body as the client has sent it; empty for none."""
        return _back(self._asked, request.raw_content) or b""

    def wire(self, request: http.Request) -> http.Request:
        """A copy as the client has sent it, but for what others have changed since. It shares the body, which nobody
        changes."""
        wire = messages.shallow(request)
        data = wire.data
        data.path = _back(self._path, data.path)
        data.headers = self._head.reveal(data.headers)
        data.content = _back(self._asked, data.content)
        data.trailers = self._trailers.reveal(data.trailers) if data.trailers else data.trailers
        return wire

    def is_untouched(self, request: http.Request) -> bool:
        """Whether something was hidden in the request's head, and all of it is where it was."""
        return request.headers.fields == self._head.shown and request.data.path == self._path[1]

    def said_path(self, path: bytes) -> bool:
        """Whether the client itself has sent this path, as far as is known."""
        return self._path[0] in {b"", path}

    def said(self, name: bytes, value: bytes) -> bool:
        """The same of a header."""
        return not self._head.was or (name, value) in self._head.was

    # The answer

    def answer_head(self, response: http.Response) -> None:
        """An answer of upstream is about to become the flow's."""
        self._answer_head = hide(response.headers, RESPONSE_HEADERS, self._looked_for())
        self._answering = True

    def over(self, request: http.Request, response: http.Response | None) -> None:
        """The flow is about to be shown as finished, with all that was kept of both bodies. An answer of our own has
        nothing to mask, and would not be put back on its way."""
        if request.raw_content != self._asked[1]:
            self.request_body(request)
        if self._answering and response is not None:
            body = response.raw_content
            response.data.content = self._shown_body(response, body)
            self._answered = (body, response.data.content)

    def revealed(self, response: http.Response) -> http.Response:
        """The head as the client shall get it; the body follows in events of its own."""
        if not self._answer_head.shown:
            return response
        told = messages.shallow(response)
        told.data.headers = self._answer_head.reveal(response.headers)
        return told

    def revealed_data(self, data: bytes) -> bytes:
        """The same for what is about to go to the client of an answer's body."""
        was, shown = self._answered
        return was if was is not None and data == shown else data

    # Anything else

    def masked(self, text: bytes) -> bytes:
        """Text that is to be shown."""
        return self._without_own(masked(text, self.ids))

    def _without_own(self, text: bytes) -> bytes:
        """Where nobody is watching the client's own id is not among the others: putting it there costs more."""
        own = self._head.first(ACCOUNT)
        return masked(text, frozenset({own})) if own and own in text else text

    def _looked_for(self) -> frozenset[bytes] | None:
        return self.ids if self.watched else None

    def _shown_body(self, message: http.Message, body: bytes | None) -> bytes | None:
        if not self.watched or not body:
            return body
        coding = message.headers.get("content-encoding", "identity")
        try:
            plain = decoding.whole(body, coding, decoding.MOST_REQUEST)
        except decoding.TooLarge:  # nobody knows what is in it
            return _encoded(MARK, coding)
        except decoding.CannotDecode:
            return self.masked(body)
        shown = self.masked(plain)
        return body if shown is plain else _encoded(shown, coding)


class NoRedaction(FlowRedactor):
    """Nothing is taken out: the user asked to see the client's own secrets."""

    def request_head(self, request: http.Request) -> None: ...

    def request_body(self, request: http.Request) -> None: ...

    def answer_head(self, response: http.Response) -> None: ...

    def masked(self, text: bytes) -> bytes:
        return text


@functools.lru_cache(maxsize=64)
def _masked_path(path: bytes, ids: frozenset[bytes]) -> bytes:
    """Nearly all requests are for the same few."""
    return masked(path, ids)


def _encoded(plain: bytes, coding: str) -> bytes:
    """In its coding again; as it is where that goes one way only."""
    try:
        encoded = encoding.encode(plain, coding)
    except (ValueError, TypeError):
        return plain
    return encoded if isinstance(encoded, bytes) else plain


def _back[T](pair: tuple[T, T], value: T) -> T:
    """What `value` stands for, unless somebody has changed it."""
    was, shown = pair
    return was if value == shown else value
