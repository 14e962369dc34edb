"""Load on one proxy from many connections at once, and what it costs the proxy in memory."""

import itertools
import json
import logging
import os
import re
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import ClassVar, Final, Protocol

import httpx

from cli.running import proxy_command
from tests.harness import PATIENCE, Proxy
from tests.proxy.clients import CHATGPT, RESPONSES, Http2
from tests.proxy.conftest import Bench

SOAK: Final = "SOAK" in os.environ
"""`make soak`: ten thousand turns of each kind instead of a few hundred."""
THREADS: Final = 200 if SOAK else 1 << 30
"""Among so many the turns go round. What is remembered of them is bounded, and spreads until all was renewed."""
PARTS: Final = 10 if SOAK else 3
"""So often memory is looked at on the way."""
STATUS: Final = "/proc/{}/status"
WORD: Final = "all-work-and-no-play-" * 50
"""About 1 KB. The stand-in says one word a message."""


def request(kilobytes: int) -> bytes:
    return json.dumps({"model": "gpt-5", "input": [{"role": "user", "content": WORD * kilobytes}]}).encode()


CONVERSATION: Final = request(128)
"""As of some length."""
LONG: Final = CONVERSATION if SOAK else request(256)
"""Fewer turns have to show a leak."""

_WEB: Final = re.compile(r"Web server listening at http://127\.0\.0\.1:(\d+)/")
_turns = itertools.count(1)

logger = logging.getLogger(__name__)


def resident(proxy: Proxy) -> float:
    """The physical memory of the proxy, in MB."""
    told = Path(STATUS.format(proxy.process.pid)).read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", told)[1]) / 1024  # type: ignore[index]


class Client(Protocol):
    """One of the crowd. An answer that tells of a limit is as good as another."""

    def turn(self) -> None: ...
    def close(self) -> None: ...


class Kept1:
    """HTTP/1.1, on a connection that stays. `leaves` names an account whose answers never end: every turn is taken
    there and left in the middle."""

    body = LONG

    def __init__(self, bench: Bench, trust: ssl.SSLContext, leaves: str = "") -> None:
        self.bench = bench
        self.trust = trust
        self.leaves = leaves
        self.port = bench.proxy.port
        self.wire: HTTPSConnection | None = None

    def turn(self) -> None:
        if self.wire is None:
            self.wire = HTTPSConnection("127.0.0.1", self.port, timeout=PATIENCE, context=self.trust)
            said = b64encode(f"{self.leaves}:".encode()).decode()
            self.wire.set_tunnel(CHATGPT, 443, {"proxy-authorization": f"Basic {said}"} if self.leaves else {})
        self.wire.request("POST", RESPONSES, self.body, headers(self.bench))
        answer = self.wire.getresponse()
        if self.leaves:
            assert answer.read(64)
            answer.close()
            self.close()
        else:
            assert complete(answer.status, answer.read())

    def close(self) -> None:
        if self.wire is not None:
            self.wire.close()
        self.wire = None


class Fresh1(Kept1):
    """HTTP/1.1, a connection a turn."""

    body = CONVERSATION

    def turn(self) -> None:
        super().turn()
        self.close()


class Kept2:
    """The same over HTTP/2; who leaves cancels a stream, and the connection stays."""

    def __init__(self, bench: Bench, _: ssl.SSLContext, leaves: str = "") -> None:
        self.bench = bench
        self.leaves = leaves
        self.wire = Http2(bench.proxy, says=f"{leaves}:" if leaves else "")
        self.wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def turn(self) -> None:
        stream = self.wire.ask(headers(self.bench), body=LONG)
        if self.leaves:
            assert self.wire.until(stream, lambda seen: bool(seen.body)).body
            self.wire.cancel(stream)
        else:
            seen = self.wire.answer(stream)
            assert complete(seen.status, bytes(seen.body))

    def close(self) -> None:
        self.wire.socket.close()


def headers(bench: Bench) -> dict[str, str]:
    """Of a turn in one of `THREADS`."""
    return bench.headers(thread_id=f"crowd-{next(_turns) % THREADS}")


def complete(status: int, body: bytes) -> bool:
    """Whether a client got all it can expect: an answer, or word that everybody is at the limit."""
    return (status == 200 and b"response.completed" in body) or status == 429


@dataclass
class Crowd:
    """Clients side by side until all of them together have taken so many turns."""

    bench: Bench
    kinds: Sequence[Callable[[Bench, ssl.SSLContext], Client]]
    limits: int = 0
    """How often upstream said that an account is at its limit."""
    left: int = 0
    """How many answers were left before their end."""

    def grows(self, turns: int, *, first: int) -> float:
        """By how many MB these turns make the proxy grow, after the `first` ones, which fill its tables and heap. In a
        soak what the garbage collector finds goes up and down; a leak is what does not come down."""
        self._part(range(first))
        seen = [resident(self.bench.proxy)]
        logger.info("%6d turns: %.1f MB", 0, seen[0])
        for part in range(PARTS):
            self._part(range(turns * part // PARTS, turns * (part + 1) // PARTS))
            seen.append(resident(self.bench.proxy))
            logger.info("%6d turns: %.1f MB", turns * (part + 1) // PARTS, seen[-1])
        return min(seen[-(PARTS // 2) :]) - seen[0]

    def _part(self, turns: range) -> None:
        left, trust = iter(turns), self.bench.proxy.trust()
        drawing = threading.Lock()

        def draw() -> int | None:
            with drawing:
                return next(left, None)

        def work(kind: Callable[[Bench, ssl.SSLContext], Client]) -> None:
            client = kind(self.bench, trust)
            try:
                while draw() is not None:
                    client.turn()
            finally:
                client.close()

        with ThreadPoolExecutor(len(self.kinds)) as pool:
            for done in [pool.submit(work, kind) for kind in self.kinds]:
                done.result()
        self._forget()

    def _forget(self) -> None:
        """The stand-in remembers every request, and that needs memory too, the tests'."""
        with self.bench.upstream._state.changed:
            records = self.bench.upstream._state.records
            self.limits += sum(each.status == 429 for each in records)
            self.left += sum(each.disconnected for each in records)
            records.clear()


@dataclass
class Served(Proxy):
    """What `serve` starts."""

    tool: Sequence[str] = tuple(proxy_command.start("mitmdump"))


@dataclass
class Web(Proxy):
    """A running mitmweb with an interface of its own."""

    PASSWORD: ClassVar[str] = "a look inside"
    tool: Sequence[str] = tuple(proxy_command.start("mitmweb"))

    def command(self) -> list[str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        flags = ["--no-web-open-browser", "--web-port", str(port), "--set", f"web_password={self.PASSWORD}"]
        return [*super().command(), *flags]

    def flows(self) -> list[dict[str, object]]:
        """What the interface shows."""
        port = int(self.output.wait_for(_WEB)[1])
        asked = {"token": self.PASSWORD}
        answer = httpx.get(f"http://127.0.0.1:{port}/flows", params=asked, timeout=PATIENCE, trust_env=False)
        assert answer.status_code == 200, answer.text
        return list(answer.json())
