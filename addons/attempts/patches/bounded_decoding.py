"""mitmproxy's own decoding of bodies, bounded: `content`, `text`, filters, HAR files, its lists and views use it.

mitmproxy asks a table of its own by a coding's name, and Python's codecs for any other name: some of those are
compressions too. Neither knows a bound.
"""

import codecs
from collections.abc import Callable
from typing import Any, Final

from mitmproxy.net import encoding

from config import decoding

NAMES: Final = ("gzip", "x-gzip", "deflate", "deflateraw", "br", "zstd")


class BoundedCodings(dict[str, Callable[[bytes], bytes]]):
    """The table. What has no entry in it must be a coding of text (KeyError: mitmproxy then asks the codecs)."""

    def __missing__(self, name: str) -> Callable[[bytes], bytes]:
        try:
            is_text = codecs.lookup(name)._is_text_encoding  # noqa: SLF001
        except (LookupError, ValueError):
            is_text = True  # nobody has it, as mitmproxy then says
        if is_text:
            raise KeyError(name)
        return _refused


def bound_decoding() -> None:
    """From now on, in this process."""
    if isinstance(encoding.custom_decode, BoundedCodings):
        return
    table: Any = BoundedCodings(encoding.custom_decode)
    table.update({name: _bounded(name) for name in NAMES})
    encoding.custom_decode = table


def _bounded(name: str) -> Callable[[bytes], bytes]:
    coding = name.removesuffix("raw")

    def decode(content: bytes) -> bytes:
        try:
            return decoding.whole(content, coding, decoding.MOST_REQUEST)
        except decoding.CannotDecode as e:
            raise ValueError(str(e)) from None

    return decode


def _refused(_: bytes) -> bytes:
    raise ValueError("no coding of a body")
