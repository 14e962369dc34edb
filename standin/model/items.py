"""The items of an answer, each as the official client knows it (docs/codex-wire.md sections 9 and 12)."""

import base64
import json
import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

type Event = dict[str, Any]
type Wire = dict[str, Any]

_PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
    )
).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One item on its way: `inner` are the events between `added` and `done`, `hollow` is what `added` leaves out."""

    item: Wire
    inner: tuple[Event, ...] = ()
    hollow: Mapping[str, Any] = field(default_factory=dict)

    def events(self, output_index: int) -> Iterator[Event]:
        """All events of it, with its place in the output."""
        started = self.item | ({"status": "in_progress", **self.hollow} if self.inner else {})
        yield {"type": "response.output_item.added", "output_index": output_index, "item": started}
        for event in self.inner:
            yield event | {"output_index": output_index}
        yield {"type": "response.output_item.done", "output_index": output_index, "item": self.item}


class Item(ABC):
    """What a test wants the model to say or do. `made` gives it an id of its own."""

    sealed = False
    """Whether it holds content that only its account opens."""

    @abstractmethod
    def made(self, seal: str) -> Made:
        """It as it goes over the wire; `seal` is the encrypted content of a sealed one."""


@dataclass(frozen=True, slots=True)
class Reasoning(Item):
    """Sealed reasoning, with a summary if there is one to read."""

    summary: str = ""

    sealed = True

    def made(self, seal: str) -> Made:
        parts = [{"type": "summary_text", "text": self.summary}] if self.summary else []
        item = {"type": "reasoning", "id": new_id("rs"), "summary": parts, "encrypted_content": seal}
        if not self.summary:
            return Made(item=item)
        place, kind = {"item_id": item["id"], "summary_index": 0}, "response.reasoning_summary"
        empty = {"type": "summary_text", "text": ""}
        inner = (
            {"type": f"{kind}_part.added", **place, "part": empty},
            *({"type": f"{kind}_text.delta", **place, "delta": word} for word in words(self.summary)),
            {"type": f"{kind}_text.done", **place, "text": self.summary},
            {"type": f"{kind}_part.done", **place, "part": parts[0]},
        )
        return Made(item=item, inner=inner, hollow={"summary": []})


@dataclass(frozen=True, slots=True)
class Message(Item):
    """A text, word by word."""

    text: str

    def made(self, seal: str) -> Made:
        part, empty = _part(self.text), _part("")
        head = {"type": "message", "id": new_id("msg"), "role": "assistant", "status": "completed"}
        place = {"item_id": head["id"], "content_index": 0}
        inner = (
            {"type": "response.content_part.added", **place, "part": empty},
            *({"type": "response.output_text.delta", **place, "delta": word} for word in words(self.text)),
            {"type": "response.output_text.done", **place, "text": self.text},
            {"type": "response.content_part.done", **place, "part": part},
        )
        return Made(item=head | {"content": [part]}, inner=inner, hollow={"content": []})


@dataclass(frozen=True, slots=True)
class Structured(Item):
    """A message that is an object, as a client gets it that asks for an output of a certain schema."""

    content: Mapping[str, Any]

    def made(self, seal: str) -> Made:
        return Message(json.dumps(self.content)).made(seal)


@dataclass(frozen=True, slots=True)
class FunctionCall(Item):
    """A call of one of the client's functions, such as `sleep` of the namespace `clock`."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    namespace: str = ""

    def made(self, seal: str) -> Made:
        text = json.dumps(self.arguments)
        item = _call("function_call", "fc") | {"name": self.name, "arguments": text}
        if self.namespace:
            item["namespace"] = self.namespace
        return Made(item=item, inner=_spelled("function_call_arguments", item, "arguments"), hollow={"arguments": ""})


@dataclass(frozen=True, slots=True)
class CustomCall(Item):
    """A call of a tool that takes free text, such as `exec`."""

    name: str
    text: str

    def made(self, seal: str) -> Made:
        item = _call("custom_tool_call", "ctc") | {"name": self.name, "input": self.text}
        return Made(item=item, inner=_spelled("custom_tool_call_input", item, "input"), hollow={"input": ""})


@dataclass(frozen=True, slots=True)
class LocalShellCall(Item):
    """A command in the shape of the provider's own shell tool."""

    command: tuple[str, ...]

    def made(self, seal: str) -> Made:
        action = {"type": "exec", "command": list(self.command), "timeout_ms": 10_000}
        return Made(item=_call("local_shell_call", "lsh") | {"action": action})


@dataclass(frozen=True, slots=True)
class WebSearch(Item):
    """A search that the provider runs itself."""

    query: str

    def made(self, seal: str) -> Made:
        action = {"type": "search", "query": self.query}
        item = {"type": "web_search_call", "id": new_id("ws"), "status": "completed", "action": action}
        return Made(item=item, inner=_ran("web_search_call", item, "in_progress", "searching", "completed"))


@dataclass(frozen=True, slots=True)
class ImageGeneration(Item):
    """A picture that the provider makes itself: one pixel."""

    prompt: str

    def made(self, seal: str) -> Made:
        item = {
            "type": "image_generation_call",
            "id": new_id("ig"),
            "status": "completed",
            "revised_prompt": self.prompt,
            "result": _PIXEL,
        }
        inner = _ran("image_generation_call", item, "in_progress", "generating", "completed")
        return Made(item=item, inner=inner, hollow={"result": ""})


@dataclass(frozen=True, slots=True)
class Unknown(Item):
    """An item of a kind that nobody knows yet."""

    kind: str = "hologram"

    def made(self, seal: str) -> Made:
        return Made(item={"type": self.kind, "id": new_id("x"), "status": "completed", "content": "made up"})


@dataclass(frozen=True, slots=True)
class Compaction(Item):
    """What replaces a thread's history, sealed (docs/codex-wire.md section 1)."""

    sealed = True

    def made(self, seal: str) -> Made:
        return Made(item={"type": "compaction", "id": new_id("cmp"), "encrypted_content": seal})


def shell_call(command: str) -> CustomCall:
    """A command as the official client runs it: by a script for its tool `exec` (docs/codex-wire.md section 12)."""
    return CustomCall("exec", f"text((await tools.exec_command({{cmd: {json.dumps(command)}}})).output)")


def new_id(prefix: str) -> str:
    """An id that nothing else has."""
    return f"{prefix}_{secrets.token_hex(12)}"


def words(text: str) -> list[str]:
    """A text in pieces, each with the space after it."""
    return re.findall(r"\S+\s*|\s+", text) or [text]


def _part(text: str) -> Wire:
    return {"type": "output_text", "text": text, "annotations": []}


def _call(kind: str, prefix: str) -> Wire:
    return {"type": kind, "id": new_id(prefix), "call_id": new_id("call"), "status": "completed"}


def _spelled(kind: str, item: Wire, name: str) -> tuple[Event, ...]:
    place, text = {"item_id": item["id"]}, item[name]
    deltas = ({"type": f"response.{kind}.delta", **place, "delta": word} for word in words(text))
    return *deltas, {"type": f"response.{kind}.done", **place, name: text}


def _ran(kind: str, item: Wire, *states: str) -> tuple[Event, ...]:
    return tuple({"type": f"response.{kind}.{state}", "item_id": item["id"]} for state in states)
