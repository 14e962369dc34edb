"""What a WebSocket's requests are continuations of, so that they can be sent on another one. Pure, in memory, bounded.

On one socket a request names the response before it and brings only what is new; the server holds the rest
(docs/codex-wire.md section 1.2). Another socket's server knows nothing of that: there the request goes with everything
that was asked and answered before, each item as it passed, and without the name.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from accounts.requests.json_text import JsonPart, JsonWhole, space, walk

MOST_BYTES: Final = 16 << 20
"""What is kept for one socket."""
MOST_KNOWN: Final = 64
"""Responses of the server that are remembered to be its own."""
MOST_LINKS: Final = 2_000

_PREVIOUS: Final = re.compile(rb'[{,]\s*"previous_response_id"\s*:\s*"([^"\\]{1,200})"')
_ID: Final = re.compile(rb'"response"\s*:\s*\{\s*"id"\s*:\s*"([^"\\]{1,200})"')
_ANY_ID: Final = re.compile(rb'"id"\s*:\s*"(resp[^"\\]{0,200})"')


def previous_in(request: bytes) -> str:
    """The response that a request continues; "" for none."""
    found = _PREVIOUS.search(request)
    return found[1].decode("utf-8", "replace") if found else ""


def response_id_in(event: bytes) -> str:
    """Of an event about a whole response: its id; "" for none."""
    found = _ID.search(event) or _ANY_ID.search(event)
    return found[1].decode("utf-8", "replace") if found else ""


@dataclass(slots=True)
class Link:
    """One request and its answer. `items` are the events that say that an item is complete."""

    request: bytes = field(repr=False)
    parent: str
    items: list[bytes] = field(default_factory=list, repr=False)
    size: int = 0


class ResponseChain:
    """Of one client's socket. `most` is in bytes; beyond it everything is forgotten until a request is whole again."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self.most = most
        self.size = 0
        self._links: dict[str, Link] = {}
        """By the id of the response."""
        self._open: Link | None = None
        self._response = ""
        self._known: deque[str] = deque(maxlen=MOST_KNOWN)
        """Responses that the server of now has given."""

    # What passes

    def asks(self, request: bytes) -> None:
        """The client asks. What its request does not continue is of no use any more."""
        parent = previous_in(request)
        kept = set(self._path(parent))
        for each in [each for each in self._links if each not in kept]:
            self.size -= self._links.pop(each).size
        self._close()
        self._open, self._response = Link(request, parent), ""
        self._grow(self._open, len(request))

    def begins(self, event: bytes) -> None:
        """An answer has begun."""
        self._response = response_id_in(event) or self._response

    def gives(self, item: bytes) -> None:
        """An item of the answer is complete: the event that says so."""
        if self._open is not None:
            self._open.items.append(item)
            self._grow(self._open, len(item))

    def ends(self, event: bytes) -> None:
        """The answer is complete, and the server knows it. With `event` empty it is so for the client only."""
        response = (response_id_in(event) if event else "") or self._response
        link, self._open = self._open, None
        if event:
            self._known.append(response)
        if link is not None and response:
            self._links[response] = link
        elif link is not None:
            self.size -= link.size

    def starts_again(self) -> None:
        """The request is sent once more: what was given of an answer to it was not passed on."""
        self._response = ""
        if self._open is not None:
            dropped = sum(map(len, self._open.items))
            self._open.items.clear()
            self._open.size -= dropped
            self.size -= dropped

    def moved(self) -> None:
        """The server is another one: it knows nothing."""
        self._known.clear()

    # What can be asked

    def is_known(self, request: bytes) -> bool:
        """Whether the server of now knows what this request continues."""
        parent = previous_in(request)
        return not parent or parent in self._known

    def is_whole(self, request: bytes) -> bool:
        """Whether the request can be sent to a server that knows nothing."""
        parent = previous_in(request)
        return not parent or bool(self._path(parent))

    def whole(self, request: bytes) -> bytes | None:
        """The request with all that it continues; the same bytes if that is nothing, None if it is not known."""
        parent = previous_in(request)
        if not parent:
            return request
        path = self._path(parent)
        try:
            before = [item for each in path for item in _said(self._links[each])]
            return _with_history(request, before) if path else None
        except (ValueError, RecursionError):
            return None

    # Inside

    def _path(self, response: str) -> list[str]:
        """The responses up to this one, the first one first; none if one of them is missing."""
        path: list[str] = []
        while response:
            if response not in self._links or len(path) > MOST_LINKS:
                return []
            path.append(response)
            response = self._links[response].parent
        return path[::-1]

    def _grow(self, link: Link, more: int) -> None:
        link.size += more
        self.size += more
        if self.size > self.most:
            self._links.clear()
            self._open, self.size = None, 0

    def _close(self) -> None:
        """The answer under way has come to nothing."""
        if self._open is not None:
            self.size -= self._open.size
            self._open = None


def _said(link: Link) -> Iterator[str]:
    """What was asked and answered, item by item, as it was written. Raises ValueError."""
    text, found = _read(link.request)
    yield from _elements(text, found)
    for event in link.items:
        text, found = _read(event)
        item = _member(found, "item")
        if item is not None and isinstance(item.value, JsonWhole):
            yield text[item.value.start : item.value.end]


def _with_history(request: bytes, before: Iterable[str]) -> bytes:
    """Raises ValueError if the request's input is no list."""
    text, found = _read(request)
    items = [*before, *_elements(text, found)]
    members = [
        f'"input":[{",".join(items)}]' if each.name == "input" else text[each.start : each.end]
        for each in found.parts
        if each.name != "previous_response_id"
    ]
    return f"{{{','.join(members)}}}".encode()


def _elements(text: str, found: JsonWhole) -> list[str]:
    given = _member(found, "input")
    if given is None or not isinstance(given.value, JsonWhole) or text[given.value.start] != "[":
        raise ValueError("the input is no list")
    return [text[each.start : each.end] for each in given.value.parts]


def _member(found: JsonWhole, name: str) -> JsonPart | None:
    return next((each for each in found.parts if each.name == name), None)


def _read(data: bytes) -> tuple[str, JsonWhole]:
    text = data.decode()
    return text, walk(text, space(text, 0), frozenset({"input", "item"}))
