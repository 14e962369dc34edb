"""Numbers from rounds: percentiles, medians with their spread, and comparisons within a round. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

HELD: Final = "held"
FAILED: Final = "failed"
NOISE: Final = ", within noise"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share (0 to 1) of the values lies, between two of them in proportion."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    below = int(place)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (ranked[above] - ranked[below]) * (place - below)


@dataclass(frozen=True, slots=True)
class Spread:
    """What came out of the rounds: the median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(percentile(values, 0.25), statistics.median(values), percentile(values, 0.75))

    def verdict(self, limit: float, *, least: bool = False) -> str:
        """Whether the median keeps to a limit (with `least`: reaches it), and whether the noise leaves that open."""
        held = self.median >= limit if least else self.median <= limit
        return (HELD if held else FAILED) + (NOISE if self.low < limit < self.high else "")


@dataclass(slots=True)
class Book:
    """Everything that was measured: for a work, a case and a metric one value per round, or a line over time."""

    rounds: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    lines: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)

    def add(self, work: str, case: str, found: Mapping[str, float]) -> None:
        """One round's numbers."""
        kept = self.rounds.setdefault(work, {}).setdefault(case, {})
        for metric, value in found.items():
            kept.setdefault(metric, []).append(value)

    def draw(self, work: str, case: str, line: Sequence[tuple[float, float]]) -> None:
        """A line of points, such as memory over turns. The last round's stays."""
        self.lines.setdefault(work, {})[case] = list(line)

    def values(self, work: str, case: str, metric: str) -> list[float]:
        """One per round; none for what was not measured."""
        return self.rounds.get(work, {}).get(case, {}).get(metric, [])

    def spread(self, work: str, case: str, metric: str) -> Spread | None:
        values = self.values(work, case, metric)
        return Spread.of(values) if values else None

    def ratios(self, work: str, case: str, base: str, metric: str) -> list[float]:
        """How many times the base's, round by round: what slows a whole round down slows both."""
        pairs = zip(self.values(work, case, metric), self.values(work, base, metric), strict=False)
        return [value / other for value, other in pairs if other]

    def extras(self, work: str, case: str, base: str, metric: str) -> list[float]:
        """How much more than the base's, round by round."""
        pairs = zip(self.values(work, case, metric), self.values(work, base, metric), strict=False)
        return [value - other for value, other in pairs]
