"""What tokens would have cost at the provider's API: a dated table, to which a user's own prices come. Pure.

Subscriptions are not billed by tokens; this is a comparison and nobody's invoice. What is not in the table is unknown,
and said to be: no price is ever guessed from a similar name.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from accounts.ledger.records import TokenCount
from config.provider import PROVIDER

PER: Final = 1_000_000
_SNAPSHOT: Final = re.compile(r"-\d{4}-\d\d-\d\d$")
"""The date at the end of a model's name, of one that is the same by its price."""


class ModelPrice(NamedTuple):
    """US dollars for a million tokens at the standard tier; `cached` is for input that was cached."""

    input: float
    cached: float
    output: float


class PriceSource(NamedTuple):
    """Since when prices are known, or when they were read (ISO date), and where."""

    date: str
    place: str


PAGE: Final = PROVIDER.prices_page
READ_2026_05: Final = PriceSource("2026-05-05", f"{PAGE}, as quoted in public comparisons of that month")
READ_2026_06: Final = PriceSource("2026-06-01", f"{PAGE}, as quoted in public price tables of that month")
READ_2026_09: Final = PriceSource("2026-09-22", f"{PAGE}, as quoted in public price tables; up to 272k tokens of input")

TABLE: Final[Mapping[str, tuple[ModelPrice, PriceSource]]] = {
    "gpt-5": (ModelPrice(1.25, 0.125, 10.0), READ_2026_05),
    "gpt-5-mini": (ModelPrice(0.25, 0.025, 2.0), READ_2026_06),
    "gpt-5-codex": (ModelPrice(1.25, 0.125, 10.0), READ_2026_05),
    "gpt-5.1-codex": (ModelPrice(1.25, 0.125, 10.0), READ_2026_05),
    "gpt-5.1-codex-max": (ModelPrice(1.25, 0.125, 10.0), READ_2026_05),
    "gpt-5.2": (ModelPrice(1.75, 0.175, 14.0), READ_2026_06),
    "gpt-5.2-codex": (ModelPrice(1.75, 0.175, 14.0), READ_2026_05),
    "gpt-5.3-codex": (ModelPrice(1.75, 0.175, 14.0), READ_2026_05),
    "gpt-5.4": (ModelPrice(2.5, 0.25, 15.0), READ_2026_06),
    "gpt-5.4-mini": (ModelPrice(0.75, 0.075, 4.5), READ_2026_06),
    "gpt-5.5": (ModelPrice(5.0, 0.5, 30.0), READ_2026_06),
    "gpt-6-sol": (ModelPrice(2.0, 0.2, 10.0), READ_2026_09),
    "gpt-6-luna": (ModelPrice(0.1, 0.01, 0.5), READ_2026_09),
}


class PriceList:
    """The table, with the user's own prices before it."""

    def __init__(self, own: Mapping[str, ModelPrice] | None = None) -> None:
        self._own = dict(own or {})

    @classmethod
    def with_own(cls, told: Mapping[str, tuple[float, float, float]]) -> Self:
        """With the prices of the settings before it: input, cached input and output, by model."""
        return cls({model: ModelPrice(*each) for model, each in told.items()})

    def of(self, model: str) -> ModelPrice | None:
        """None for a model whose price nobody has told."""
        return self._told(model)[0]

    def source(self, model: str) -> PriceSource | None:
        """None for the user's own, and for what is unknown."""
        return self._told(model)[1]

    def _told(self, model: str) -> tuple[ModelPrice | None, PriceSource | None]:
        for name in (model, _SNAPSHOT.sub("", model)):
            if name in self._own:
                return self._own[name], None
            if name in TABLE:
                return TABLE[name]
        return None, None

    def cost(self, model: str, tokens: TokenCount) -> float | None:
        """US dollars; None if the price is unknown and there is anything to pay for."""
        if tokens.total == 0:
            return 0.0
        price = self.of(model)
        if price is None:
            return None
        fresh = max(0, tokens.input - tokens.cached)
        return (fresh * price.input + tokens.cached * price.cached + tokens.output * price.output) / PER
