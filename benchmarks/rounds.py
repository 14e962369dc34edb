"""The order in which everything is done: per round every work, and each work with all its cases one after another.

What slows the machine down for a while then slows all cases, and a comparison within a round is hardly touched by it.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase

from benchmarks import works
from benchmarks.cases import Case, named
from benchmarks.rig import Rig, Running
from benchmarks.stats import Book
from benchmarks.trials import TRIALS, Trial
from benchmarks.works import WORKS, Work

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does. `share` is how much of the usual amount trials do, `cases` (empty: all) limits works."""

    rounds: int
    share: float = 1.0
    works: tuple[Work, ...] = WORKS
    trials: tuple[Trial, ...] = TRIALS
    cases: frozenset[str] = frozenset()

    def cases_of(self, work: Work) -> tuple[Case, ...]:
        return tuple(case for case in named(work.cases) if not self.cases or case.name in self.cases)

    @property
    def needed(self) -> tuple[Case, ...]:
        """Every case that some work is done with, once."""
        return tuple(dict.fromkeys(case for work in self.works for case in self.cases_of(work)))


def chosen(patterns: Sequence[str]) -> tuple[tuple[Work, ...], tuple[Trial, ...]]:
    """The works and trials whose name matches one of these patterns (`*` for anything), all without any."""
    found_works = tuple(work for work in WORKS if _matches(work.name, patterns))
    return found_works, tuple(trial for trial in TRIALS if _matches(trial.name, patterns))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name.lower(), f"*{pattern.lower()}*") for pattern in patterns)


def turned[T](row: Sequence[T], number: int) -> list[T]:
    """The same in the same order, beginning elsewhere: in turn everybody is first."""
    at = number % len(row) if row else 0
    return [*row[at:], *row[:at]]


async def run(plan: Plan, rig: Rig, say: Say) -> Book:
    """Do everything, and keep the numbers."""
    book = Book()
    proxies: dict[str, Running] = {}
    for case in plan.needed:
        proxies[case.name] = await rig.start(case, proxies.get(case.within))
    for number in range(plan.rounds):
        say(f"round {number + 1} of {plan.rounds}")
        for work in plan.works:
            await _one(plan, work, number, proxies, book)
    for running in proxies.values():
        await rig.end(*running.programs)
    for trial in plan.trials:
        say(trial.name)
        for _ in range(min(plan.rounds, trial.rounds) if plan.share < 1 else trial.rounds):
            with undisturbed():
                await trial.run(rig, book, plan.share)
    return book


async def _one(plan: Plan, work: Work, number: int, proxies: dict[str, Running], book: Book) -> None:
    for case in turned(plan.cases_of(work), number):
        running = proxies[case.name]
        running.tell()
        with undisturbed():
            book.add(work.name, case.name, await works.do(work, running.target, running.pids))


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without garbage collection in this process, whose clients it would stop in the middle of a turn."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
