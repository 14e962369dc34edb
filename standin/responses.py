"""The events of one answer, as the official client needs them (docs/codex-wire.md sections 1.2 and 9)."""

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

type Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request body asks for, as far as the stand-in cares."""

    body: dict[str, Any]
    size: int

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model", "gpt-5"))

    @property
    def items(self) -> list[dict[str, Any]]:
        """The input items; a plain text counts as none."""
        items = self.body.get("input")
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    @property
    def warm_up(self) -> bool:
        """A WebSocket request that wants no output, docs/codex-wire.md section 1.2."""
        return self.body.get("generate") is False

    @property
    def compaction(self) -> bool:
        """A request to compact the thread, docs/codex-wire.md section 1."""
        return bool(self.items) and self.items[-1].get("type") == "compaction_trigger"

    @property
    def sealed(self) -> Iterator[str]:
        """The encrypted contents among the input items."""
        for item in self.items:
            if isinstance(blob := item.get("encrypted_content"), str):
                yield blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The events of one answer and where output begins: `first_output` events come up to and with the first piece."""

    response_id: str
    events: tuple[Event, ...]
    first_output: int


def parse(data: bytes | str) -> Ask | None:
    """A request body, or None if it is no JSON object."""
    try:
        body = json.loads(data)
    except ValueError:
        return None
    return Ask(body=body, size=len(data)) if isinstance(body, dict) else None


def compose(ask: Ask, text: str, seals: list[str], now: float) -> Answer:
    """The answer to a request: `text` word by word, after one reasoning item per blob in `seals`.

    A warm-up gets no output. A compaction gets one compaction item that holds the first blob.
    """
    response_id = f"resp_{secrets.token_hex(12)}"
    head = {"id": response_id, "object": "response", "created_at": int(now), "model": ask.model}
    items: list[tuple[dict[str, Any], list[Event]]] = []
    if ask.compaction:
        items.append(({"type": "compaction", "id": _id("cmp"), "encrypted_content": seals[0]}, []))
    elif not ask.warm_up:
        items += [(_reasoning(blob), []) for blob in seals]
        message = _message(text)
        items.append((message, list(_text_events(message, text))))

    events: list[Event] = [
        {"type": "response.created", "response": head | {"status": "in_progress", "output": []}},
        {"type": "response.in_progress", "response": head | {"status": "in_progress", "output": []}},
    ]
    if ask.warm_up:
        events.pop()
    first_output = 0
    for index, (item, inner) in enumerate(items):
        started = item | ({"status": "in_progress", "content": []} if inner else {})
        events.append({"type": "response.output_item.added", "output_index": index, "item": started})
        for event in inner:
            events.append(event | {"output_index": index})
            if event["type"].endswith(".delta") and not first_output:
                first_output = len(events)
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    output = [item for item, _ in items]
    usage = _usage(ask, "" if ask.warm_up else text, reasoning=4 * len(seals))
    done = head | {"status": "completed", "output": output, "usage": usage}
    first_output = first_output or len(events)
    events.append({"type": "response.completed", "response": done})
    numbered = tuple(event | {"sequence_number": number} for number, event in enumerate(events))
    return Answer(response_id=response_id, events=numbered, first_output=first_output)


def shell(kind: str) -> Iterator[Event]:
    """What may come of an item before there is anything in it; `kind` is one of `SHELLS`."""
    for event in SHELLS[kind]:
        yield {"output_index": 0} | event


def rate_limits_event(plan: str, primary: Event | None, secondary: Event | None) -> Event:
    """What opens every answer on a WebSocket, docs/codex-wire.md section 3."""
    return {
        "type": "codex.rate_limits",
        "plan_type": plan,
        "rate_limits": {"allowed": True, "limit_reached": False, "primary": primary, "secondary": secondary},
        "credits": {"has_credits": False, "unlimited": False, "balance": None},
        "metered_limit_name": "codex",
    }


def sse(event: Event) -> bytes:
    """An event as it stands in an event stream."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


_EMPTY_MESSAGE = {"type": "message", "id": "msg_0", "role": "assistant", "status": "in_progress", "content": []}
_EMPTY_REASONING = {"type": "reasoning", "id": "rs_0", "summary": []}
_IN_MESSAGE: Event = {"item_id": "msg_0", "content_index": 0}
_IN_REASONING: Event = {"item_id": "rs_0", "summary_index": 0}

SHELLS: dict[str, tuple[Event, ...]] = {
    "message": ({"type": "response.output_item.added", "item": _EMPTY_MESSAGE},),
    "deltas": (
        {"type": "response.output_item.added", "item": _EMPTY_MESSAGE},
        {
            "type": "response.content_part.added",
            **_IN_MESSAGE,
            "part": {"type": "output_text", "text": "", "annotations": []},
        },
        {"type": "response.output_text.delta", **_IN_MESSAGE, "delta": ""},
    ),
    "reasoning": (
        {"type": "response.output_item.added", "item": _EMPTY_REASONING},
        {
            "type": "response.reasoning_summary_part.added",
            **_IN_REASONING,
            "part": {"type": "summary_text", "text": ""},
        },
    ),
}
"""Items that were begun and hold nothing."""


def _id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


def _reasoning(blob: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": _id("rs"), "summary": [], "encrypted_content": blob}


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


def _message(text: str) -> dict[str, Any]:
    content = [_part(text)]
    return {"type": "message", "id": _id("msg"), "role": "assistant", "status": "completed", "content": content}


def _text_events(message: dict[str, Any], text: str) -> Iterator[Event]:
    place = {"item_id": message["id"], "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": _part("")}
    for word in re.findall(r"\S+\s*|\s+", text) or [text]:
        yield {"type": "response.output_text.delta", **place, "delta": word}
    yield {"type": "response.output_text.done", **place, "text": text}
    yield {"type": "response.content_part.done", **place, "part": _part(text)}


def _usage(ask: Ask, text: str, reasoning: int) -> dict[str, Any]:
    """Token counts that are plausible and repeatable: four characters of input are a token, a word of output is one."""
    given, made = ask.size // 4, len(text.split()) + reasoning
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": given // 2},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": given + made,
    }
