"""The events of one answer, as the official client needs them (docs/codex-wire.md sections 1.2 and 9)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from standin.model.chains import START, Chain
from standin.model.items import Made, new_id

type Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request body asks for, as far as the stand-in cares. `history` is all of its input, with that of the chain
    it goes on from."""

    body: dict[str, Any]
    size: int
    history: Chain = START

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
    def aside(self) -> bool:
        """A request beside the user's turn: the full-screen client has a title made for a new thread."""
        return "thread_title" in str(self.body.get("client_metadata"))

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
    if not isinstance(body, dict):
        return None
    ask = Ask(body=body, size=len(data))
    return replace(ask, history=START.then(ask.items))


def assemble(ask: Ask, items: Sequence[Made], now: float) -> Answer:
    """The events of an answer with these items."""
    response_id = new_id("resp")
    head = {"id": response_id, "object": "response", "created_at": int(now), "model": ask.model}
    events: list[Event] = [
        {"type": "response.created", "response": head | {"status": "in_progress", "output": []}},
        {"type": "response.in_progress", "response": head | {"status": "in_progress", "output": []}},
    ]
    if ask.warm_up:
        events.pop()
    for index, made in enumerate(items):
        events += made.events(index)
    output = [made.item for made in items]
    done = head | {"status": "completed", "output": output, "usage": _usage(ask, output)}
    deltas = (place for place, event in enumerate(events, 1) if event["type"].endswith(".delta"))
    first_output = next(deltas, len(events))
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
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


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


def _usage(ask: Ask, output: Sequence[Event]) -> dict[str, Any]:
    """Token counts that are plausible and repeatable: four characters of input are a token, a word of output is one."""
    texts = (part.get("text", "") for item in output for part in item.get("content", ()) if isinstance(part, dict))
    reasoning = 4 * sum(item["type"] in {"reasoning", "compaction"} for item in output)
    given, made = ask.size // 4, sum(len(text.split()) for text in texts) + reasoning
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": given // 2},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": given + made,
    }
