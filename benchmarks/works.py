"""What is done with every case, round by round: a row each."""

import asyncio
import functools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Final

import zstandard

from benchmarks import measure
from benchmarks.cases import BESIDE, EVERY, FEW, OURS, PLAIN, ROTATING, SHORT
from benchmarks.load import ASK, CLIENTS, PATIENCE, Client, Target, Turn
from benchmarks.orders import Order
from benchmarks.stats import percentile

HTTP1, HTTP2, SOCKET = CLIENTS
USUAL: Final = Order()
CLOSED_SECONDS: Final = 0.01
"""Until a proxy has seen that upstream closed: plain mitmdump answers 502 to whoever comes before."""
STREAM: Final = Order(events=100, gap=0.02, size=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """`clients` connections at a time, `turns` in all. `fresh`: a connection for every turn, which then begins with it.
    `body` is the size of the request in bytes, compressed (0: a short one). `threads`: every turn is a thread of its
    own. So many seconds `behind` them, what goes on then costs CPU time of theirs."""

    name: str
    client: str = HTTP1
    clients: int = 1
    turns: int = 100
    fresh: bool = False
    order: Order = USUAL
    body: int = 0
    threads: bool = False
    behind: float = 0.0
    cases: tuple[str, ...] = FEW


def _short(client: str, clients: int, turns: int, *, fresh: bool) -> Work:
    crowd = "1 client" if clients == 1 else f"{clients} clients"
    name = f"short turns, {client}, {crowd}{', fresh' if fresh else ''}"
    cases = FEW if fresh else EVERY if clients == 16 else SHORT
    return Work(name=name, client=client, clients=clients, turns=turns, fresh=fresh, cases=cases)


def _rotation(name: str, fails: int, client: str = HTTP1) -> Work:
    """On a WebSocket a thread of its own is a socket of its own."""
    fresh = client == SOCKET
    return Work(
        name=name, client=client, turns=12, order=Order(fails=fails), threads=True, fresh=fresh, cases=(ROTATING,)
    )


WORKS: Final = (
    *(_short(client, 1, 100, fresh=False) for client in (HTTP1, HTTP2)),
    *(_short(client, 16, 192, fresh=False) for client in (HTTP1, HTTP2)),
    *(_short(client, 64, 256, fresh=False) for client in (HTTP1, HTTP2)),
    *(_short(client, 1, 24, fresh=True) for client in (HTTP1, HTTP2)),
    *(_short(client, 16, 48, fresh=True) for client in (HTTP1, HTTP2)),
    *(_short(client, 64, 64, fresh=True) for client in (HTTP1, HTTP2)),
    Work(name="streaming, HTTP/1.1, 16 clients", clients=16, turns=16, order=STREAM),
    Work(name="streaming, HTTP/2, 16 clients", client=HTTP2, clients=16, turns=16, order=STREAM),
    Work(name="70 KB body, HTTP/1.1", turns=30, body=70_000),
    Work(name="70 KB body, HTTP/2", client=HTTP2, turns=30, body=70_000),
    Work(name="5 MB body, HTTP/1.1", turns=4, body=5_000_000),
    Work(name="5 MB body, HTTP/2", client=HTTP2, turns=4, body=5_000_000),
    Work(name="WebSocket turns, 1 socket", client=SOCKET, turns=150, cases=SHORT),
    Work(name="WebSocket turns, 64 sockets", client=SOCKET, clients=64, turns=256, cases=SHORT),
    _short(SOCKET, 1, 24, fresh=True),
    Work(name="new connections upstream", turns=24, order=Order(closes=True), cases=(PLAIN, OURS)),
    Work(name="turns, and what goes on beside", clients=4, turns=2_000, behind=1.0, cases=BESIDE),
    _rotation("no rotation", 0),
    _rotation("one rotation", 1),
    _rotation("three rotations", 3),
    _rotation("no rotation, WebSocket", 0, SOCKET),
    _rotation("one rotation beneath a WebSocket", 1, SOCKET),
    _rotation("three rotations beneath a WebSocket", 3, SOCKET),
)
NO_ROTATION, ONE_ROTATION, THREE_ROTATIONS, NO_MOVE, ONE_MOVE, THREE_MOVES = (work.name for work in WORKS[-6:])
SEEN: Final = WORKS[-7].name
KEPT, NEW = _short(HTTP1, 1, 0, fresh=False).name, "new connections upstream"
"""The same turns with and without a connection to upstream that is there already."""


def compared(metric: str) -> tuple[Work, ...]:
    """The works for which a case is compared with another one. While streaming the first byte is none of them: ours
    holds back what precedes the text."""
    return tuple(work for work in WORKS if metric != "first_ms" or not work.order.gap)


@functools.cache
def body_of(size: int) -> bytes:
    """A request whose body is about so large when compressed with zstd; 0 for a short one that is not."""
    if not size:
        return ASK
    text = Random(size).randbytes(size).hex()  # noqa: S311 - something that does not compress too well
    said = [{"type": "message", "role": "user", "content": text}]
    plain = json.dumps({"model": "gpt-5", "input": said, "stream": True, "store": False}).encode()
    return zstandard.compress(plain, level=1)


_NUMBERS: Final = count()


def quickly(work: Work) -> Work:
    """The same with next to no turns: to see that it runs."""
    clients = min(work.clients, 4)
    order = replace(work.order, events=min(work.order.events, 10))
    return replace(work, clients=clients, turns=2 * clients, order=order)


async def do(work: Work, target: Target, pids: Sequence[int]) -> dict[str, float]:
    """Do a work. Its numbers by metric; CPU time only where there are processes to look at.

    Connections that are kept are opened before, and have had one turn. Raises Failed, and TimeoutError.
    """
    body, clock = body_of(work.body), asyncio.get_running_loop().time
    each = max(1, round(work.turns / work.clients))
    async with asyncio.timeout(PATIENCE):
        kept = [] if work.fresh else [await opened(work, target, number) for number in range(work.clients)]
        for client in kept:
            await client.turn(USUAL, body)
        before, began = measure.cpu_seconds(pids), clock()
        if work.fresh:
            turns = await asyncio.gather(*(_fresh(work, target, number, each) for number in range(work.clients)))
        else:
            turns = await asyncio.gather(*(_kept(work, client, body, each, n) for n, client in enumerate(kept)))
        seconds = clock() - began
        await asyncio.sleep(work.behind)
        cpu = measure.cpu_seconds(pids) - before
        for client in kept:
            client.close()
    return numbers([turn for done in turns for turn in done], seconds, cpu)


async def opened(work: Work, target: Target, number: int) -> Client:
    return await CLIENTS[work.client].open(target, f"bench-{'turn' if work.threads else 'thread'}-{number}", work.order)


async def _kept(work: Work, client: Client, body: bytes, turns: int, number: int) -> list[Turn]:
    # streams begin one after the other: a burst of beginnings is measured by short turns
    await asyncio.sleep(work.order.gap * (number + number / work.clients))
    done = []
    for _ in range(turns):
        done.append(await client.turn(work.order, body, f"bench-turn-{next(_NUMBERS)}" if work.threads else ""))
        if work.order.closes:
            await asyncio.sleep(CLOSED_SECONDS)
    return done


async def _fresh(work: Work, target: Target, number: int, turns: int) -> list[Turn]:
    done = []
    for _ in range(turns):
        began = asyncio.get_running_loop().time()
        client = await opened(work, target, next(_NUMBERS) if work.threads else number)
        turn = await client.turn(work.order)
        turn.began = began
        client.close()
        done.append(turn)
    return done


def numbers(turns: Sequence[Turn], seconds: float, cpu: float) -> dict[str, float]:
    """The metrics of turns that took so long together, and so much CPU time of the proxy (0: there is none)."""
    first = [1000 * (turn.first - turn.began) for turn in turns]
    delays = [1000 * delay for turn in turns for delay in turn.delays]
    found = {
        "first_ms": statistics.median(first),
        "first_p99_ms": percentile(first, 0.99),
        "whole_ms": statistics.median(1000 * (turn.ended - turn.began) for turn in turns),
        "rate": len(turns) / seconds,
    }
    if cpu:
        found["cpu_us"] = 1e6 * cpu / len(turns)
    if delays:
        found |= {"delay_ms": statistics.median(delays), "delay_p99_ms": percentile(delays, 0.99)}
    return found
