"""A coded body is read while it arrives, whatever the pieces, and never becomes more than a memory can hold."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard

from addons.wire.decoding import MOST, CannotDecode, decoder

EVENTS = [b'event: response.created\ndata: {"n": %d}\n\n' % n for n in range(20)]


def gzipped(parts: list[bytes]) -> list[bytes]:
    return deflated(parts, zlib.MAX_WBITS | 16)


def deflated(parts: list[bytes], bits: int = zlib.MAX_WBITS) -> list[bytes]:
    coder = zlib.compressobj(wbits=bits)
    return [*(coder.compress(part) + coder.flush(zlib.Z_SYNC_FLUSH) for part in parts), coder.flush()]


def raw_deflated(parts: list[bytes]) -> list[bytes]:
    return deflated(parts, -zlib.MAX_WBITS)


def brotlied(parts: list[bytes]) -> list[bytes]:
    coder = brotli.Compressor()
    return [*(coder.process(part) + coder.flush() for part in parts), coder.finish()]


def zstandarded(parts: list[bytes]) -> list[bytes]:
    coder = zstandard.ZstdCompressor().compressobj()
    return [*(coder.compress(part) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for part in parts), coder.flush()]


CODED: dict[str, tuple[str, Callable[[list[bytes]], list[bytes]]]] = {
    "gzip": ("gzip", gzipped),
    "in other letters": (" GZip ", gzipped),
    "x-gzip": ("x-gzip", gzipped),
    "deflate": ("deflate", deflated),
    "deflate without a header": ("deflate", raw_deflated),
    "br": ("br", brotlied),
    "zstd": ("zstd", zstandarded),
    "none": ("identity", lambda parts: parts),
    "two": ("gzip, br", lambda parts: brotlied(gzipped(parts))),
}


@pytest.mark.parametrize("name", CODED)
def test_each_event_is_there_as_soon_as_it_was_sent(name: str) -> None:
    coding, coded = CODED[name]
    feed = decoder(coding)
    assert [feed(chunk) for chunk in coded(EVENTS)][: len(EVENTS)] == EVENTS


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("name", CODED)
def test_the_pieces_do_not_matter(name: str, size: int) -> None:
    coding, coded = CODED[name]
    feed, whole = decoder(coding), b"".join(coded(EVENTS))
    assert b"".join(feed(whole[at : at + size]) for at in range(0, len(whole), size)) == b"".join(EVENTS)


@pytest.mark.parametrize(("coding", "code"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_what_is_coded_in_several_parts_is_read_to_the_end(coding: str, code: Callable[[bytes], bytes]) -> None:
    assert decoder(coding)(code(EVENTS[0]) + code(EVENTS[1])) == EVENTS[0] + EVENTS[1]


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", b"not gzip"), ("br", b"\xff" * 99), ("zstd", b"not zstd at all"), ("deflate", b"x" * 9)],
)
def test_what_is_damaged_is_said(coding: str, body: bytes) -> None:
    with pytest.raises(CannotDecode, match="damaged"):
        decoder(coding)(body)


@pytest.mark.parametrize("coding", ["compress", "gzip, lzma", "utf-8", "*"])
def test_a_coding_that_is_not_known_is_said(coding: str) -> None:
    with pytest.raises(CannotDecode, match="not known"):
        decoder(coding)


@pytest.mark.parametrize(
    ("coding", "code"),
    [("gzip", gzip.compress), ("zstd", zstandard.compress), ("br", lambda body: brotli.compress(body, quality=1))],
)
def test_what_would_fill_the_memory_is_refused(coding: str, code: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CannotDecode, match="too large"):
        decoder(coding)(code(bytes(MOST * 4)))
