"""A small body that would become a large one costs the proxy little, whoever sends it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import brotli
import pytest
import zstandard

from tests.proxy.clients import ASK, RESPONSES, got, http1
from tests.proxy.conftest import Bench

OPTIONS: Final = {"flow_detail": 0}
SIZE: Final = 128 << 20
CODED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": zstandard.compress,
    "br": lambda body: brotli.compress(body, quality=1),
}


def most(bench: Bench) -> float:
    """The most memory that the proxy has had, in MB."""
    told = Path(f"/proc/{bench.proxy.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", told)[1]) / 1024  # type: ignore[index]


@pytest.mark.parametrize("coding", CODED)
def test_a_request_that_swells_passes_unread(bench: Bench, coding: str) -> None:
    bomb = CODED[coding](ASK[:-1] + b" " * SIZE + b"}")
    before = most(bench)
    with http1(bench.proxy) as client:
        headers = bench.headers(content_encoding=coding)
        del headers["thread-id"]  # the body is asked for it
        answer = got(client.post(RESPONSES, headers=headers, content=bomb))
    assert bench.served_by()
    assert answer.status in {200, 400}  # what upstream says of it
    assert most(bench) - before < 64
