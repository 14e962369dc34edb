"""Finds header fields in a fraction of the time.

A turn looks for fifty. mitmproxy calls two functions for each field that it passes by, and raises an error for each
that is not there.
"""

from mitmproxy import http

_CODING = ("utf-8", "surrogateescape")


def quicken_headers() -> None:
    """In this process: the same answers."""
    http.Headers.get_all = _get_all  # type: ignore[method-assign]
    http.Headers.get = _get  # type: ignore[assignment,method-assign]
    http.Headers.__contains__ = _contains  # type: ignore[assignment,method-assign]


def _get_all(self: http.Headers, name: str | bytes) -> list[str]:
    wanted = (name.encode(*_CODING) if isinstance(name, str) else name).lower()
    return [value.decode(*_CODING) for field, value in self.fields if field.lower() == wanted]


def _get[T](self: http.Headers, name: str | bytes, default: T | None = None) -> str | T | None:
    values = _get_all(self, name)
    return ", ".join(values) if values else default


def _contains(self: http.Headers, name: object) -> bool:
    if not isinstance(name, str | bytes):
        return False
    wanted = (name.encode(*_CODING) if isinstance(name, str) else name).lower()
    return any(field.lower() == wanted for field, _ in self.fields)
