"""Finds header fields in a fraction of the time.

A turn looks for fifty. mitmproxy calls two functions for each field that it passes by, and raises an error for each
that is not there. Here the fields are put in order once, and found by that until somebody changes them.
"""

from functools import lru_cache
from typing import Final

from mitmproxy import http

_CODING: Final = ("utf-8", "surrogateescape")
MOST_ORDERED: Final = 64
_ORDERED: Final[dict[int, tuple[object, dict[bytes, list[bytes]]]]] = {}
"""Fields that were looked through lately, by their identity, and their values by name. A few at a time: idle streams
have headers too, which nobody looks at."""


def quicken_headers() -> None:
    """In this process: the same answers."""
    http.Headers.get_all = _get_all  # type: ignore[method-assign]
    http.Headers.get = _get  # type: ignore[assignment,method-assign]
    http.Headers.__contains__ = _contains  # type: ignore[assignment,method-assign]


def _get_all(self: http.Headers, name: str | bytes) -> list[str]:
    return [value.decode(*_CODING) for value in _values(self, _folded(name))]


def _get[T](self: http.Headers, name: str | bytes, default: T | None = None) -> str | T | None:
    values = _values(self, _folded(name))
    if not values:
        return default
    return values[0].decode(*_CODING) if len(values) == 1 else ", ".join([each.decode(*_CODING) for each in values])


def _contains(self: http.Headers, name: object) -> bool:
    return isinstance(name, str | bytes) and bool(_values(self, _folded(name)))


@lru_cache(1024, typed=True)
def _folded(name: str | bytes) -> bytes:
    return (name.encode(*_CODING) if isinstance(name, str) else name).lower()


def _values(headers: http.Headers, name: bytes) -> list[bytes]:
    """The values of the fields of this name, which is in lower case."""
    fields = headers.fields
    known = _ORDERED.get(id(fields))
    if known is None or known[0] is not fields:
        by_name: dict[bytes, list[bytes]] = {}
        for field, value in fields:
            by_name.setdefault(field.lower(), []).append(value)
        known = (fields, by_name)
        if type(fields) is tuple:  # what can change in its place is looked through each time
            if len(_ORDERED) >= MOST_ORDERED:
                _ORDERED.clear()
            _ORDERED[id(fields)] = known
    return known[1].get(name, [])
