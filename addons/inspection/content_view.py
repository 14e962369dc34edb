"""A content view of mitmproxy for what Codex and the provider say: a turn as a transcript instead of as JSON.

A view sees its flow and the other flows of the capture, no pool and no service: captures from anywhere can be read. It
runs when somebody looks, never while a request passes.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mitmproxy import contentviews, ctx, flow, http
from mitmproxy.addonmanager import Loader
from mitmproxy.contentviews import Contentview, Metadata, SyntaxHighlight
from mitmproxy.websocket import WebSocketMessage

from accounts.choice import quota
from accounts.origin import PROVIDER_HOST
from addons.inspection import answer as transcript
from addons.inspection import body as wire
from addons.inspection import render as written
from addons.inspection import request as transcript_request
from addons.inspection import socket
from addons.inspection.items import Owner, name, nobody
from addons.inspection.owners import Owners, account_of
from addons.recording.annotations import OURS, PREFIX
from addons.recording.capture import CAPTURED
from addons.wire import events as streams
from addons.wire import messages
from config.provider import PROVIDER

PRIORITY: Final = 3.0
"""Above mitmproxy's own views: that of JSON has 1, that of GraphQL 2."""

_RESPONSES: Final = re.compile(rf"(?:{PROVIDER.codex_path}|/v1)/responses(?:/compact)?")


class Views:
    """Registers the view as long as the addon is loaded."""

    def __init__(self) -> None:
        self.view = Codex()

    def load(self, loader: Loader) -> None:
        del loader
        contentviews.add(self.view)

    def done(self) -> None:
        known = contentviews.registry
        if known.get(self.view.name) is self.view:
            known._by_name.pop(self.view.name.lower())  # noqa: SLF001 - a view can be replaced, but not removed


class Codex(Contentview):
    """Requests, event streams, socket messages and errors of the Responses API."""

    @property
    def name(self) -> str:
        return "Codex"

    @property
    def syntax_highlight(self) -> SyntaxHighlight:
        return "yaml"

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        seen = metadata.flow
        if not data or not isinstance(seen, http.HTTPFlow):
            return -1
        host = seen.request.host
        if host != PROVIDER.api_host and not PROVIDER_HOST.fullmatch(host):
            return -1
        ours = _RESPONSES.fullmatch(seen.request.path.partition("?")[0]) is not None
        response = metadata.http_message
        if isinstance(response, http.Response):
            is_json = metadata.content_type == "application/json"
            ours = (ours and metadata.content_type == "text/event-stream") or (
                is_json and (ours or response.status_code >= 400)
            )
        return PRIORITY if ours else -1

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        seen = metadata.flow if isinstance(metadata.flow, http.HTTPFlow) else None
        message = metadata.http_message
        if metadata.websocket_message is not None:
            lines = socket_message(data, metadata.websocket_message, seen)
        elif isinstance(message, http.Request):
            lines = request(_plain(data, message), _owners(seen))
        elif isinstance(message, http.Response):
            lines = response(_plain(data, message), message, seen)
        else:
            lines = anything(data)
        return written.finished(lines)


def request(data: bytes, owner: Owner) -> list[str]:
    """A request's body."""
    text = wire.text_of(data)
    value, whole = wire.loads(text)
    if not isinstance(value, dict):
        return transcript.unreadable(text)
    return transcript_request.shown(value, owner, whole=whole)


def response(data: bytes, head: http.Response, seen: http.HTTPFlow | None) -> list[str]:
    """An answer's body, and the attempts that failed before it."""
    label = account_of(seen) if seen is not None else ""
    metadata = seen.metadata if seen is not None else {}
    if "event-stream" in head.headers.get("content-type", "") or wire.is_stream(data):
        answer = transcript.read(wire.events(data), head.timestamp_start)
        windows = quota.from_headers(messages.fields(head), head.timestamp_start)
        answer.windows = quota.merged(windows, answer.windows)
        lines = transcript.shown(answer, lambda _: label, unended=_unended(metadata))
    else:
        lines = document(wire.text_of(data), head.status_code, lambda _: label)
    return [*_given_by(metadata, label), *lines, *_failed_attempts(metadata)]


def document(text: str, status: int, owner: Owner = nobody) -> list[str]:
    """An answer in one piece: an error, an answer that was not streamed, or other JSON."""
    value, whole = wire.loads(text)
    if not isinstance(value, dict):
        return transcript.unreadable(text)
    if isinstance(value.get("output"), list) and status < 400:
        answer = transcript.read([wire.StreamEvent(streams.COMPLETED, {"response": value}, text, whole)], 0)
        return transcript.shown(answer, owner, unended="")
    body = written.block("body", value, indent=0)
    if status < 400 and not value.get("error"):
        return body
    why, ours = transcript.trouble({"status": status, **value} if status >= 400 else value)
    whose = ["from: codex-rotate, not from upstream"] if ours else []
    return [f"error: {written.scalar(why)}", *whose, *body]


def socket_message(data: bytes, message: WebSocketMessage, seen: http.HTTPFlow | None) -> list[str]:
    """One message of a socket: a request, an event of an answer, or at its end the answer."""
    if message.from_client:
        event = wire.event(wire.text_of(data))
        notes = ["# not passed on"] if message.dropped else []
        if event.kind == streams.CREATE or "input" in event.payload:
            return notes + request(data, _owners(seen))
        return notes + _event(event, message.timestamp, nobody)
    label = account_of(seen) if seen is not None else ""
    notes = ["# said by codex-rotate, not by upstream"] if message.injected else []
    event = wire.event(wire.text_of(data))
    turn = socket.turn_of(seen.websocket if seen is not None else None, message, event.kind)
    if turn is not None:
        return [*notes, f"event: {name(event.kind or 'none')}", *turn.summary(label, lambda _: label)]
    if not event.whole or isinstance(event.payload.get("delta"), str):
        return notes + _event(event, message.timestamp, lambda _: label)
    return [*notes, socket.line(event, lambda _: label)]


def anything(data: bytes) -> list[str]:
    """Something that somebody wants to see this way, from wherever it may come."""
    data = wire.unpacked(data, "")
    if wire.is_stream(data):
        return transcript.shown(transcript.read(wire.events(data), 0))
    text = wire.text_of(data)
    value, _ = wire.loads(text)
    if isinstance(value, dict) and "input" in value:
        return request(data, nobody)
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return _event(wire.event(text), 0, nobody)
    return document(text, 0)


def _event(event: wire.StreamEvent, now: float, owner: Owner) -> list[str]:
    if not event.payload:
        return transcript.unreadable(event.text)
    delta = event.payload.get("delta")
    if isinstance(delta, str):  # one line: there are hundreds
        return written.block(name(event.kind), delta, indent=0)
    title = f"event: {name(event.kind)}"
    if not event.whole:
        return [title, *written.block("cut off after", event.payload, indent=0)]
    return [title, *transcript.shown(transcript.read([event], now), owner, unended="")]


def _plain(data: bytes, message: http.Message) -> bytes:
    """What mitmproxy could not decode, it hands on as it came."""
    return wire.unpacked(data, message.headers.get("content-encoding", "")) if data == message.raw_content else data


def _owners(seen: http.HTTPFlow | None) -> Owner:
    return Owners(seen, _capture()) if seen is not None else nobody


def _capture() -> Iterable[flow.Flow]:
    """The other flows, where they are kept: mitmweb and mitmproxy do, mitmdump does not."""
    kept = ctx.master.addons.get("view") if hasattr(ctx, "master") else None
    return kept if isinstance(kept, Iterable) else ()


def _unended(metadata: Mapping[str, object]) -> str:
    captured = metadata.get(CAPTURED)
    if isinstance(captured, list | tuple) and len(captured) == 2 and all(isinstance(each, int) for each in captured):
        return f"not captured: only the first {captured[0]:,} of {captured[1]:,} bytes are kept"
    return transcript.UNENDED


def _given_by(metadata: Mapping[str, object], label: str) -> list[str]:
    """Whose answer it is; of one of ours why no account could give one."""
    if metadata.get(f"{PREFIX}done") != OURS:
        return [f"account: {name(label)}"] if label else []
    nobody = metadata.get(f"{PREFIX}nobody")
    reasons = nobody.items() if isinstance(nobody, Mapping) else ()
    lines = [f"  - {name(str(each))}: {written.scalar(str(why))}" for each, why in reasons]
    return ["account: none, codex-rotate has answered itself", *(["nobody left:", *lines] if lines else [])]


def _failed_attempts(metadata: Mapping[str, object]) -> list[str]:
    """What earlier accounts were answered, which the client has never seen."""
    attempts = metadata.get(f"{PREFIX}attempts")
    lines: list[str] = []
    for each in attempts if isinstance(attempts, list | tuple) else ():
        if isinstance(each, dict) and isinstance(each.get("body"), str):
            lines += _failed(each)
    return ["failed attempts: # the client has not seen these", *lines] if lines else []


def _failed(attempt: Mapping[str, object]) -> list[str]:
    text = str(attempt["body"])
    value, whole = wire.loads(text)
    headers = attempt.get("headers")
    listed = headers if isinstance(headers, list | tuple) else ()
    pairs = [each for each in listed if isinstance(each, list | tuple) and len(each) == 2]
    status = attempt.get("status")
    said = transcript.trouble({"status": status, **value})[0] if isinstance(value, dict) else str(status)
    told = [
        *([f"{key}: {written.scalar(str(attempt.get(key)))}"] for key in ("kind", "why", "seconds")),
        written.block("body", value, indent=4) if whole else written.entry("body", text, indent=4),
        written.block("headers", {str(each[0]): str(each[1]) for each in pairs}, indent=4),
    ]
    title = f"  - {name(str(attempt.get('account')))}: # {said}"
    return [title, *(line for first, *rest in told for line in (f"    {first}", *rest))]
