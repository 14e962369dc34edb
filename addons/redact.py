"""Keeps secrets out of what is shown and saved: flows hold a mark where the wire has a secret. Pure.

What the client has said goes on its way in a copy that no flow ever sees, and what it is to hear is put back on the way
to it. Managed tokens are only ever in such copies, whatever is masked here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mitmproxy import http
from mitmproxy.net import encoding

from addons.masking import masked

MARK: Final = b"[redacted by codex-rotate]"
REQUEST: Final = (
    b"authorization",
    b"proxy-authorization",
    b"cookie",
    b"x-api-key",
    b"x-openai-agent-assertion",
    b"chatgpt-account-id",
    b"openai-organization",
)
RESPONSE: Final = (b"set-cookie",)
ACCOUNT: Final = b"chatgpt-account-id"
_PROTOCOL: Final = (b"sec-websocket-key", b"sec-websocket-accept")
"""Random by design, and read by mitmproxy and by us: these stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """What was taken out of headers: per lower-case name, each value as it was and as it is shown, in order."""

    values: Mapping[bytes, list[tuple[bytes, bytes]]] = field(default_factory=dict, repr=False)

    def reveal(self, headers: http.Headers) -> http.Headers:
        """A copy with the secrets back in their places. A value that somebody has changed meanwhile stays changed."""
        left = {name: iter(values) for name, values in self.values.items()}
        fields = []
        for name, value in headers.fields:
            was, shown = next(left.get(name.lower(), iter(())), (value, value))  # one per field, changed or not
            fields.append((name, was if value == shown else value))
        return http.Headers(fields)

    def first(self, name: bytes) -> bytes:
        """What a header was; empty if nothing of that name is hidden."""
        return next((was for was, _ in self.values.get(name, ())), b"")


def hide(headers: http.Headers, names: Iterable[bytes], ids: frozenset[bytes] = frozenset()) -> Hidden:
    """Put the mark in the place of every value of these names, and mask what looks like a secret in all others."""
    wanted = frozenset(names)
    everything = b"\n".join(value for name, value in headers.fields if name.lower() not in wanted)
    suspicious = masked(everything, ids) is not everything
    if not suspicious and not any(name.lower() in wanted for name, _ in headers.fields):
        return Hidden()
    values: dict[bytes, list[tuple[bytes, bytes]]] = {}
    fields = []
    for name, value in headers.fields:
        lower, shown = name.lower(), value
        if lower in wanted:
            shown = MARK
        elif suspicious and lower not in _PROTOCOL:
            shown = masked(value, ids)
        values.setdefault(lower, []).append((value, shown))
        fields.append((name, shown))
    headers.fields = tuple(fields)
    changed = {name: pairs for name, pairs in values.items() if any(was is not shown for was, shown in pairs)}
    return Hidden(values=changed)


class Shown:
    """What flows show of one request and its answer, and what that stands for on the wire.

    `ids` are ids of accounts, which are masked wherever they stand. `bodies`: whether anybody can see bodies; reading
    them costs more than the rest.
    """

    def __init__(self, ids: frozenset[bytes] = frozenset(), *, bodies: bool = False) -> None:
        self.ids = ids
        self.bodies = bodies
        self._head = self._trailers = self._answer_head = Hidden()
        self._path = (b"", b"")
        self._asked: tuple[bytes | None, bytes | None] = (None, None)
        self._answered: tuple[bytes | None, bytes | None] = (None, None)
        self._answering = False

    # The request

    def request_head(self, request: http.Request) -> None:
        """Right when it has arrived: from now on the flow does not show what is secret in it."""
        self._head = hide(request.headers, REQUEST, self.ids)
        path = request.data.path
        request.data.path = self.masked(path)
        self._path = (path, request.data.path)

    def request_body(self, request: http.Request) -> None:
        """The request is complete. A body that is not kept has nothing to show."""
        body = request.raw_content
        request.data.content = self._shown_body(request, body)
        self._asked = (body, request.data.content)
        if request.trailers:
            self._trailers = hide(request.trailers, REQUEST, self.ids)

    def body(self, request: http.Request) -> bytes:
        """The body as the client has sent it; empty for none."""
        return _back(self._asked, request.raw_content) or b""

    def wire(self, request: http.Request) -> http.Request:
        """A copy as the client has sent it, but for what others have changed since. `Request.copy()` goes through the
        whole state; this shares the body, which nobody changes, and costs a sixth."""
        data = request.data
        return http.Request(
            data.host,
            data.port,
            data.method,
            data.scheme,
            data.authority,
            _back(self._path, data.path),
            data.http_version,
            self._head.reveal(request.headers),
            _back(self._asked, data.content),
            self._trailers.reveal(data.trailers) if data.trailers else data.trailers,
            data.timestamp_start,
            data.timestamp_end,
        )

    # The answer

    def answer_head(self, response: http.Response) -> None:
        """An answer of upstream is about to become the flow's."""
        self._answer_head = hide(response.headers, RESPONSE, self.ids)
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
        if not self._answer_head.values:
            return response
        data = response.data
        headers = self._answer_head.reveal(response.headers)
        return http.Response(
            data.http_version, data.status_code, data.reason, headers, None, None, data.timestamp_start, None
        )

    def revealed_data(self, data: bytes) -> bytes:
        """The same for what is about to go to the client of an answer's body."""
        was, shown = self._answered
        return was if was is not None and data == shown else data

    # Anything else

    def masked(self, text: bytes) -> bytes:
        """Text that is to be shown."""
        own = self._head.first(ACCOUNT)
        return masked(masked(text, self.ids), frozenset({own} if own else ()))

    def _shown_body(self, message: http.Message, body: bytes | None) -> bytes | None:
        if not self.bodies or not body:
            return body
        coding = message.headers.get("content-encoding", "identity")
        plain = plain_or_none(body, coding)
        if plain is None:
            return self.masked(body)
        shown = self.masked(plain)
        encoded = encoding.encode(shown, coding) if shown is not plain else body
        return encoded if isinstance(encoded, bytes) else shown


class AsItIs(Shown):
    """Nothing is taken out: the user asked to see the client's own secrets."""

    def request_head(self, request: http.Request) -> None: ...

    def request_body(self, request: http.Request) -> None: ...

    def answer_head(self, response: http.Response) -> None: ...

    def masked(self, text: bytes) -> bytes:
        return text


def plain_or_none(body: bytes, coding: str) -> bytes | None:
    """A body without its coding; None when it is cut short, or in a coding nobody knows."""
    try:
        plain = encoding.decode(body, coding)
    except (ValueError, TypeError):  # the name of a coding of text is taken for one, too
        return None
    return plain if isinstance(plain, bytes) else None


def _back[T](pair: tuple[T, T], value: T) -> T:
    """What `value` stands for, unless somebody has changed it."""
    was, shown = pair
    return was if value == shown else value
