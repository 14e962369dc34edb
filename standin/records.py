"""What the stand-in saw: one record per request, grown while it is answered, shown as frozen snapshots."""

import json
from dataclasses import dataclass, field
from typing import Any

import zstandard

from standin.model.attempts import Attempt

type Headers = tuple[tuple[str, str], ...]


def cookies_of(headers: Headers) -> dict[str, str]:
    """The cookies that a request's headers hold, by name; HTTP/2 may spread them over several headers."""
    pairs = [pair for name, value in headers if name == "cookie" for pair in value.split(";")]
    return {name.strip(): value.strip() for name, _, value in (pair.partition("=") for pair in pairs)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A request as it came off the wire, whole. `secure` tells the TLS listener from the plain one."""

    method: str
    host: str
    path: str
    headers: Headers = field(repr=False)
    raw_body: bytes = field(repr=False, default=b"")
    http_version: str
    connection: int
    secure: bool

    def header(self, name: str) -> str | None:
        """The first value of a header, None without it."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]

    @property
    def wants_websocket(self) -> bool:
        """Whether this asks to become a WebSocket, docs/codex-wire.md section 1.2."""
        return (self.header("upgrade") or "").lower() == "websocket"

    def body(self) -> bytes:
        """The body with its zstd encoding undone (the official client sends it so, docs/codex-wire.md section 2.1)."""
        if self.header("content-encoding") == "zstd":
            try:
                return zstandard.ZstdDecompressor().decompressobj().decompress(self.raw_body)
            except zstandard.ZstdError:
                return self.raw_body  # shown as it came; whoever wants JSON of it answers 400
        return self.raw_body


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """One request at the moment it was asked for. Whatever may carry a token is kept out of `repr`.

    `account_id` and `user_id` name whose access token the request bore, looked up among all tokens ever issued.
    `disconnected` means that the client went away before the answer (for a WebSocket: a running answer) was complete;
    `closed` that the exchange or the socket is over, for whatever reason; `close_code` is the code of the close frame
    the client sent, if it sent one. `foreign_cookies` are the names of cookies it sent that were set for another
    account than the one its token is for. `attempts` are the requests to the model in it: one over HTTP, as many as its
    messages over a WebSocket, and none of what was refused before anybody looked at a body.
    """

    method: str
    host: str
    path: str
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    raw_body_length: int
    http_version: str
    account_id: str | None
    user_id: str | None
    authorization: str | None = field(repr=False)
    connection: int
    status: int | None
    websocket: bool
    messages: tuple[dict[str, Any], ...] = field(repr=False)
    disconnected: bool
    closed: bool
    close_code: int | None
    foreign_cookies: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that came with the request."""
        return cookies_of(self.headers)

    def header(self, name: str) -> str | None:
        """The first value of a header, None without it."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    def json(self) -> Any:
        """The decoded body, parsed."""
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Record:
    """The growing side of a `SeenRequest`. Only the stand-in's state changes it, under its lock."""

    request: Incoming
    body: bytes = field(repr=False)
    account_id: str | None
    user_id: str | None
    status: int | None = None
    messages: list[dict[str, Any]] = field(default_factory=list, repr=False)
    busy: bool = True
    """An answer is owed. A WebSocket owes none between messages."""
    disconnected: bool = False
    closed: bool = False
    close_code: int | None = None
    foreign_cookies: tuple[str, ...] = ()
    attempts: list[Attempt] = field(default_factory=list, repr=False)

    def snapshot(self) -> SeenRequest:
        """This record as it is now."""
        request = self.request
        return SeenRequest(
            method=request.method,
            host=request.host,
            path=request.path,
            headers=request.headers,
            body=self.body,
            raw_body_length=len(request.raw_body),
            http_version=request.http_version,
            account_id=self.account_id,
            user_id=self.user_id,
            authorization=request.header("authorization"),
            connection=request.connection,
            status=self.status,
            websocket=request.wants_websocket,
            messages=tuple(self.messages),
            disconnected=self.disconnected,
            closed=self.closed,
            close_code=self.close_code,
            foreign_cookies=self.foreign_cookies,
            attempts=tuple(self.attempts),
        )
