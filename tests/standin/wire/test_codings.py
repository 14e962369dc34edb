"""Content codings: what was said so far can be read after each piece."""

import zlib

import brotli  # type: ignore[import-untyped]
import pytest
import zstandard

from standin.wire.codings import CODERS

PIECES = [b"one, ", b"two, ", b"three"]
READERS = {
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16).decompress,
    "deflate": lambda: zlib.decompressobj().decompress,
    "br": lambda: brotli.Decompressor().process,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress,
}


@pytest.mark.parametrize("coding", CODERS)
def test_each_piece_is_flushed(coding: str) -> None:
    coder, read = CODERS[coding](), READERS[coding]()
    assert [read(coder.code(piece)) for piece in PIECES] == PIECES
    assert not read(coder.finish())
