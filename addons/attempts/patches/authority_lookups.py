"""Reads a request's authority once.

A turn over HTTP/2 asks for it ten times, and mitmproxy takes it through the codec for international names each time.
"""

import functools
from typing import Final

from mitmproxy import http

_LONGEST: Final = 255
"""Bytes of a name that is kept: none is longer (RFC 1035, section 2.3.4)."""
_theirs: Final = http.Request.authority
_known: Final = 256


def quicken_authorities() -> None:
    """In this process: the same text."""
    http.Request.authority = property(_authority, _theirs.fset, None, _theirs.__doc__)  # type: ignore[method-assign,assignment,attr-defined]


def _authority(self: http.Request) -> str:
    said = self.data.authority
    return _text(said) if len(said) <= _LONGEST else _decoded(said)


def _decoded(said: bytes) -> str:
    try:
        return said.decode("idna")
    except UnicodeError:
        return said.decode("utf-8", "surrogateescape")


_text: Final = functools.lru_cache(maxsize=_known)(_decoded)
