"""What tokens would have cost."""

import datetime as dt

import pytest

from accounts.ledger.prices import TABLE, ModelPrice, PriceList
from accounts.ledger.records import NO_TOKENS, TokenCount

MILLION = TokenCount(input=1_000_000, cached=400_000, output=100_000, reasoning=50_000)


def test_cached_input_has_a_price_of_its_own_and_reasoning_is_output() -> None:
    assert PriceList().cost("gpt-5", MILLION) == pytest.approx(0.6 * 1.25 + 0.4 * 0.125 + 0.1 * 10)


def test_a_price_that_nobody_has_told_is_unknown() -> None:
    assert PriceList().cost("gpt-5-of-tomorrow", MILLION) is None
    assert PriceList().cost("", MILLION) is None
    assert PriceList().cost("gpt-5-of-tomorrow", NO_TOKENS) == 0


def test_own_prices_go_before_the_table() -> None:
    prices = PriceList({"gpt-5": ModelPrice(1, 1, 1), "mine": ModelPrice(2, 2, 2)})
    assert prices.cost("gpt-5", MILLION) == pytest.approx(1.1)
    assert prices.cost("mine", MILLION) == pytest.approx(2.2)
    assert prices.source("gpt-5") is None


def test_a_dated_snapshot_costs_what_its_model_does() -> None:
    assert PriceList().of("gpt-5-2025-08-07") == PriceList().of("gpt-5")
    assert PriceList().source("gpt-5-2025-08-07") == PriceList().source("gpt-5")


def test_every_price_has_a_date_and_a_place() -> None:
    for price, source in TABLE.values():
        assert dt.date.fromisoformat(source.date)
        assert source.place.startswith("https://")
        assert 0 < price.cached < price.input < price.output
