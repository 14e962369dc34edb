"""Many clients at once, and connections that nobody uses: everybody is served, and little is needed for it.

`FLOODS=1` in the environment makes them as large as they come, and shows the numbers: `make floods`.
"""

import contextlib
import logging
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from config import clock
from tests.harness import PATIENCE
from tests.proxy.clients import CHATGPT, http1, turn1
from tests.proxy.conftest import Bench
from tests.proxy.memory import STATUS, resident
from tests.proxy.test_bombs import FLOODS

pytestmark = pytest.mark.skipif(not Path(STATUS.format("self")).exists(), reason="this system does not tell in /proc")

OPTIONS: Final = {"rotate_head_timeout": 300, "flow_detail": 0}
CLIENTS: Final = 300 if FLOODS else 12
IDLE: Final = 2_000 if FLOODS else 60
MOST_EACH: Final = 0.15
"""MB of the proxy for a connection that nobody uses; what a proxy needs anyway is below START."""
START: Final = 20.0

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def idle(bench: Bench, count: int) -> Iterator[list[socket.socket]]:
    """So many connections to the proxy on which nothing more is said, each second one into a tunnel."""
    with contextlib.ExitStack() as opened:
        made = []
        for number in range(count):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", bench.proxy.port), PATIENCE))
            if number % 2:
                client.sendall(b"CONNECT %b:443 HTTP/1.1\r\nHost: x\r\n\r\n" % CHATGPT.encode())
                assert b" 200 " in client.recv(4096)
            made.append(client)
        yield made


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """As many as there are, for the clients and for upstream."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_many_clients_at_once_all_get_their_answers(bench: Bench) -> None:
    def turns(number: int) -> float:
        began = clock.monotonic()
        with http1(bench.proxy, timeout=10 * PATIENCE) as client:
            for turn in range(2):
                seen = turn1(client, bench.headers(thread_id=f"flood-{number}-{turn}"))
                assert seen.completed, (seen.status, bytes(seen.body[-300:]), seen.cut)
        return clock.monotonic() - began

    before = resident(bench.proxy)
    with ThreadPoolExecutor(CLIENTS) as pool:
        seconds = sorted(pool.map(turns, range(CLIENTS)))
    grown = resident(bench.proxy) - before
    logger.info(
        "%d clients, 2 turns each: slowest %.1f s, median %.1f s, %+.1f MB",
        CLIENTS,
        seconds[-1],
        seconds[len(seconds) // 2],
        grown,
    )
    assert bench.unpunished()
    assert grown < START + CLIENTS * 3 * MOST_EACH


def test_connections_that_nobody_uses_keep_nobody_from_being_served(bench: Bench) -> None:
    before = resident(bench.proxy)
    with idle(bench, IDLE):
        with http1(bench.proxy) as client:
            began = clock.monotonic()
            assert turn1(client, bench.headers()).completed
            seconds = clock.monotonic() - began
        grown = resident(bench.proxy) - before
    logger.info("%d idle connections: a turn takes %.2f s, %+.1f MB", IDLE, seconds, grown)
    assert grown < START + IDLE * MOST_EACH
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
