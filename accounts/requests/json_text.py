"""Where the parts of a JSON text stand, so that it can be changed in one place and stay as it is elsewhere. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Final, NamedTuple


class JsonPart(NamedTuple):
    """A member of an object, its name included, or an element of an array; `name` is "" there."""

    start: int
    end: int
    name: str
    value: object


@dataclass(frozen=True, slots=True)
class JsonWhole:
    """An object or an array, where it stands in the text, and what it is made of."""

    start: int
    end: int
    parts: list[JsonPart]


_CLOSING: Final = {"{": "}", "[": "]"}
_SPACE: Final = re.compile(r"[ \t\n\r]*")
DECODER: Final = json.JSONDecoder(parse_int=str, parse_float=str)
"""No number is looked at; as text it has no limits, and reading one costs nothing."""


def walk(text: str, start: int, into: frozenset[str] = frozenset()) -> JsonWhole:
    """The object or array that begins here. Values of members in `into` are walked too. ValueError: it is neither."""
    closing = _CLOSING.get(text[start : start + 1])
    if closing is None:
        raise ValueError("neither an object nor an array")
    parts: list[JsonPart] = []
    at = space(text, start + 1)
    more = not text.startswith(closing, at)
    while more:
        first, name = at, ""
        if closing == "}":
            name, at = _name(text, at)
        value: object
        if name in into and text[at : at + 1] in _CLOSING:
            value = walk(text, at, into)
            end = value.end
        else:
            value, end = DECODER.raw_decode(text, at)
        parts.append(JsonPart(first, end, name, value))
        at = space(text, end)
        more = text.startswith(",", at)
        at = space(text, at + 1) if more else at
    if not text.startswith(closing, at):
        raise ValueError("an object or array without an end")
    return JsonWhole(start, at + 1, parts)


def _name(text: str, at: int) -> tuple[str, int]:
    """A member's name, and where its value begins."""
    name, end = DECODER.raw_decode(text, at)
    colon = space(text, end)
    if not text.startswith('"', at) or not text.startswith(":", colon):
        raise ValueError("a member without a name")
    return str(name), space(text, colon + 1)


def space(text: str, at: int) -> int:
    """Where something else than space comes next."""
    found = _SPACE.match(text, at)
    return found.end() if found else at
