"""What a coded body says, while it arrives: gzip, deflate, br and zstd, chunk by chunk and bounded. Pure."""

import zlib
from collections.abc import Callable
from typing import Final

import brotli
import zstandard

MOST: Final = 8 << 20
"""Bytes that one chunk may become: more is no event stream, but something made to fill a memory."""
SLICE: Final = 256
"""Bytes that are given to a library at once, so that it makes no more than that of them before it is looked at."""

type Feed = Callable[[bytes], bytes]


class CannotDecode(Exception):
    """In a coding nobody knows, damaged, or too large."""


def decoder(coding: str) -> Feed:
    """Of a `content-encoding`: takes the next chunk, gives what can be read by now. Both raise CannotDecode.

    Several codings ("gzip, br") come off in the order opposite to that in which they were put on (RFC 9110, 8.4).
    """
    names = [name for each in coding.split(",") if (name := each.strip().lower()) not in {"", "identity"}]
    unknown = [name for name in names if name not in _CODINGS]
    if unknown:
        raise CannotDecode("in a coding that is not known")
    feeds = [_careful(_CODINGS[name]()) for name in reversed(names)]

    def feed(chunk: bytes) -> bytes:
        for each in feeds:
            chunk = each(chunk)
        return chunk

    return feed


def _careful(feed: Feed) -> Feed:
    def careful(chunk: bytes) -> bytes:
        found, size = [], 0
        for start in range(0, len(chunk), SLICE):
            try:
                plain = feed(chunk[start : start + SLICE])
            except (zlib.error, brotli.error, zstandard.ZstdError, ValueError) as e:
                raise CannotDecode("damaged") from e
            size += len(plain)
            if size > MOST:
                raise CannotDecode("too large")
            found.append(plain)
        return b"".join(found)

    return careful


def _gzip() -> Feed:
    return _inflating(zlib.MAX_WBITS | 16)


def _deflate() -> Feed:
    """With the header of zlib as it should be, or without, as some servers do."""
    inner: Feed | None = None

    def feed(chunk: bytes) -> bytes:
        nonlocal inner
        if inner is None:
            inner = _inflating(zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        return inner(chunk)

    return feed


def _inflating(window_bits: int) -> Feed:
    inflate = zlib.decompressobj(window_bits)

    def feed(chunk: bytes) -> bytes:
        nonlocal inflate
        plain = b""
        while chunk and len(plain) <= MOST:
            if inflate.eof:  # the next member
                inflate = zlib.decompressobj(window_bits)
            plain += inflate.decompress(chunk, MOST + 1 - len(plain))
            chunk = inflate.unconsumed_tail or inflate.unused_data
        return plain

    return feed


def _br() -> Feed:
    return brotli.Decompressor().process  # type: ignore[no-any-return]


def _zstd() -> Feed:
    frame = zstandard.ZstdDecompressor().decompressobj()

    def feed(chunk: bytes) -> bytes:
        nonlocal frame
        plain = b""
        while chunk:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            plain += frame.decompress(chunk)
            chunk = frame.unused_data if frame.eof else b""
        return plain

    return feed


_CODINGS: Final[dict[str, Callable[[], Feed]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _br,
    "zstd": _zstd,
}
