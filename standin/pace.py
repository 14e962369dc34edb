"""How slowly an account answers: as slowly as the world does, instead of at once."""

import asyncio
import math
from dataclasses import dataclass, fields
from typing import Self

LONGEST_SECONDS = 600.0
MOST_WORDS = 10_000
LATE_END_SECONDS = 0.02
"""Upstream's stream ends a little after its last event; the official client hangs up in between
(docs/codex-wire.md section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds, and the length of an answer. ValueError for what is no time, or a longer one than anybody waits for.

    `first_byte` is how long nothing at all comes: over HTTP the head is held back, on a WebSocket the first event of an
    answer. `between_words` comes before each further word. `words` is how many an answer has at least: a shorter one is
    counted on. `late_end` is how long after its last event an event stream ends; a WebSocket has no such end. A warm-up
    has nothing to say and is not slow.
    """

    first_byte: float = 0.0
    between_words: float = 0.0
    words: int = 0
    late_end: float = LATE_END_SECONDS

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
        return cls(**asked)  # type: ignore[arg-type]

    def said(self, text: str) -> str:
        """An answer of the length that this pace asks for."""
        missing = range(len(text.split()) + 1, self.words + 1)
        return " ".join([text, *map(str, missing)]) if missing else text


async def pause(seconds: float) -> None:
    """Wait, unless there is nothing to wait for. Whoever serves a client cancels this when the client leaves."""
    if seconds > 0:
        await asyncio.sleep(seconds)
