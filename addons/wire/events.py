"""Reading Responses events just far enough: what kind each is, and JSON only for the few that decide something. Pure.

The same events arrive as server-sent events and as WebSocket messages; docs/codex-wire.md sections 1.2 and 3.
"""

import enum
import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from accounts.choice.outcomes import JsonObject, Reply, error_of, tells

CREATE: Final = "response.create"
"""What a client asks with in a socket; all else comes from upstream."""
CREATED: Final = "response.created"
COMPLETED: Final = "response.completed"
FAILED: Final = "response.failed"
ERROR: Final = "error"
RATE_LIMITS: Final = "codex.rate_limits"
ITEM_ADDED: Final = "response.output_item.added"
ITEM_DONE: Final = "response.output_item.done"
TEXT_DELTA: Final = "response.output_text.delta"


class Meaning(enum.Enum):
    """What an event is to a verdict. As long as only PRELUDE has come, another account can still take over unnoticed;
    FAILURE and ENDING end the answer. SHELL is output only if it holds something that a person would see."""

    PRELUDE = enum.auto()
    SHELL = enum.auto()
    OUTPUT = enum.auto()
    FAILURE = enum.auto()
    ENDING = enum.auto()


class EventKind(NamedTuple):
    """`ends` is how an answer has ended that this event ends, in a word; `redundant`: it says nothing beyond what other
    events say."""

    meaning: Meaning
    ends: str = ""
    redundant: bool = False


KINDS: Final[Mapping[str, EventKind]] = {
    CREATED: EventKind(Meaning.PRELUDE, redundant=True),
    "response.in_progress": EventKind(Meaning.PRELUDE, redundant=True),
    "response.queued": EventKind(Meaning.PRELUDE, redundant=True),
    "response.metadata": EventKind(Meaning.PRELUDE),
    RATE_LIMITS: EventKind(Meaning.PRELUDE),
    "responsesapi.websocket_timing": EventKind(Meaning.PRELUDE, redundant=True),
    "keepalive": EventKind(Meaning.PRELUDE, redundant=True),
    "ping": EventKind(Meaning.PRELUDE, redundant=True),
    "response.content_part.added": EventKind(Meaning.SHELL, redundant=True),
    "response.content_part.done": EventKind(Meaning.SHELL, redundant=True),
    "response.reasoning_summary_part.added": EventKind(Meaning.SHELL, redundant=True),
    ITEM_ADDED: EventKind(Meaning.SHELL),
    TEXT_DELTA: EventKind(Meaning.SHELL),
    "response.refusal.delta": EventKind(Meaning.SHELL),
    "response.reasoning_text.delta": EventKind(Meaning.SHELL),
    "response.reasoning_summary_text.delta": EventKind(Meaning.SHELL),
    "response.function_call_arguments.delta": EventKind(Meaning.SHELL),
    "response.custom_tool_call_input.delta": EventKind(Meaning.SHELL),
    "response.reasoning_summary_part.done": EventKind(Meaning.SHELL, redundant=True),
    **{
        f"response.{what}.done": EventKind(Meaning.SHELL)
        for what in (
            *("output_text", "refusal", "reasoning_text", "reasoning_summary_text", "function_call_arguments"),
            "custom_tool_call_input",
        )
    },
    "response.output_text.annotation.added": EventKind(Meaning.OUTPUT, redundant=True),
    "[DONE]": EventKind(Meaning.OUTPUT, redundant=True),
    COMPLETED: EventKind(Meaning.ENDING, "completed"),
    "response.incomplete": EventKind(Meaning.ENDING, "incomplete"),
    FAILED: EventKind(Meaning.FAILURE, "failed"),
    ERROR: EventKind(Meaning.FAILURE, "error"),
    # The official client waits on after these two, so they decide nothing; captures of others hold them.
    "response.done": EventKind(Meaning.OUTPUT, "completed"),
    "response.cancelled": EventKind(Meaning.OUTPUT, "cancelled"),
}
"""What is known of events. One that is not here may be output."""


def _of(wanted: Meaning) -> frozenset[str]:
    return frozenset(kind for kind, row in KINDS.items() if row.meaning is wanted)


PRELUDE: Final = _of(Meaning.PRELUDE)
FAILURES: Final = _of(Meaning.FAILURE)
ENDINGS: Final = _of(Meaning.ENDING)

_TELLING: Final = tuple(
    kind.encode() for kind in (*FAILURES, *ENDINGS, ITEM_ADDED, ITEM_DONE, "response.created", "codex.")
)
"""What still has to be read after output has begun."""

_DELTAS: Final = tuple(
    begins % kind
    for begins in (b"event: response.%b.delta\n", b'data: {"type":"response.%b.delta",')
    for kind in (b"output_text", b"reasoning_summary_text", b"reasoning_text", b"function_call_arguments")
)
"""How nearly every chunk begins."""

_TYPE_FIRST: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"([\w.\-]{1,80})"')
_BLANK_LINE: Final = re.compile(rb"(?:\r?\n|\r(?!\n))(?:\r?\n|\r)")


def event_type(data: bytes) -> str:
    """The `type` of a JSON event; empty when it has none. Decodes only what does not begin with it. What has none and
    describes a failure is an error."""
    found = _TYPE_FIRST.match(data)
    if found:
        return _plain(found.group(1).decode())
    payload = decoded(data)
    kind = payload.get("type")
    if kind is None and _describes_failure(payload):
        return ERROR
    return _plain(kind) if isinstance(kind, str) else ""


def _named(name: str, data: bytes) -> str:
    """The type of an event in a stream: what its data says, as clients read it, unless its name says that it failed."""
    name = _plain(name)
    if not data or name in FAILURES:
        return name or event_type(data)
    found = _TYPE_FIRST.match(data)
    if found:
        return _plain(found.group(1).decode())
    return name if name in KINDS or name.startswith("response.") else event_type(data) or name


@functools.lru_cache(maxsize=256)
def _plain(kind: str) -> str:
    """The type of an event as this table writes it: an error, however that is called, or by the code of what failed."""
    if kind in KINDS or not kind:
        return kind
    return ERROR if _FAILING.fullmatch(kind) or tells({"type": kind}) else kind


_FAILING: Final = re.compile(r"(?:(?:response|stream|session)[._])?(?:error|exception|failure)", re.IGNORECASE)


def _describes_failure(payload: JsonObject) -> bool:
    """Whether this, which does not say what it is, is about a failure."""
    if payload.get("error") or payload.get("detail") or tells(payload):
        return True
    said = isinstance(payload.get("message"), str) and ("code" in payload or "status" in payload)
    return said or _status(payload, {}) >= _REFUSED


_REFUSED: Final = 400


def meaning(kind: str) -> Meaning:
    """What an event of this type is to a verdict. A type this version does not know may be output."""
    return KINDS[kind].meaning if kind in KINDS else Meaning.OUTPUT


_CONTAINERS: Final = frozenset({"message", "reasoning", "function_call", "custom_tool_call", "local_shell_call"})
"""Items that begin empty. Others are something as soon as they are there."""
_CONTENTS: Final = ("delta", "text", "content", "summary", "arguments", "input", "refusal")


def meaning_of(kind: str, event: bytes) -> Meaning:
    """The same, with a SHELL looked into: OUTPUT if a person would see something of it, else PRELUDE, as is what is no
    JSON: `[DONE]`, words of a gateway."""
    found = meaning(kind)
    if kind in _OVER:
        return Meaning.FAILURE if _came_to_nothing(decoded(event)) else found
    if found is not Meaning.SHELL and kind:
        return found
    payload = decoded(event)
    if not kind:
        return Meaning.OUTPUT if payload else Meaning.PRELUDE
    inner = payload.get("item", payload.get("part", payload))
    if not isinstance(inner, dict):
        return Meaning.OUTPUT
    if (kind == ITEM_ADDED and inner.get("type") not in _CONTAINERS) or (
        kind.endswith(".delta") and "delta" not in inner
    ):
        return Meaning.OUTPUT
    return Meaning.OUTPUT if any(_holds_something(inner.get(name)) for name in _CONTENTS) else Meaning.PRELUDE


_OVER: Final = frozenset(kind for kind, row in KINDS.items() if row.ends) - FAILURES
_NOTHING: Final = frozenset({"failed", "cancelled", "error"})


def _came_to_nothing(payload: JsonObject) -> bool:
    """Whether the end of an answer says that it has failed: clients take it for a whole one, with nothing in it."""
    response = payload.get("response")
    if not isinstance(response, dict):
        return False
    why = response.get("incomplete_details")
    code = why.get("reason") if isinstance(why, dict) else None
    return bool(response.get("error")) or response.get("status") in _NOTHING or tells({"code": code})


def _holds_something(value: object) -> bool:
    """Whether there is any text, however deep."""
    if isinstance(value, list):
        return any(_holds_something(each) for each in value)
    if isinstance(value, dict):
        return any(_holds_something(value.get(name)) for name in _CONTENTS)
    return bool(value)


def begins_like_events(beginning: bytes) -> bool | None:
    """Whether a body that begins so is a stream of events; None when that cannot be told yet."""
    if _MARK.startswith(beginning):
        return None
    text = beginning.removeprefix(_MARK).lstrip()
    if any(text.startswith(field) for field in _FIELDS):
        return True
    return None if any(field.startswith(text) for field in _FIELDS) else False


def begins_like_text(beginning: bytes) -> bool | None:
    """Whether a body that is said to be a stream of events begins like JSON or a page; None: cannot be told yet."""
    text = beginning.removeprefix(_MARK).lstrip()
    return None if not text or _MARK.startswith(text) else text.startswith((b"{", b"[", b"<"))


_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark, with which a stream may begin."""
_FIELDS: Final = (b"event:", b"data:", b"id:", b"retry:", b":")


def ends(kind: str) -> str:
    """How an answer has ended that this event ends, "" for one that ends none."""
    return KINDS[kind].ends if kind in KINDS else ""


def is_redundant(kind: str) -> bool:
    """Whether an event of this type says nothing beyond what others say."""
    return kind in KINDS and KINDS[kind].redundant


def decoded(data: bytes) -> Mapping[str, object]:
    """A JSON object, empty for anything else. Never raises."""
    payload = document(data)
    return payload if isinstance(payload, dict) else {}


def document(data: bytes) -> object:
    """What a JSON text says, None for anything else. Never raises."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def fields(lines: Iterable[bytes]) -> tuple[bytes, list[bytes]]:
    """The name of one server-sent event and the lines of its data."""
    name, data = b"", list[bytes]()
    for line in lines:
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return name, data


def _usual(block: bytes) -> tuple[bytes, bytes]:
    """The name and the data of an event as nearly all are written, a line each; empty for any other. No line ends
    otherwise than in a line feed."""
    name, found, data = block.partition(b"\ndata: ")
    usual = found and name.startswith(b"event: ") and b"\n" not in name and b"\n" not in data
    return (name[7:], data) if usual else (b"", b"")


def reply_of(data: bytes) -> Reply:
    """A failure event as the same value a refusing HTTP answer makes."""
    payload = document(data)
    error, told = error_of(payload), payload if isinstance(payload, dict) else {}
    return Reply(status=_status(told, error), headers=_headers(told.get("headers")), error=error)


def _status(told: JsonObject, error: JsonObject) -> int:
    """The status that an event names, as a number or as a text; 0: none."""
    for value in (*(each.get(name) for each in (told, error) for name in ("status", "status_code")), error.get("code")):
        text = "" if isinstance(value, bool) or not isinstance(value, int | str) else str(value).strip()
        if len(text) == _DIGITS and text.isascii() and text.isdecimal():
            return int(text)
    return 0


_DIGITS: Final = 3


def _headers(told: object) -> dict[str, str]:
    """Headers as an event lists them: an object, whose values may be lists, or pairs."""
    pairs = told.items() if isinstance(told, dict) else told if isinstance(told, list) else ()
    found: dict[str, str] = {}
    for pair in pairs:
        if isinstance(pair, list | tuple) and len(pair) == _PAIR:
            name, value = pair
            found[str(name).lower()] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


_PAIR: Final = 2


class Events:
    """Splits a stream of server-sent events, whatever the chunks are cut like."""

    MOST: Final = 1 << 20
    """Of a single event larger than this (bytes) only the beginning is kept: enough to know its type."""
    BEGINNING: Final = 4096

    def __init__(self) -> None:
        self._rest = b""
        self._cut = False

    def quiet(self, chunk: bytes) -> bool:
        """Whether nothing in this chunk can matter once there was output: whole events, none of a kind that tells."""
        if self._rest or self._cut or not chunk.endswith(b"\n\n"):
            return False
        if chunk.startswith(_DELTAS) and chunk.find(b"\n\n") == len(chunk) - 2:
            return True
        for word in _TELLING:  # noqa: SIM110 - a generator costs more than the search
            if word in chunk:
                return False
        return True

    def feed(self, chunk: bytes) -> Iterator[tuple[str, bytes]]:
        """The type and the data of each event that is complete."""
        chunk = self._rest + chunk
        plain = b"\r" not in chunk
        *whole, self._rest = chunk.split(b"\n\n") if plain else _BLANK_LINE.split(chunk)
        if len(self._rest) > self.MOST:
            self._cut, self._rest = True, self._rest[: self.BEGINNING] + self._rest[-3:]
        for block in whole:
            if self._cut or len(block) > self.MOST:
                self._cut, block = False, block[: self.BEGINNING]  # noqa: PLW2901 - what is left of it
            name, data = _usual(block) if plain else (b"", b"")
            if not data:
                name, lines = fields(block.splitlines())
                data = b"\n".join(lines)
            kind, data = name.strip().decode("utf-8", "replace"), data.strip()
            if data or kind:
                yield _named(kind, data), data


def before_failure(chunk: bytes) -> bytes:
    """What comes before the first event of a chunk that says that the answer has failed. If the beginning of that event
    has passed with an earlier chunk: what closes it, so that whatever follows is an event of its own."""
    start = 0
    for blank in _BLANK_LINE.finditer(chunk):
        if any(meaning(kind) is Meaning.FAILURE for kind, _ in Events().feed(chunk[start : blank.end()])):
            return chunk[:start]
        start = blank.end()
    return b"\n\n"


def with_data(chunk: bytes, kind: str, change: Callable[[bytes], bytes]) -> bytes:
    """A piece of a stream with other data in those of its whole events that are of this kind. Nothing is decoded."""
    said, start, name = bytearray(), 0, kind.encode()
    for blank in _BLANK_LINE.finditer(chunk):
        block = chunk[start : blank.start()]
        said += (_with_data(block, kind, change) if name in block else block) + blank.group()
        start = blank.end()
    return bytes(said + chunk[start:])


def _with_data(block: bytes, kind: str, change: Callable[[bytes], bytes]) -> bytes:
    lines = block.splitlines()
    named, data = fields(lines)
    before = b"\n".join(data).strip()
    if _named(named.strip().decode("utf-8", "replace"), before) != kind:
        return block
    others = [line for line in lines if line.partition(b":")[0] != b"data"]
    return b"\n".join([*others, b"data: " + change(before)])
