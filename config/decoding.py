"""What a coded body says: gzip, deflate, br and zstd, bounded in all they can become. Pure.

This is the one place where a coding comes off. A small body can be made to become one that fills a memory; past a bound
it is as if it could not be read.
"""

import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MOST: Final = 8 << 20
"""Bytes that one chunk of a stream may become: more is no event stream, but something made to fill a memory."""
MOST_REQUEST: Final = 64 << 20
MOST_REFUSAL: Final = 4 << 20
MOST_SHOWN: Final = 32 << 20
"""Bytes that a whole body may become: one that is asked, one of a refusal or a list, one that somebody looks at."""
FREE: Final = 4 << 20
RATIO: Final = 100
"""A body may become FREE bytes, and more only if that is not more than so many times its size: text has a tenth."""
MOST_CODINGS: Final = 3
SLICE: Final = 64 << 10
"""Bytes that are given to a library at once: what is left of them behind each of many parts is copied."""
PIECE: Final = 256 << 10
"""Bytes that a library makes at once of what it is given."""
FIRST: Final = 192 << 10
"""Bytes of a body that hold its first ones: a block of zstd has 128 KB."""
SHORT: Final = 256
"""Bytes of a body that are looked at together where its end may be damaged."""
MOST_PARTS: Final = 1000
"""Members of gzip, or frames of zstd, that a body may have whatever its size, and more only if each has PART bytes,
with those that it becomes: to begin one takes microseconds, and an empty one has eight bytes."""
PART: Final = 256
_WINDOW: Final[Mapping[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}
"""A zstd frame may look back 8 MB (RFC 9659): its memory is taken before there is any output."""

type Feed = Callable[[bytes], bytes]


class CannotDecode(Exception):
    """In a coding nobody knows, damaged, or cut short."""


class TooLarge(CannotDecode):
    """It would become more than it may, or take too long."""

    def __init__(self) -> None:
        super().__init__("too large")


class CutShort(CannotDecode):
    """Sound as far as it goes."""

    def __init__(self) -> None:
        super().__init__("cut short")


def allowed(size: int, most: int) -> int:
    """Bytes that a body of `size` may become, if it may become `most` at all."""
    return min(most, max(FREE, RATIO * size))


def decoder(coding: str) -> Feed:
    """Of a `content-encoding`: takes the next chunk, gives what can be read by now. Both raise CannotDecode.

    Several codings ("gzip, br") come off in the order opposite to that in which they were put on (RFC 9110, 8.4).
    """
    steps = _steps(coding)
    if not steps:
        return lambda chunk: chunk
    came = became = 0

    def feed(chunk: bytes) -> bytes:
        nonlocal came, became
        came += len(chunk)
        plain = _through(steps, chunk, min(MOST, max(FREE, RATIO * came) - became))
        became += len(plain)
        return plain

    return feed


def whole(body: bytes, coding: str, most: int) -> bytes:
    """A complete body without its codings. Raises CannotDecode, also for one that is cut short."""
    steps = _steps(coding)
    if not steps or not body:
        return body
    plain = _through(steps, body, allowed(len(body), most))
    if not all(step.finished for step in steps):
        raise CutShort
    return plain


def first(body: bytes, coding: str, size: int) -> bytes:
    """The first bytes of a body, `size` at most; fewer, or none, where they cannot be read without the rest. Nothing is
    said of the rest. Never raises."""
    try:
        steps = _steps(coding)
        chunk = body[:FIRST] if steps else body[:size]
        for step in steps:
            chunk = step.piece(chunk, size if step is steps[-1] else FIRST)[0] if chunk else b""
    except (CannotDecode, zlib.error, brotli.error, zstd.ZstdError, ValueError, MemoryError):
        return b""
    return chunk[:size]


def beginning(body: bytes, coding: str, most: int) -> bytes:
    """What can be read of a body, whose end may be missing, damaged or too much. Raises CannotDecode for a coding that
    nobody knows."""
    found, steps = bytearray(), _steps(coding)
    if not steps:
        return body[:most]
    room, at = allowed(len(body), most), 0
    try:
        for at in range(0, len(body), SHORT):
            found += _through(steps, body[at : at + SHORT], room - len(found))
    except TooLarge:
        pass
    except CannotDecode:  # of the slice with the damage a library gives nothing: it is read byte by byte
        found, steps = bytearray(), _steps(coding)
        with suppress(CannotDecode):
            for slice_ in (body[:at], *(body[place : place + 1] for place in range(at, len(body)))):
                found += _through(steps, slice_, room - len(found))
    return bytes(found)


def is_known(coding: str) -> bool:
    """Whether a `content-encoding` names codings, and none but those that are known here: whoever reads the body may
    take them off, be they more than we do."""
    names = _names(coding)
    return bool(names) and set(names) <= _CODINGS.keys()


class _Step(Protocol):
    """One coding of one body. `finished`: whether what was fed by now is complete."""

    @property
    def finished(self) -> bool: ...

    def piece(self, chunk: bytes, most: int) -> tuple[bytes, bytes, bool]:
        """The next of what this becomes, `most` bytes at most; what is left of the chunk; and whether to ask again,
        with that."""


def _names(coding: str) -> list[str]:
    return [name for each in coding.split(",") if (name := each.strip().lower()) not in {"", "identity", "none"}]


def _steps(coding: str) -> list[_Step]:
    names = _names(coding)
    if len(names) > MOST_CODINGS or not set(names) <= _CODINGS.keys():
        raise CannotDecode("in a coding that is not known")
    return [_CODINGS[name]() for name in reversed(names)]


def _through(steps: Sequence[_Step], chunk: bytes, room: int) -> bytes:
    """Through all steps, none of which makes more than `room` bytes of this."""
    for step in steps:
        try:
            chunk = _fed(step, chunk, room)
        except (zlib.error, brotli.error, zstd.ZstdError, ValueError, MemoryError) as e:
            raise CannotDecode("damaged") from e
    return chunk


def _fed(step: _Step, chunk: bytes, room: int) -> bytes:
    """What a step makes of a chunk. Raises TooLarge for more than `room` bytes, when there is one more."""
    plain = []
    for start in range(0, len(chunk), SLICE):
        rest, more = chunk[start : start + SLICE], True
        while more:
            piece, rest, more = step.piece(rest, min(PIECE, room + 1))
            room -= len(piece)
            if room < 0:
                raise TooLarge
            plain.append(piece)
    return b"".join(plain)


class _Parts:
    """Counts members or frames of a body. Raises TooLarge for more than it may have."""

    def __init__(self) -> None:
        self._bytes = self._begun = 0

    def passed(self, size: int) -> None:
        """So many bytes have come, or have become of them."""
        self._bytes += size

    def begin(self) -> None:
        self._begun += 1
        if self._begun > max(MOST_PARTS, self._bytes // PART):
            raise TooLarge


class _Inflate:
    """gzip and deflate. `window_bits` are zlib's; with None deflate has the header of zlib, as it should, or none, as
    some servers do."""

    def __init__(self, window_bits: int | None) -> None:
        self.window_bits = window_bits
        self.inflate = zlib.decompressobj(window_bits) if window_bits is not None else None
        self.parts = _Parts()

    @property
    def finished(self) -> bool:
        return self.inflate is not None and self.inflate.eof

    def piece(self, chunk: bytes, most: int) -> tuple[bytes, bytes, bool]:
        if self.window_bits is None:
            self.window_bits = zlib.MAX_WBITS if chunk[0] & 0x0F == 8 else -zlib.MAX_WBITS
        if self.inflate is None or self.inflate.eof:  # the next member
            self.parts.begin()
            self.inflate = zlib.decompressobj(self.window_bits)
        plain = self.inflate.decompress(chunk, most)
        rest = self.inflate.unused_data if self.inflate.eof else self.inflate.unconsumed_tail
        self.parts.passed(len(chunk) - len(rest) + len(plain))
        return plain, rest, bool(rest) or (len(plain) == most and not self.inflate.eof)


class _Brotli:
    def __init__(self) -> None:
        self.stream = brotli.Decompressor()

    @property
    def finished(self) -> bool:
        return bool(self.stream.is_finished())

    def piece(self, chunk: bytes, most: int) -> tuple[bytes, bytes, bool]:
        plain: bytes = self.stream.process(chunk, output_buffer_limit=most)
        more = len(plain) >= most or not self.stream.can_accept_more_data()
        return plain, b"", more and not self.finished


class _Zstd:
    def __init__(self) -> None:
        self.frame = zstd.ZstdDecompressor(options=_WINDOW)
        self.parts = _Parts()

    @property
    def finished(self) -> bool:
        return self.frame.eof

    def piece(self, chunk: bytes, most: int) -> tuple[bytes, bytes, bool]:
        if self.frame.eof:
            self.parts.begin()
            self.frame = zstd.ZstdDecompressor(options=_WINDOW)
        plain = self.frame.decompress(chunk, most)
        rest = self.frame.unused_data if self.frame.eof else b""
        self.parts.passed(len(chunk) - len(rest) + len(plain))
        return plain, rest, bool(rest) if self.frame.eof else not self.frame.needs_input


_CODINGS: Final[dict[str, Callable[[], _Step]]] = {
    "gzip": lambda: _Inflate(zlib.MAX_WBITS | 32),
    "x-gzip": lambda: _Inflate(zlib.MAX_WBITS | 32),
    "deflate": lambda: _Inflate(None),
    "br": _Brotli,
    "zstd": _Zstd,
}
