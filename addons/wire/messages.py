"""HTTP messages of mitmproxy as values the pool's core understands. Pure."""

import dataclasses
import functools
import re
from typing import Final

from mitmproxy import http

from accounts.choice.outcomes import Reply, error_of, tells
from addons.wire import events
from config import decoding


def read_reply(response: http.Response, body: bytes) -> Reply:
    """A refusing HTTP answer as a value. A body that is not JSON has no error to read."""
    return Reply(
        status=response.status_code,
        headers=fields(response),
        error=error_of(events.document(plain(response, body))),
    )


def error_in(response: http.Response, body: bytes) -> Reply | None:
    """The failure that the body of a success describes in JSON; None when it is no failure, empty JSON or none."""
    payload = events.decoded(body)
    nested = payload.get("response")
    inner = nested if isinstance(nested, dict) else {}
    failed = payload.get("type") == events.ERROR or "failed" in (payload.get("status"), inner.get("status"))
    reply = events.reply_of(body)
    if not (failed or any(map(payload.get, _ERRORS)) or inner.get("error") or tells(reply.error)):
        return None
    return Reply(status=reply.status, headers={**fields(response), **reply.headers}, error=reply.error)


_ERRORS: Final = ("error", "errors", "detail")


def is_answer(request: http.Request, body: bytes) -> bool:
    """Whether a JSON body can be what was asked for. Of a request to the model it is a whole response; a WebSocket is
    no body."""
    payload = events.decoded(body)
    if is_upgrade(request):
        return False
    if wants_response(request):
        return "output" in payload or payload.get("object") == "response"
    return bool(payload)


def may_be_answer(request: http.Request, beginning: bytes) -> bool:
    """Whether a text that begins so, and whose end has not come, may be one."""
    return not is_upgrade(request) and beginning.lstrip().startswith(b"{")


def wants_response(request: http.Request) -> bool:
    """Whether what is asked for are a model's words, as a stream or in one piece."""
    stream = "text/event-stream" in request.headers.get("accept", "").lower()
    return stream or request.path.partition("?")[0].endswith("/responses")


def fields(message: http.Message) -> dict[str, str]:
    """The headers with names in lower case; those of one name are joined, unless they say the same."""
    found: dict[str, str] = {}
    for name, value in message.headers.fields:
        key, text = name.decode("utf-8", "surrogateescape").lower(), value.decode("utf-8", "surrogateescape")
        found[key] = text if found.get(key, text) == text else f"{found[key]}, {text}"
    return found


def can_read(request: http.Request, response: http.Response) -> bool:
    """Whether the client has offered to read a body in this coding; one that offers nothing reads any (RFC 9110,
    12.5.3)."""
    offered = request.headers.get("accept-encoding")
    coding = response.headers.get("content-encoding")
    if offered is None or coding is None:
        return True
    names = {"identity"}
    for each in offered.lower().split(","):
        name, _, weight = each.replace(" ", "").partition(";")
        if _REFUSED.fullmatch(weight) is None:
            names.add(name)
    used = {each.strip() for each in coding.lower().split(",")} - {"", "none"}
    return "*" in names or used <= names


BEGINNING: Final = 512
"""Bytes in which a client has named the model, if that is what it says first."""
_REFUSED: Final = re.compile(r"q=0(\.0*)?")


def plain_body(request: http.Request) -> bytes:
    """The client's request body without its coding; empty when there is none, or none that can be read."""
    return plain(request, request.raw_content or b"")


def plain(message: http.Message, body: bytes) -> bytes:
    """A body without the coding that the message names; empty when it is cut short, in a coding nobody knows, or more
    than such a message may be: a refusal or a list of models has less room than a request."""
    most = decoding.MOST_REQUEST if isinstance(message, http.Request) else decoding.MOST_REFUSAL
    try:
        return decoding.whole(body, message.headers.get("content-encoding", "identity"), most)
    except decoding.CannotDecode:
        return b""


def plain_beginning(message: http.Message, body: bytes) -> bytes:
    """The first bytes of a body without the coding that the message names; empty when they cannot be had alone."""
    return decoding.first(body, message.headers.get("content-encoding", "identity"), BEGINNING)


def is_upgrade(request: http.Request) -> bool:
    if request.data.method != b"GET":
        return False
    upgrade: str = request.headers.get("upgrade", "")
    return upgrade.lower() == "websocket"


def shallow[M: http.Message](message: M) -> M:
    """A copy with all parts shared. `Message.copy()` goes through the whole state, `copy.copy` through much of it, and
    making a message anew has the types of its parts checked."""
    twin = message.__class__.__new__(message.__class__)
    twin.stream = message.stream
    twin.data = data = message.data.__class__.__new__(message.data.__class__)
    for name in _parts(data.__class__):
        setattr(data, name, getattr(message.data, name))
    return twin


@functools.cache
def _parts(of: type[http.MessageData]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(of))


def is_event_stream(response: http.Response) -> bool:
    """Whether its head says so. A stream that does not say what it is, is one all the same: its first bytes tell."""
    kind: str = response.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == "text/event-stream"
