"""Items of a conversation, as they stand in a request's `input` and in an answer's `output`, in words. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from addons.inspection import render as written
from addons.inspection.body import loads
from addons.redaction.patterns import seal

type Item = Mapping[str, object]
type Owner = Callable[[str], str]
"""Whose a sealed content is: an account's label, "" if that is not known."""

BESIDE: Final = frozenset(
    {"type", "id", "status", "call_id", "name", "namespace", "role", "internal_chat_message_metadata"}
)
"""Fields of an item that a line about it needs not repeat."""

_TEXTS: Final = frozenset({"input_text", "output_text", "summary_text", "reasoning_text", "text", "refusal"})
_SEALED_ONLY: Final = frozenset({"compaction", "context_compaction", "compaction_summary"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """An item in words. `value` is JSON in the place of a text, `sealed` a note about what cannot be read."""

    title: str
    text: str = ""
    value: object = None
    sealed: str = ""
    by_model: bool = False
    is_output: bool = False
    is_prose: bool = False

    def full(self, indent: int) -> list[str]:
        """The item with all it has to say, as far as bounds let it; `indent` is where its title stands."""
        if isinstance(self.value, Mapping) and any(
            "\n" in each for each in self.value.values() if isinstance(each, str)
        ):
            return written.fields(self.titled(), self.value, indent=indent)
        if self.value is not None:
            return written.block(self.titled(), self.value, indent=indent)
        if not self.text:
            return [f"{self.title}: {self.sealed}".rstrip()]
        return written.entry(self.titled(), self.readable(), indent=indent)

    def readable(self) -> str:
        """The text, wrapped if it is prose: what a tool gets or gives back is not."""
        return written.prose(self.text) if self.is_prose else self.text

    def folded(self) -> list[str]:
        """The item in one line."""
        if self.value is not None:
            line = written.pretty(self.value)
            return [f"{self.titled()}: {written.scalar(written.folded(line)) if chr(10) in line else line}"]
        if not self.text:
            return [f"{self.title}: {self.sealed}".rstrip()]
        return [f"{self.titled()}: {written.scalar(written.folded(self.text))}"]

    def titled(self) -> str:
        """The title with the note about what is sealed."""
        return f"{self.title} ({self.sealed})" if self.sealed else self.title


def nobody(_: str) -> str:
    """The owner where none is known."""
    return ""


def piece(item: Item, owner: Owner = nobody, calls: Mapping[str, str] | None = None) -> Piece:
    """One item. `calls` says which tool a `call_id` called, so that an output can name it."""
    kind = word(item, "type") or ("message" if "role" in item else "item")
    sealed = _seals(item, owner)
    if kind == "message":
        role = name(word(item, "role") or "message")
        return Piece(
            title=role, text=text_in(item.get("content")), sealed=sealed, by_model=role == "assistant", is_prose=True
        )
    if kind == "reasoning":
        told = [text_in(item.get(part)) for part in ("summary", "content")]
        return Piece(
            title="reasoning", text="\n\n".join(filter(None, told)), sealed=sealed, by_model=True, is_prose=True
        )
    if kind.endswith(("_output", "_result")):
        return _output(item, kind, (calls or {}).get(word(item, "call_id"), ""))
    if kind.endswith("_call"):
        return _call(item, kind)
    rest = {key: value for key, value in item.items() if key not in BESIDE and key != "encrypted_content"}
    return Piece(title=name(kind), value=rest or None, sealed=sealed, by_model=kind in _SEALED_ONLY)


def call_name(item: Item) -> str:
    """What a call calls: the tool's own name, or the kind of call."""
    return name(word(item, "name") or word(item, "type").removesuffix("_call") or "something")


def text_in(content: object) -> str:
    """The text of a message's content or an output; what is no text is named with its size."""
    if isinstance(content, str):
        return content
    return "\n".join(_parts(content)) if isinstance(content, list) else ""


def word(item: object, key: str) -> str:
    value = item.get(key) if isinstance(item, Mapping) else None
    return value if isinstance(value, str) else ""


def name(text: str) -> str:
    """A name from the wire as it can stand in a title: one short line without what YAML reads as something else."""
    short = " ".join(text[:80].split()).replace(": ", " ").replace(" #", " ").strip("-?:,[]{}#&*!|>'\"%@` ")
    return short if short.isprintable() and short else "unnamed"


def _parts(content: list[object]) -> Iterator[str]:
    for part in content:
        kind = word(part, "type")
        text = part if isinstance(part, str) else word(part, "refusal" if kind == "refusal" else "text")
        if isinstance(part, str) or kind in _TEXTS:
            yield f"refused: {text}" if kind == "refusal" else text
        else:
            yield written.pretty(part)


def _call(item: Item, kind: str) -> Piece:
    place = word(item, "call_id")
    title = f"call {call_name(item)}{f' ({name(place)})' if place else ''}"
    given = item.get("input") if kind == "custom_tool_call" else item.get("arguments")
    if isinstance(given, str) and given:
        value, whole = loads(given) if kind != "custom_tool_call" else (None, False)
        if whole and isinstance(value, dict | list):
            return Piece(title=title, value=value, by_model=True)
        return Piece(title=title, text=given, by_model=True)
    rest = {key: value for key, value in item.items() if key not in BESIDE and value not in (None, "")}
    return Piece(title=title, value=rest or None, by_model=True)


def _output(item: Item, kind: str, called: str) -> Piece:
    """What a tool put out. The shell's comes as JSON in a string, with the exit code beside it."""
    given = item.get("output", item.get("tools"))
    made_by = called or name(kind.removesuffix("_output").removesuffix("_result").removesuffix("_call"))
    place = "" if called or not word(item, "call_id") else f" ({name(word(item, 'call_id'))})"
    title = f"output of {made_by}{place}"
    if not isinstance(given, str):
        text = text_in(given)
        return Piece(title=title, text=text, value=None if text else given, is_output=True)
    inner, whole = loads(given) if given.startswith("{") else (None, False)
    if whole and isinstance(inner, dict) and isinstance(inner.get("output"), str):
        about = inner.get("metadata")
        code = about.get("exit_code") if isinstance(about, dict) else None
        return Piece(
            title=f"{title}, exit {code}" if isinstance(code, int) else title, text=inner["output"], is_output=True
        )
    return Piece(title=title, text=given, is_output=True)


def _seals(item: Item, owner: Owner) -> str:
    blob = word(item, "encrypted_content")
    return seal(blob, name(owner(blob)) if owner(blob) else "") if blob else ""
