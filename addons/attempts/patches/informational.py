"""What a server says before its answer (100, 102, 103) is not the answer.

mitmproxy skips it over HTTP/2. Over HTTP/1.1 it takes it for the answer, and the answer for nonsense, on which it
closes the connection. So it is taken out of what has arrived before mitmproxy reads a head there.
"""

import re
from typing import Final

from mitmproxy.proxy import events, layer
from mitmproxy.proxy.layers.http._http1 import Http1Client

_INFORMATIONAL: Final = re.compile(rb"HTTP/1\.[01] 1(?!01)\d\d[ \r\n]")
_LONGEST: Final = 16
"""Bytes of a status line that tell."""

_theirs = Http1Client.read_headers


def skip_informational() -> None:
    """From now on, for all connections."""
    Http1Client.read_headers = _read_headers  # type: ignore[method-assign]


def _read_headers(self: Http1Client, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
    if isinstance(event, events.DataReceived) and self.request:
        while _INFORMATIONAL.match(bytes(self.buf)[:_LONGEST]) and self.buf.maybe_extract_lines():
            pass
    yield from _theirs(self, event)
