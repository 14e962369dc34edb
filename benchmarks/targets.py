"""What the numbers have to be: a row each. Comparisons are made within a round, then the median counts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks import trials
from benchmarks.cases import DIRECT, OURS, PLAIN, ROTATING, TEN, TWO, UNRECORDED, WATCHED
from benchmarks.stats import Book, Spread
from benchmarks.works import (
    KEPT,
    NEW,
    NO_MOVE,
    NO_ROTATION,
    ONE_MOVE,
    ONE_ROTATION,
    SEEN,
    THREE_MOVES,
    THREE_ROTATIONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row. `how` gives a number per round, in this `unit`; with `least` it has to be that much, else not more."""

    title: str
    work: str
    metric: str
    limit: float
    how: Callable[[Book, "Target"], list[float]]
    case: str = OURS
    unit: str = "x"
    least: bool = False

    def told(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A target and what was measured, None when it was not."""

    target: Target
    spread: Spread | None

    @property
    def verdict(self) -> str:
        if self.spread is None:
            return "not measured"
        return self.spread.verdict(self.target.limit, least=self.target.least)

    def measured(self) -> str:
        if self.spread is None:
            return ""
        digits = 2 if self.target.unit in {"x", "s", "ms"} else 1
        low, median, high = (f"{each:.{digits}f}" for each in (self.spread.low, self.spread.median, self.spread.high))
        return f"{median} {self.target.unit} ({low} to {high})"


def ratio(book: Book, target: Target) -> list[float]:
    """To plain mitmdump."""
    return book.ratios(target.work, target.case, PLAIN, target.metric)


def extra(book: Book, target: Target) -> list[float]:
    """More than plain mitmdump."""
    return book.extras(target.work, target.case, PLAIN, target.metric)


def recorded(book: Book, target: Target) -> list[float]:
    """To the same without a record of each turn."""
    return book.ratios(target.work, target.case, UNRECORDED, target.metric)


def watched(book: Book, target: Target) -> list[float]:
    """To the same that nobody looks at."""
    return book.ratios(target.work, target.case, TEN, target.metric)


def value(book: Book, target: Target) -> list[float]:
    return book.values(target.work, target.case, target.metric)


_ROTATIONS: Final = {
    ONE_ROTATION: (1, NO_ROTATION, 1),
    THREE_ROTATIONS: (3, NO_ROTATION, 1),
    ONE_MOVE: (1, NO_MOVE, 2),
    THREE_MOVES: (3, NO_MOVE, 2),
}
"""How many there are in a work, which one is the same without, and how often each goes to upstream and back: beneath a
WebSocket for the upgrade too."""


def rotation(book: Book, target: Target) -> list[float]:
    """What each rotation takes beside its way to upstream and back, and the connection for that as mitmproxy opens one
    by itself."""
    times, usual_work, ways = _ROTATIONS[target.work]

    def median(work: str, case: str) -> list[float]:
        return book.values(work, case, target.metric)

    rounds = zip(
        median(target.work, target.case),
        median(usual_work, target.case),
        median(NEW, PLAIN),
        median(KEPT, PLAIN),
        median(KEPT, DIRECT),
        strict=False,
    )
    return [(whole - usual) / times - (new - kept) - ways * way for whole, usual, new, kept, way in rounds]


def headroom(book: Book, target: Target) -> list[float]:
    """How much faster the load is without a proxy than with the fastest one. Several workers are left out: they take
    the cores that the load needs."""
    direct = book.values(target.work, DIRECT, target.metric)
    cases = book.rounds.get(target.work, {}).keys() - {DIRECT, TWO}
    proxied = [book.values(target.work, case, target.metric) for case in cases]
    fastest = [max(each) for each in zip(*proxied, strict=False)]
    return [one / other for one, other in zip(direct, fastest, strict=False)]


def _of_turns(client: str, clients: str) -> str:
    return f"short turns, {client}, {clients}"


def _table() -> tuple[Target, ...]:
    rows = []
    for client in ("HTTP/1.1", "HTTP/2"):
        one, many = _of_turns(client, "1 client"), _of_turns(client, "16 clients")
        stream = f"streaming, {client}, 16 clients"
        rows += [
            Target(title=f"CPU, {one}", work=one, metric="cpu_us", limit=1.10, how=ratio),
            Target(title=f"CPU, {many}", work=many, metric="cpu_us", limit=1.10, how=ratio),
            Target(title=f"first byte, {one}", work=one, metric="first_ms", limit=1, unit="ms", how=extra),
            Target(title=f"first byte, {many}", work=many, metric="first_ms", limit=1.10, how=ratio),
            Target(title=f"chunk delay p99, {stream}", work=stream, metric="delay_p99_ms", limit=1.10, how=ratio),
            Target(title=f"load without a proxy, {many}", work=many, metric="rate", limit=5, how=headroom, least=True),
        ]
    for sockets in ("1 socket", "64 sockets"):
        work = f"WebSocket turns, {sockets}"
        rows.append(Target(title=f"CPU, {work}", work=work, metric="cpu_us", limit=1.05, how=ratio))
    for work in _ROTATIONS:
        title = f"{work}: each, beside its connection"
        rows.append(Target(title=title, work=work, metric="first_ms", limit=5, unit="ms", how=rotation, case=ROTATING))
    return (*rows, *_BESIDE, *_MEMORY, *_TIMES)


_BESIDE: Final = (
    Target(title="CPU with the ledger, to none", work=SEEN, metric="cpu_us", limit=1.03, how=recorded, case=TEN),
    Target(title="CPU with ten pages, to none", work=SEEN, metric="cpu_us", limit=1.03, how=watched, case=WATCHED),
    Target(
        title="first byte with ten pages, to none",
        work=SEEN,
        metric="first_ms",
        limit=1.03,
        how=watched,
        case=WATCHED,
    ),
)


def _memory(title: str, work: str, metric: str, limit: float, how: Callable[[Book, Target], list[float]]) -> Target:
    return Target(title=title, work=work, metric=metric, limit=limit, unit="x" if how is ratio else "MB", how=how)


_MEMORY: Final = (
    _memory("memory at start", trials.MEMORY, "rss_mb", 15, extra),
    _memory("memory of an idle stream", trials.IDLE, "kb_per_stream", 1.10, ratio),
    _memory("growth over 10,000 turns", trials.TURNS, "growth_mb", 10, value),
    _memory("growth over 5,000 messages", trials.MESSAGES, "growth_mb", 10, value),
)


def _time(title: str, work: str, case: str, metric: str, limit: float) -> Target:
    unit = "µs" if metric == "call_us" else "s"
    return Target(title=title, work=work, case=case, metric=metric, limit=limit, unit=unit, how=value)


_TIMES: Final = (
    _time("selection, 10 accounts", trials.SELECTION, "10 accounts", "call_us", 20),
    _time("selection, 1,000 accounts", trials.SELECTION, "1,000 accounts", "call_us", 200),
    _time("`list`, cold", trials.STARTS, trials.LIST, "seconds", 0.150),
    _time("`serve`, ready", trials.STARTS, trials.SERVE, "seconds", 1.5),
)
TARGETS: Final = _table()


def judged(book: Book, targets: Sequence[Target] = TARGETS) -> list[Judged]:
    """Every target with what was measured."""
    found = []
    for target in targets:
        values = target.how(book, target)
        found.append(Judged(target=target, spread=Spread.of(values) if values else None))
    return found
