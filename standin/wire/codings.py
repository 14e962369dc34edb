"""Content codings of event streams: a whole stream in one coding, what was said so far can be read after each piece."""

import zlib
from abc import ABC, abstractmethod

import brotli
import zstandard


class Coder(ABC):
    """Codes one body."""

    @abstractmethod
    def code(self, data: bytes) -> bytes:
        """A piece of the body, flushed."""

    @abstractmethod
    def finish(self) -> bytes:
        """What ends the body."""


class _Zlib(Coder):
    def __init__(self, wbits: int) -> None:
        self._wire = zlib.compressobj(wbits=wbits)

    def code(self, data: bytes) -> bytes:
        return self._wire.compress(data) + self._wire.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._wire.flush()


class _Brotli(Coder):
    def __init__(self) -> None:
        self._wire = brotli.Compressor(quality=4)

    def code(self, data: bytes) -> bytes:
        return bytes(self._wire.process(data) + self._wire.flush())

    def finish(self) -> bytes:
        return bytes(self._wire.finish())


class _Zstd(Coder):
    def __init__(self) -> None:
        self._wire = zstandard.ZstdCompressor().compressobj()

    def code(self, data: bytes) -> bytes:
        return self._wire.compress(data) + self._wire.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._wire.flush()


CODERS = {
    "gzip": lambda: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "br": _Brotli,
    "zstd": _Zstd,
}
"""By their names in `content-encoding`."""
