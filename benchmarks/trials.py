"""What needs programs of its own: memory over time, starts, and the choice of an account. A row each."""

import asyncio
import socket
import sys
import timeit
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import batched, count
from typing import Final

from accounts.choice.pool import Lease
from accounts.choice.selection import Ask
from benchmarks import measure
from benchmarks.cases import OURS, PLAIN, named
from benchmarks.load import CLIENTS, Client
from benchmarks.orders import Order
from benchmarks.rig import CODEX_ROTATE, START_SECONDS, Rig, Running, fill
from benchmarks.stats import Book
from benchmarks.works import HTTP1, SOCKET
from cli.running import processes
from tests.builders import DAY, NOW, WEEK_MINUTES, account, pool_of, window

MEMORY: Final = "memory at start"
IDLE: Final = "idle streams"
TURNS: Final = "10,000 turns"
MESSAGES: Final = "5,000 messages on one socket"
SELECTION: Final = "selection"
STARTS: Final = "cold starts"
LIST: Final = "`codex-rotate list`"
SERVE: Final = "`codex-rotate serve`, until ready"
PYTHON: Final = "Python alone"
_SAMPLES: Final = 20
_BATCH: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One row. `rounds` is how often it is done at most; `run` is told which share of the usual amount to do."""

    name: str
    run: Callable[[Rig, Book, float], Awaitable[None]]
    rounds: int = 1


async def _each(rig: Rig, run: Callable[[Running], Awaitable[None]]) -> None:
    """Do something with plain mitmdump and with ours, each just started."""
    for case in named((PLAIN, OURS)):
        running = await rig.start(case)
        await run(running)
        await rig.end(*running.programs)


async def idle(rig: Rig, book: Book, share: float) -> None:
    """Streams that have begun and say nothing: a connection each. Memory at the start is before any."""
    streams, order = max(4, round(200 * share)), Order(events=1, hold=True)

    async def run(running: Running) -> None:
        book.add(MEMORY, running.case.name, {"rss_mb": measure.rss_mb(running.pids)})
        first = await CLIENTS[HTTP1].open(running.target, "bench-first", Order())
        await first.turn(Order())
        before = measure.rss_mb(running.pids)
        clients: list[Client] = []
        for numbers in batched(range(streams), _BATCH):
            clients += await asyncio.gather(*(_idle(running, number, order) for number in numbers))
        grown = measure.rss_mb(running.pids) - before
        book.add(IDLE, running.case.name, {"kb_per_stream": 1024 * grown / streams})
        for client in (first, *clients):
            client.close()

    await _each(rig, run)


async def _idle(running: Running, number: int, order: Order) -> Client:
    client = await CLIENTS[HTTP1].open(running.target, f"bench-idle-{number}", order)
    await client.turn(order)
    return client


async def turns(rig: Rig, book: Book, share: float) -> None:
    """Short turns on eight connections; memory after every twentieth of them."""
    each, clients = max(1, round(10_000 * share / _SAMPLES / 8)), range(8)

    async def run(running: Running) -> None:
        opened = [await CLIENTS[HTTP1].open(running.target, f"bench-{n}", Order()) for n in clients]

        async def some(client: Client) -> None:
            for _ in range(each):
                await client.turn(Order())

        line = []
        for sample in range(_SAMPLES):
            await asyncio.gather(*map(some, opened))
            line.append((float((sample + 1) * each * len(opened)), measure.rss_mb(running.pids)))
        _grown(book, TURNS, running.case.name, line)
        for client in opened:
            client.close()

    await _each(rig, run)


async def messages(rig: Rig, book: Book, share: float) -> None:
    """Turns of ten messages of 1 KB on one socket."""
    order = Order(events=7, size=1000)
    each = max(1, round(5_000 * share / order.messages / _SAMPLES))

    async def run(running: Running) -> None:
        client = await CLIENTS[SOCKET].open(running.target, "bench-socket", order)
        line = []
        for sample in range(_SAMPLES):
            for _ in range(each):
                await client.turn(order)
            line.append((float((sample + 1) * each * order.messages), measure.rss_mb(running.pids)))
        _grown(book, MESSAGES, running.case.name, line)
        client.close()

    await _each(rig, run)


def _grown(book: Book, work: str, case: str, line: list[tuple[float, float]]) -> None:
    """How much memory grew after the first tenth, in which caches fill."""
    warm = line[len(line) // 10][1]
    book.draw(work, case, line)
    book.add(work, case, {"growth_mb": line[-1][1] - warm, "rss_mb": line[-1][1]})


async def starts(rig: Rig, book: Book, _: float) -> None:
    """`list` of ten accounts, `serve` until it listens and has its pool, and an interpreter for comparison."""
    home = rig.folder / "home-of-ten"
    if not home.exists():
        fill(home, 10)
    environment = {**rig.environment(home), "COLUMNS": "120"}

    def run(*argv: str) -> None:
        done = processes.run(argv, environment, rig.folder, START_SECONDS)
        assert done.code == 0, done

    with ExitStack() as proxies:

        def serve() -> None:
            argv = [str(CODEX_ROTATE), "serve", "--listen", f"127.0.0.1:{free_port()}"]
            proxy = proxies.enter_context(processes.Background(argv, environment))
            proxy.wait_for(["codex-rotate is listening at"])

        whats: dict[str, Callable[[], None]] = {
            PYTHON: lambda: run(sys.executable, "-c", "pass"),
            LIST: lambda: run(str(CODEX_ROTATE), "list"),
            SERVE: serve,
        }
        for name, what in whats.items():
            book.add(STARTS, name, {"seconds": timeit.timeit(what, number=1)})


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


PER_SECOND: Final = 300
"""About as many turns as one proxy can serve."""
SIZES: Final = {"10 accounts": 10, "1,000 accounts": 1_000, "10,000 accounts": 10_000}


async def selection(_: Rig, book: Book, share: float) -> None:
    """The choice for a thread that is new, in this process: as a busy proxy makes it, PER_SECOND of them and each after
    what a turn changes in the pool, and as the first one after a pause."""
    for name, size in SIZES.items():
        if size > 1_000 and share < 1:
            continue
        times = 5 if share >= 1 else 1
        busy = _choices(size, 3 * PER_SECOND, 1 / PER_SECOND, times)  # what is done once a second is among them
        book.add(SELECTION, name, {"call_us": busy, "pause_us": _choices(size, 5, 10.0, times)})


def _choices(size: int, calls: int, step: float, times: int) -> float:
    """Microseconds of one choice in a pool of so many accounts, the best of so many times; `step` seconds pass from one
    to the next."""
    pool = pool_of(*(account(f"bench-{number}", plan="plus") for number in range(size)))
    for number, key in enumerate(pool.candidates):
        used = 10.0 + number % 50
        pool.observed(key, (window(used), window(used / 2, 3 * DAY, minutes=WEEK_MINUTES)))
    lease, ask, seen = pool.select(Ask(), NOW), Ask(thread="a new one"), (window(40),)
    assert isinstance(lease, Lease)

    def turn() -> None:
        pool.enter(lease, NOW)
        pool.observed(lease.key, seen)
        pool.leave(lease.key)

    moments = count(NOW, step)
    names = {"turn": turn, "select": pool.select, "ask": ask, "moments": moments}
    without = timeit.Timer("turn(); next(moments)", globals=names)
    whole = timeit.Timer("turn(); select(ask, next(moments))", globals=names)
    best = [min(timer.repeat(repeat=times, number=calls)) for timer in (whole, without)]
    return 1e6 * (best[0] - best[1]) / calls


TRIALS: Final = (
    Trial(name=SELECTION, run=selection, rounds=3),
    Trial(name=STARTS, run=starts, rounds=7),
    Trial(name=IDLE, run=idle, rounds=3),
    Trial(name=TURNS, run=turns),
    Trial(name=MESSAGES, run=messages),
)
