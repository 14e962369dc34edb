"""A mitmproxy script for every proxy under test: its upstream is on this machine, and it ends with the benchmark.

Only the socket leads elsewhere. A script that changes a connection's address, as the tests have one, keeps plain
mitmproxy from using a connection again, and what is compared would not be like with like.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from mitmproxy import ctx

UPSTREAM: Final = "BENCH_UPSTREAM_PORT"
MEANT: Final = ("chatgpt.com", 443)

_open: Final = asyncio.open_connection
_listen: Final = asyncio.start_server


async def _open_connection(host: str, port: int, **more: Any) -> Any:
    if (host, port) != MEANT:
        raise OSError(f"a benchmark has nothing at {host}:{port}")
    return await _open("127.0.0.1", int(os.environ[UPSTREAM]), **more)


def share_port() -> None:
    """To be called before mitmproxy starts: another process may listen on the same port."""

    async def start_server(*arguments: Any, **more: Any) -> asyncio.Server:
        return await _listen(*arguments, **more, reuse_port=True)

    asyncio.start_server = start_server


def when_parent_ends(do: Callable[[], object]) -> None:
    """A benchmark that is killed leaves nothing behind. For programs with an event loop."""
    if sys.platform == "linux":
        asyncio.get_running_loop().add_reader(os.pidfd_open(os.getppid()), do)


class Lead:
    def load(self, _: object) -> None:
        asyncio.open_connection = _open_connection  # type: ignore[assignment]

    def running(self) -> None:
        when_parent_ends(ctx.master.shutdown)


addons = [Lead()]
