"""How slowly an account answers: as slowly as the world does, instead of at once."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import Any, Self

LONGEST_SECONDS = 600.0
MOST_WORDS = 10_000
LATE_END_SECONDS = 0.02
"""Upstream's stream ends a little after its last event; the official client hangs up in between
(docs/codex-wire.md section 3)."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds before an event: before that `number` of an answer (from 0), before each of that kind, or before each.

    With a `seed` it is a random part of `seconds` each time, and the same ones in each answer.
    """

    seconds: float
    before: int | str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.seconds) or not 0 <= self.seconds <= LONGEST_SECONDS:
            raise ValueError(f"a pause must be from 0 to {LONGEST_SECONDS:g} seconds, not {self.seconds}.")

    def waits(self, kinds: Sequence[str]) -> list[float]:
        """What it adds before each event of an answer with these kinds of events."""
        dice = Random(self.seed)  # noqa: S311 - to be repeated
        strikes = [self.before in {None, number, kind} for number, kind in enumerate(kinds)]
        return [self.seconds * (1 if self.seed is None else dice.random()) if each else 0.0 for each in strikes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds, and the length of an answer. ValueError for what is no time, or a longer one than anybody waits for.

    `first_byte` is how long nothing at all comes: over HTTP the head is held back, on a WebSocket the first event of an
    answer. `between_words` comes before each further word. `words` is how many an answer has at least: a shorter one is
    counted on. `late_end` is how long after its last event an event stream ends; a WebSocket has no such end. A warm-up
    has nothing to say and is not slow. `pauses` come on top, before any events of an answer.
    """

    first_byte: float = 0.0
    between_words: float = 0.0
    words: int = 0
    late_end: float = LATE_END_SECONDS
    pauses: tuple[Pause, ...] = ()

    def __post_init__(self) -> None:
        for name in ("first_byte", "between_words", "late_end"):
            seconds = getattr(self, name)
            if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST_SECONDS:
                raise ValueError(f"{name} must be from 0 to {LONGEST_SECONDS:g} seconds, not {seconds}.")
        if not 0 <= self.words <= MOST_WORDS:
            raise ValueError(f"words must be from 0 to {MOST_WORDS}, not {self.words}.")

    @classmethod
    def of(cls, asked: dict[str, object]) -> Self:
        """From a control request. TypeError or ValueError for what it must not say."""
        unknown = asked.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise TypeError(f"a pace has no {', '.join(sorted(unknown))}")
        pauses = asked.get("pauses", [])
        if not isinstance(pauses, list):
            raise TypeError("pauses are a list")
        return cls(**asked | {"pauses": tuple(Pause(**each) for each in pauses)})  # type: ignore[arg-type]

    def waits(self, events: Sequence[dict[str, Any]], first_output: int) -> list[float]:
        """The seconds before each event of an answer, from whose `first_output` on words are `between_words` apart."""
        kinds = [event["type"] for event in events]
        between = [
            self.between_words if number >= first_output and kind.endswith(".delta") else 0.0
            for number, kind in enumerate(kinds)
        ]
        return [sum(each) for each in zip(between, *(pause.waits(kinds) for pause in self.pauses), strict=True)]

    def said(self, text: str) -> str:
        """An answer of the length that this pace asks for."""
        missing = range(len(text.split()) + 1, self.words + 1)
        return " ".join([text, *map(str, missing)]) if missing else text


async def pause(seconds: float) -> None:
    """Wait, unless there is nothing to wait for. Whoever serves a client cancels this when the client leaves."""
    if seconds > 0:
        await asyncio.sleep(seconds)


class Tempo:
    """How the pauses of paces and faults pass: by themselves or, `by_hand`, when a test says that time has passed.

    A pause lasts until that much time was passed since it began. For the event loop only. `on_change` is called when
    `pausing`, the number of pauses that run by hand, changes.
    """

    def __init__(self, *, by_hand: bool, on_change: Callable[[], None]) -> None:
        self.by_hand = by_hand
        self.pausing = 0
        self._passed = 0.0
        self._on_change = on_change
        self._ticks: set[asyncio.Event] = set()

    async def pause(self, seconds: float) -> None:
        """Wait, unless there is nothing to wait for."""
        if not self.by_hand:
            await pause(seconds)
        elif seconds > 0:
            await self._until(self._passed + seconds)

    def advance(self, seconds: float) -> None:
        """Time has passed."""
        self._passed += seconds
        for tick in self._ticks:
            tick.set()

    async def _until(self, due: float) -> None:
        tick = asyncio.Event()
        self._ticks.add(tick)
        self._pausing(1)
        try:
            while self._passed < due:
                tick.clear()
                await tick.wait()
        finally:
            self._ticks.discard(tick)
            self._pausing(-1)

    def _pausing(self, more: int) -> None:
        self.pausing += more
        self._on_change()
