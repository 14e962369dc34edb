"""A socket in words: one summary for each turn, where the turn ends, and a line for every other event. Pure.

What a turn has come to is spread over many messages, and the last one need not repeat it (docs/codex-wire.md, 1.2).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from mitmproxy.websocket import WebSocketData, WebSocketMessage

from accounts.choice import quota
from addons.inspection import answer as transcript
from addons.inspection import body as wire
from addons.inspection import render as written
from addons.inspection.body import StreamEvent
from addons.inspection.items import Owner, name, piece
from addons.wire import events as streams

_TOLD: Final = frozenset({"type", "sequence_number", "event_id"})


class SocketTurn(NamedTuple):
    """A turn as far as a message of it: the messages since its request, and its place among the turns of the socket
    (0: not known)."""

    number: int
    messages: Sequence[WebSocketMessage]

    def summary(self, account: str, owner: Owner, unended: str = transcript.UNENDED) -> list[str]:
        """Everything that upstream has said in it."""
        events = (wire.event(wire.text_of(each.content)) for each in self.messages if not each.from_client)
        answer = transcript.read(events, self.messages[-1].timestamp)
        took = max(0.0, self.messages[-1].timestamp - self.messages[0].timestamp)
        head = [f"turn: {self.number}, {took:.1f} s"] if self.number else []
        head += [f"account: {name(account)}"] if account and not answer.ours else []
        return [*head, *transcript.shown(answer, owner, unended=unended)]


def turn_of(socket: WebSocketData | None, message: WebSocketMessage, kind: str) -> SocketTurn | None:
    """The turn that ends with this message of the server, by what it says or because nothing has come after it. None
    for a message in the midst of one."""
    messages = socket.messages if socket is not None else []
    broken_off = socket is not None and socket.timestamp_end is not None and messages[-1:] == [message]
    if not streams.ends(kind) and not broken_off:
        return None
    at = next((at for at in reversed(range(len(messages))) if messages[at] is message), None)
    if at is None:
        return SocketTurn(0, [message])
    for begin in reversed(range(at + 1)):
        if _asks(messages[begin]):
            return SocketTurn(sum(_asks(each) for each in messages[: begin + 1]), messages[begin : at + 1])
        if begin < at and _ends(messages[begin]):
            return SocketTurn(0, messages[begin + 1 : at + 1]) if streams.ends(kind) else None
    return SocketTurn(0, messages[: at + 1])


def line(event: StreamEvent, owner: Owner) -> str:
    """An event in one line: what kind it is, and what is new in it."""
    kind = name(event.kind or "event without a type")
    news = next(_news(event, owner), "")
    return f"{kind}: {written.scalar(written.folded(news))}" if news else f"event: {kind}"


def _news(event: StreamEvent, owner: Owner) -> Iterator[str]:
    payload = event.payload
    item = payload.get("item")
    if event.kind == streams.RATE_LIMITS:
        windows = quota.from_event(payload, 0)
        yield ", ".join(f"{quota.window_name(each.minutes)} {each.used_percent:g} % used" for each in windows)
    elif isinstance(item, Mapping):
        shown = piece(item, owner)
        yield f"{shown.titled()}: {shown.text}" if shown.text else shown.titled()
    elif "response" not in payload and "part" not in payload:
        for key in ("text", "arguments", "input", "refusal"):
            if isinstance(said := payload.get(key), str):
                yield said
        if not event.kind.startswith("response."):
            rest = {key: value for key, value in payload.items() if key not in _TOLD}
            yield written.pretty(rest) if rest else ""


def _asks(message: WebSocketMessage) -> bool:
    return message.from_client and streams.event_type(message.content) == streams.CREATE


def _ends(message: WebSocketMessage) -> bool:
    return not message.from_client and streams.ends(streams.event_type(message.content)) != ""
