"""Reads a request's authority once.

A turn over HTTP/2 asks for it ten times, and mitmproxy takes it through the codec for international names each time.
"""

from typing import Final

from mitmproxy import http

MOST_KEPT: Final = 256
LONGEST: Final = 255
"""Bytes of a name that is kept: none is longer (RFC 1035, section 2.3.4)."""
_THEIRS: Final = http.Request.authority
_KEPT: Final[dict[bytes, str]] = {}
"""What mitmproxy has read, by the bytes that it read."""


def quicken_authorities() -> None:
    """In this process: the same text."""
    http.Request.authority = property(_authority, _THEIRS.fset, None, _THEIRS.__doc__)  # type: ignore[method-assign,assignment,attr-defined]


def _authority(self: http.Request) -> str:
    said = self.data.authority
    text = _KEPT.get(said)
    if text is None:
        text = str(_THEIRS.fget(self))  # type: ignore[attr-defined]
        if len(said) <= LONGEST:
            if len(_KEPT) >= MOST_KEPT:
                _KEPT.clear()
            _KEPT[said] = text
    return text
