"""What is on the wire as values, read as far as it goes: codings, server-sent events, JSON that was cut off. Pure.

`addons/wire/events.py` reads just enough of a stream to decide, while it passes; this reads all of it, when somebody
looks.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from addons.wire.events import fields
from config import decoding

MOST: Final = decoding.MOST_SHOWN
"""Bytes that are read of a body, after it was decoded."""

_FIELD: Final = re.compile(r"\s*(?:event|data|id|retry)?:")
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[{}\[\],]', re.DOTALL)
_CLOSING: Final = {"{": "}", "[": "]"}
_DEEPEST: Final = 100


class StreamEvent(NamedTuple):
    """An event of a stream or a message of a socket. `text` is what it was read from, `whole` whether all of that was
    JSON. An event that could not be read at all has an empty payload and is not whole."""

    kind: str
    payload: Mapping[str, object]
    text: str
    whole: bool = True


def events(data: bytes) -> Iterator[StreamEvent]:
    """The events of an event stream as it was saved: of any size and with any line ending of the standard, the last one
    too if it was cut off. `addons.wire.events.Events` reads one while it passes: of what is large, unended or has other
    line endings than upstream's it keeps no more than decides."""
    block = list[bytes]()
    for line in (*data[:MOST].removeprefix(BOM_UTF8).splitlines(), b""):
        if line:
            block.append(line)
            continue
        name, parts = fields(block)
        block.clear()
        if parts:
            yield event(b"\n".join(parts).decode("utf-8", "replace"), name.decode("utf-8", "replace"))


def event(text: str, name: str = "") -> StreamEvent:
    """One event; the type in its data counts for more than the name it was sent under."""
    if text.strip() == "[DONE]":
        return StreamEvent("[DONE]", {}, text)
    value, whole = loads(text)
    if not isinstance(value, dict):
        return StreamEvent(name, {}, text, whole=False)
    kind = value.get("type")
    return StreamEvent(kind if isinstance(kind, str) else name, value, text, whole)


def is_stream(data: bytes) -> bool:
    """Whether this begins as an event stream does."""
    return _FIELD.match(text_of(data[:200]).lstrip()) is not None


def text_of(data: bytes) -> str:
    return data[:MOST].decode("utf-8", "replace").removeprefix("\ufeff")


def loads(text: str) -> tuple[object, bool]:
    """A JSON value and whether it is complete; of one that was cut off, what was there; (None, False) if nothing is."""
    try:
        return json.loads(text), True
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(_mended(text)), False
    except (ValueError, RecursionError):
        return None, False


def _mended(text: str) -> str:
    """JSON up to the last value that is complete, and then closed."""
    open_ones: list[str] = []
    end, closing = 0, ""
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _CLOSING:
            open_ones.append(_CLOSING[mark])
        elif mark in {"}", "]"}:
            if not open_ones or open_ones.pop() != mark:
                break
        elif mark != ",":
            continue
        if len(open_ones) > _DEEPEST:
            break
        end = token.start() if mark == "," else token.end()
        closing = "".join(reversed(open_ones))
        if not open_ones:
            break
    return text[:end] + closing


def unpacked(data: bytes, coding: str) -> bytes:
    """A body without its codings, as far as they can be undone: its end may be missing, and a coding unknown."""
    for each in [*reversed(coding.lower().split(","))][: decoding.MOST_CODINGS]:
        known = next((name for name, magic in _MAGIC if data.startswith(magic)), each.strip())
        if known == "deflate" and data[:1] and data[0] & 0x0F != 8:  # anything could be deflate without its header
            continue
        with suppress(decoding.CannotDecode):
            data = decoding.beginning(data, known, MOST) or data
    return data


_MAGIC: Final = (("zstd", b"\x28\xb5\x2f\xfd"), ("gzip", b"\x1f\x8b\x08"))
