"""Reading Responses events just far enough: what kind each is, and JSON only for the few that decide something. Pure.

The same events arrive as server-sent events and as WebSocket messages; docs/codex-wire.md sections 1.2 and 3.
"""

import enum
import json
import re
from collections.abc import Iterator, Mapping
from typing import Final

from accounts.choice.outcomes import Reply, error_of

PRELUDE: Final = frozenset(
    {
        "response.created",
        "response.in_progress",
        "response.queued",
        "response.metadata",
        "codex.rate_limits",
        "responsesapi.websocket_timing",
        "keepalive",
        "ping",
    }
)
"""Events without output: as long as only these have come, another account can still take over unnoticed."""
FAILURES: Final = frozenset({"response.failed", "error"})
ENDINGS: Final = frozenset({"response.completed", "response.incomplete"})

_TELLING: Final = tuple(kind.encode() for kind in (*FAILURES, *ENDINGS, "response.output_item.done", "codex."))
"""What still has to be read after output has begun."""

_DELTAS: Final = tuple(
    begins % kind
    for begins in (b"event: response.%b.delta\n", b'data: {"type":"response.%b.delta",')
    for kind in (b"output_text", b"reasoning_summary_text", b"reasoning_text", b"function_call_arguments")
)
"""How nearly every chunk begins."""

_TYPE_FIRST: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"([\w.\-]{1,80})"')
_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")


class Meaning(enum.Enum):
    PRELUDE = enum.auto()
    OUTPUT = enum.auto()
    FAILURE = enum.auto()
    ENDING = enum.auto()


def event_type(data: bytes) -> str:
    """The `type` of a JSON event; empty when it has none. Decodes only what does not begin with it."""
    found = _TYPE_FIRST.match(data)
    if found:
        return found.group(1).decode()
    payload = decoded(data)
    kind = payload.get("type")
    return kind if isinstance(kind, str) else ""


def meaning(kind: str) -> Meaning:
    """What an event of this type is to a verdict. A type this version does not know may be output."""
    if kind in PRELUDE:
        return Meaning.PRELUDE
    if kind in FAILURES:
        return Meaning.FAILURE
    return Meaning.ENDING if kind in ENDINGS else Meaning.OUTPUT


def decoded(data: bytes) -> Mapping[str, object]:
    """A JSON object, empty for anything else. Never raises."""
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def reply_of(data: bytes) -> Reply:
    """A failure event as the same value a refusing HTTP answer makes."""
    payload = decoded(data)
    status = payload.get("status", payload.get("status_code"))
    headers = payload.get("headers")
    return Reply(
        status=status if isinstance(status, int) else 0,
        headers={str(k).lower(): str(v) for k, v in headers.items()} if isinstance(headers, dict) else {},
        error=error_of(payload),
    )


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
        *whole, self._rest = _BLANK_LINE.split(self._rest + chunk)
        if len(self._rest) > self.MOST:
            self._cut, self._rest = True, self._rest[: self.BEGINNING] + self._rest[-3:]
        for block in whole:
            if self._cut or len(block) > self.MOST:
                self._cut, block = False, block[: self.BEGINNING]  # noqa: PLW2901 - what is left of it
            kind, data = "", b""
            for line in block.splitlines():
                field, _, value = line.partition(b":")
                if field == b"event":
                    kind = value.strip().decode("utf-8", "replace")
                elif field == b"data":
                    data += value.strip()
            if data or kind:
                yield kind or event_type(data), data
