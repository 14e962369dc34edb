"""A coded body is read while it arrives, whatever the pieces, and never becomes more than a memory can hold."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from random import Random

import brotli
import pytest
import zstandard

from config import decoding
from config.decoding import FREE, MOST, MOST_PARTS, MOST_REQUEST, PIECE, RATIO, CannotDecode, TooLarge, decoder
from tests.rows import all_rows

SKIPPED = bytes.fromhex("502a4d1800000000")
"""An empty frame of zstd that is to be skipped."""
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


@all_rows("name", CODED)
def test_each_event_is_there_as_soon_as_it_was_sent(name: str) -> None:
    coding, coded = CODED[name]
    feed = decoder(coding)
    assert [feed(chunk) for chunk in coded(EVENTS)][: len(EVENTS)] == EVENTS


@all_rows("size", [1, 7, 100_000])
@all_rows("name", CODED)
def test_the_pieces_do_not_matter(name: str, size: int) -> None:
    coding, coded = CODED[name]
    feed, whole = decoder(coding), b"".join(coded(EVENTS))
    assert b"".join(feed(whole[at : at + size]) for at in range(0, len(whole), size)) == b"".join(EVENTS)


@pytest.mark.parametrize(("coding", "code"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_what_is_coded_in_several_parts_is_read_to_the_end(coding: str, code: Callable[[bytes], bytes]) -> None:
    assert decoder(coding)(code(EVENTS[0]) + code(EVENTS[1])) == EVENTS[0] + EVENTS[1]


@all_rows(
    ("coding", "body"),
    [("gzip", b"not gzip"), ("br", b"\xff" * 99), ("zstd", b"not zstd at all"), ("deflate", b"x" * 9)],
)
def test_what_is_damaged_is_said(coding: str, body: bytes) -> None:
    with pytest.raises(CannotDecode, match="damaged"):
        decoder(coding)(body)


@all_rows("coding", ["compress", "gzip, lzma", "utf-8", "*"])
def test_a_coding_that_is_not_known_is_said(coding: str) -> None:
    with pytest.raises(CannotDecode, match="not known"):
        decoder(coding)


def brotli_fast(body: bytes) -> bytes:
    packed: bytes = brotli.compress(body, quality=1)
    return packed


SWELLING: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli_fast,
    "zstd": zstandard.compress,
    "gzip, zstd": lambda body: zstandard.compress(gzip.compress(body)),
    "zstd, zstd": lambda body: zstandard.compress(zstandard.compress(body)),
}


@cache
def swelling(coding: str) -> bytes:
    """More than anybody may, packed."""
    return SWELLING[coding](bytes(max(MOST * 4, 64 << 20)))


@all_rows("coding", SWELLING)
def test_what_would_fill_the_memory_is_refused(coding: str) -> None:
    with pytest.raises(TooLarge, match="too large"):
        decoder(coding)(swelling(coding))
    with pytest.raises(TooLarge):
        decoding.whole(swelling(coding), coding, MOST_REQUEST)


@all_rows("coding", SWELLING)
def test_what_swells_costs_little_more_than_it_may(coding: str) -> None:
    bomb = swelling(coding)
    tracemalloc.start()
    with suppress(CannotDecode):
        decoding.whole(bomb, coding, MOST_REQUEST)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40 << 20


def test_a_stream_may_not_swell_in_many_small_chunks_either() -> None:
    coder = zstandard.ZstdCompressor().compressobj()
    feed = decoder("zstd")
    for _ in range(FREE >> 20):
        feed(coder.compress(bytes(1 << 20)) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    more = coder.compress(bytes(1 << 20)) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    with pytest.raises(TooLarge):
        feed(more)


@all_rows(
    ("size", "most", "may"),
    [
        (1, MOST_REQUEST, FREE),
        (FREE // RATIO * 2, MOST_REQUEST, FREE // RATIO * 2 * RATIO),
        (1 << 30, MOST_REQUEST, MOST_REQUEST),
        (1 << 30, 5, 5),
    ],
)
def test_how_much_a_body_may_become_follows_from_its_size(size: int, most: int, may: int) -> None:
    assert decoding.allowed(size, most) == may


@all_rows("name", CODED)
def test_a_whole_body_is_read_and_one_that_is_cut_short_is_not(name: str) -> None:
    coding, coded = CODED[name]
    packed = b"".join(coded(EVENTS))
    assert decoding.whole(packed, coding, MOST_REQUEST) == b"".join(EVENTS)
    assert decoding.whole(b"", coding, MOST_REQUEST) == b""
    assert decoding.beginning(packed[: len(packed) // 2], coding, MOST) in b"".join(EVENTS)
    if coding != "identity":
        with pytest.raises(CannotDecode):
            decoding.whole(packed[: len(packed) // 2], coding, MOST_REQUEST)


@all_rows("coding", SWELLING)
def test_the_beginning_of_a_body_is_no_more_than_it_may_be(coding: str) -> None:
    found = decoding.beginning(swelling(coding), coding, MOST_REQUEST)
    assert len(found) <= FREE * 4
    assert found == bytes(len(found))


def test_a_plain_body_is_the_same_object_and_a_beginning_is_cut() -> None:
    body = b"as it is"
    assert decoding.whole(body, "identity", MOST) is body
    assert decoding.beginning(body, "", 2) == b"as"


@all_rows("name", CODED)
def test_a_large_body_is_read_to_its_last_byte(name: str) -> None:
    """Wherever its end is in the pieces in which a library makes it."""
    coding, coded = CODED[name]
    for size in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 1_500_000):
        body = Random(size).randbytes(size // 2 + 1).hex()[:size].encode()
        packed, feed = b"".join(coded([body])), decoder(coding)
        assert decoding.whole(packed, coding, MOST_REQUEST) == body
        assert feed(packed) == body


@all_rows("name", CODED)
def test_the_first_bytes_are_had_without_the_rest(name: str) -> None:
    coding, coded = CODED[name]
    body = b'{"model":"m"' + Random(1).randbytes(400_000).hex().encode()
    packed = b"".join(coded([body]))
    assert decoding.first(packed, coding, 12) == body[:12]
    assert decoding.first(packed[: decoding.FIRST] + bytes(9), coding, 12) == body[:12]
    assert decoding.first(b"", coding, 12) == b""
    assert decoding.first(packed[:2], coding, 12) in body


@all_rows("coding", ["gzip", "deflate", "br", "zstd", "unheard of"])
def test_the_first_bytes_of_what_cannot_be_read_are_none(coding: str) -> None:
    assert decoding.first(b"neither this nor that", coding, 12) == b""


@all_rows(("coding", "part"), [("gzip", gzip.compress(b"")), ("zstd", zstandard.compress(b"")), ("zstd", SKIPPED)])
def test_a_body_of_nothing_but_beginnings_is_refused(coding: str, part: bytes) -> None:
    """A megabyte of them took four seconds, for which nobody else was served."""
    assert decoding.whole(part * MOST_PARTS, coding, MOST) == b""
    with pytest.raises(TooLarge):
        decoding.whole(part * 5_000, coding, MOST)


@all_rows(("coding", "code"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_each_event_of_a_long_stream_may_be_a_part(coding: str, code: Callable[[bytes], bytes]) -> None:
    event, feed = b"data: " + bytes(range(256)) + b"\n\n", decoder(coding)
    assert [feed(code(event)) for _ in range(3 * MOST_PARTS)] == [event] * (3 * MOST_PARTS)


def test_the_beginning_goes_up_to_the_damage() -> None:
    """Readers that take an answer in small pieces have it up to there, too."""
    packed = gzip.compress(b"as far as here")
    assert decoding.beginning(packed[:-8] + bytes(8), "gzip", MOST) == b"as far as here"
    assert decoding.beginning(packed + b"garbage", "gzip", MOST) == b"as far as here"


def test_codings_upon_codings_are_not_known() -> None:
    with pytest.raises(CannotDecode, match="not known"):
        decoder(", ".join(["gzip"] * 4))
    assert decoding.is_known("gzip, gzip, x-gzip, br")
    assert not any(map(decoding.is_known, ["", "identity", "gzip, lzma", "utf-8"]))


def test_a_frame_that_wants_much_memory_is_not_read() -> None:
    coder = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27, write_content_size=False)
    ).compressobj()
    begun = coder.compress(b"x" * 3000) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    with pytest.raises(CannotDecode):
        decoder("zstd")(begun)
