"""A small body that would become a large one costs the proxy little, whoever sends it."""

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import brotli
import pytest
import zstandard

from tests.harness import PATIENCE
from tests.proxy.clients import ASK, RESPONSES, got, http1
from tests.proxy.conftest import Bench

FLOODS: Final = "FLOODS" in os.environ
"""`make floods`: attacks at their full size."""
OPTIONS: Final = {"flow_detail": 0, "rotate_head_timeout": 300}
SIZE: Final = (512 if FLOODS else 128) << 20
CODED: Final[dict[str, Callable[[bytes], bytes]]] = {
    "zstd": zstandard.compress,
    "br": lambda body: brotli.compress(body, quality=1),
}

logger = logging.getLogger(__name__)


def most(bench: Bench) -> float:
    """The most memory that the proxy has had, in MB."""
    told = Path(f"/proc/{bench.proxy.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", told)[1]) / 1024  # type: ignore[index]


@pytest.mark.parametrize("coding", CODED)
def test_a_request_that_swells_passes_unread(bench: Bench, coding: str) -> None:
    bomb = CODED[coding](ASK[:-1] + b" " * SIZE + b"}")
    before = most(bench)
    with http1(bench.proxy, timeout=10 * PATIENCE) as client:
        headers = bench.headers(content_encoding=coding)
        del headers["thread-id"]  # the body is asked for it
        answer = got(client.post(RESPONSES, headers=headers, content=bomb))
    assert bench.served_by()
    assert answer.status in {200, 400}  # what upstream says of it
    grown = most(bench) - before
    logger.info("%d KB of %s that become %d MB: %+.1f MB", len(bomb) >> 10, coding, SIZE >> 20, grown)
    assert grown < 64
