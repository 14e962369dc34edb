"""Whatever of mitmproxy's own decodes a body, it does so within the bound, and asks no codec that unpacks."""

import bz2
import functools
import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from mitmproxy import http

from addons.attempts.patches.bounded_decoding import bound_decoding
from tests.rows import all_rows

BIG = bytes(64 << 20)


def zipped(body: bytes) -> bytes:
    return zlib.compress(body, level=1)


def gzipped(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1)


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzipped,
    "x-gzip": gzipped,
    "deflate": zipped,
    "deflateraw": zipped,
    "br": lambda body: brotli.compress(body, quality=1),
    "zstd": zstandard.compress,
    "bz2": bz2.compress,
    "BZ2-codec": bz2.compress,
    "zip": zipped,
    "zlib_codec": zipped,
}


@functools.cache
def bomb_of(pack: Callable[[bytes], bytes]) -> bytes:
    return pack(BIG)


@pytest.fixture(autouse=True)
def bounded() -> None:
    bound_decoding()
    bound_decoding()  # once more is nothing


def request(coding: str, body: bytes) -> http.Request:
    made = http.Request.make("POST", "https://chatgpt.com/", body)
    made.headers["content-encoding"] = coding
    return made


@all_rows("coding", PACKED)
def test_a_body_that_swells_is_shown_as_it_came(coding: str) -> None:
    bomb = request(coding, bomb_of(PACKED[coding]))
    tracemalloc.start()
    shown = bomb.get_content(strict=False)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shown == bomb.raw_content
    assert most < 40 << 20
    with pytest.raises(ValueError, match=r"too large|no coding"):
        _ = bomb.content


@all_rows("coding", [each for each in PACKED if each in {"gzip", "x-gzip", "deflate", "br", "zstd"}])
def test_an_ordinary_body_is_read(coding: str) -> None:
    assert request(coding, PACKED[coding](b"hello")).content == b"hello"
    assert request(coding, b"").content == b""


@pytest.mark.parametrize("coding", ["identity", "none"])
def test_what_has_no_coding_stays(coding: str) -> None:
    assert request(coding, b"hello").content == b"hello"


@pytest.mark.parametrize("coding", ["utf-8", "nobody's"])
def test_a_coding_of_text_is_mitmproxys_business(coding: str) -> None:
    assert request(coding, b"hello").get_content(strict=False) == b"hello"
