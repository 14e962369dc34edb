"""What an organisation sealed in a conversation, found in a request and left out of it. Bytes in, bytes out; no I/O.

Only the organisation that sealed `encrypted_content` can open it; another one refuses the whole request with 400
`invalid_encrypted_content`. It is in `reasoning` items, and in the compaction item that stands for the older history
of a thread (docs/codex-wire.md sections 1 and 9; the client's source takes `compaction_summary` for `compaction`).

What may not be left behind. The Responses API pairs what a model put out with the reasoning item before it, by their
ids and with `store: false` as well. An item that comes with its `id` and without its reasoning item is refused: "Item
'msg_…' of type 'message' was provided without its required 'reasoning' item: 'rs_…'", and so is a call, 'fc_…'
(openai/codex#33044, openai/openai-agents-python#2727, NousResearch/hermes-agent#97442). The client sends these ids, as
seen with 0.169. An item without an `id` is not paired, and a call finds its output by `call_id`: that is the repair of
openai/openai-agents-python#2728 and laravel/ai#1052, and what the client itself sent when it had no ids yet
(openai/codex#28814). Hence a reasoning item goes as a whole, and what followed it stays without its `id`. The other way
round a reasoning item that stays needs the one after it as it is ("… of type 'reasoning' was provided without its
required following item", openai/openai-openapi#536), so nothing else is touched. Nothing depends on a compaction item.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from accounts.requests.json_text import DECODER, JsonPart, JsonWhole, space, walk


@dataclass(frozen=True, slots=True)
class Sealed:
    """What is sealed in a request's input: per kind the digests of the encrypted contents, never the contents."""

    reasoning: frozenset[str] = frozenset()
    compactions: frozenset[str] = frozenset()


_REASONING: Final = "reasoning"
_COMPACTIONS: Final = frozenset({"compaction", "context_compaction", "compaction_summary"})
PAIRED: Final = frozenset(
    {"message", "function_call", "custom_tool_call", "local_shell_call", "web_search_call", "tool_search_call"}
)
"""What a model puts out after reasoning and what needs no `id`; an `image_generation_call`, for one, does need it."""

_WALKED: Final = frozenset({"input", "response"})


def found_in(body: bytes) -> Sealed:
    """What is sealed in an HTTP body or a WebSocket `response.create` message; nothing in what is no JSON object."""
    _, inputs = _read(body)
    seals = [_seal(part.value) for whole in inputs for part in whole.parts]
    return Sealed(
        reasoning=frozenset(digest for kind, digest in seals if kind == _REASONING),
        compactions=frozenset(digest for kind, digest in seals if kind in _COMPACTIONS),
    )


def without(
    body: bytes, *, reasoning: frozenset[str] | None, compactions: frozenset[str] = frozenset()
) -> tuple[bytes, int]:
    """The same request without the sealed items of these digests, and how many those were; None: all reasoning.

    Everything else is copied as it is written: numbers, escapes, order, and all but the space between the items. Only
    what followed a reasoning item that is gone loses its `id`. When nothing is left out, the same object comes back.
    """
    if reasoning is not None and not reasoning and not compactions:
        return body, 0
    text, inputs = _read(body)
    dropped = 0
    for whole in sorted(inputs, key=lambda each: each.start, reverse=True):  # what is cut moves only what is behind it
        items = _left(text, whole, reasoning, compactions)
        if len(items) < len(whole.parts):
            text = f"{text[: whole.start]}[{','.join(items)}]{text[whole.end :]}"
            dropped += len(whole.parts) - len(items)
    return (text.encode(), dropped) if dropped else (body, 0)


def holds_compaction(event: bytes) -> bool:
    """Whether the item in this server event compacts the thread; it does once the event is that it is complete."""
    if b"compaction" not in event:
        return False
    try:
        payload = DECODER.decode(event.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(payload, dict) and _word(payload.get("item"), "type") in _COMPACTIONS


def _left(text: str, whole: JsonWhole, reasoning: frozenset[str] | None, compactions: frozenset[str]) -> list[str]:
    """The items that stay, as they are written."""
    items = []
    unpaired = False
    for part in whole.parts:
        kind, digest = _seal(part.value)
        if kind == _REASONING and (reasoning is None or digest in reasoning):
            unpaired = True
            continue
        if kind in _COMPACTIONS and digest in compactions:
            continue
        # the answer is over, or goes on with a reasoning item that stays
        if _word(part.value, "type") == _REASONING or _word(part.value, "role") not in {"", "assistant"}:
            unpaired = False
        nameless = unpaired and _word(part.value, "type") in PAIRED
        items.append(_without_id(text, part) if nameless else text[part.start : part.end])
    return items


def _without_id(text: str, item: JsonPart) -> str:
    members = walk(text, item.start).parts
    return f"{{{','.join(text[each.start : each.end] for each in members if each.name != 'id')}}}"


def _seal(item: object) -> tuple[str, str]:
    """The type and the digest of a sealed item; both "" for any other."""
    kind, blob = _word(item, "type"), _word(item, "encrypted_content")
    if not blob or (kind != _REASONING and kind not in _COMPACTIONS):
        return "", ""
    return kind, hashlib.sha256(blob.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _word(item: object, name: str) -> str:
    value = item.get(name) if isinstance(item, Mapping) else None
    return value if isinstance(value, str) else ""


def _read(body: bytes) -> tuple[str, list[JsonWhole]]:
    """A request's text and its `input` arrays, on top or in `response`. None if nothing is sealed or it is no JSON."""
    if b"encrypted_content" not in body:  # the client writes plain names; most requests of a new thread end here
        return "", []
    try:
        text = body.decode()
        top = walk(text, space(text, 0), _WALKED)
        if space(text, top.end) != len(text):
            return "", []
    except (ValueError, RecursionError):
        return "", []
    inner = [part.value for part in top.parts if part.name == "response"]
    owners = [top, *(value for value in inner if isinstance(value, JsonWhole))]
    inputs = [part.value for owner in owners for part in owner.parts if part.name == "input"]
    return text, [value for value in inputs if isinstance(value, JsonWhole) and text[value.start] == "["]
