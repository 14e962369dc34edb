"""What the ledger shows."""

import json
from dataclasses import replace

import pytest

from accounts.ledger.prices import PriceList
from accounts.ledger.queries import Grouping, LostTurns, UsageCell, UsageQuery
from accounts.ledger.records import TokenCount, TurnKind, TurnOutcome
from accounts.views.usage import UsageView, summed, usage_data, usage_view

PRICES = PriceList()
TOKENS = TokenCount(input=1_000_000, cached=500_000, output=100_000, reasoning=10)
CELLS = (
    UsageCell(group="A", shown="old name", model="gpt-5", turns=3, attempts=4, rotations=1, tokens=TOKENS, last=1.0),
    UsageCell(group="A", shown="name", model="unheard-of", turns=2, tokens=TOKENS, floors=1, cold=7, last=2.0),
    UsageCell(group="A", model="gpt-5", kind=TurnKind.WARM_UP, turns=5, last=3.0),
    UsageCell(group="B", shown="b", model="gpt-5", outcome=TurnOutcome.REFUSED, rule="tokens", turns=4, last=4.0),
)


def view(by: Grouping = Grouping.ACCOUNT, prices: PriceList | None = PRICES) -> UsageView:
    return usage_view(CELLS, UsageQuery(by=by), prices, "UTC", LostTurns())


def test_a_group_has_the_name_that_it_had_last_and_who_took_most_comes_first() -> None:
    assert [(each.group, each.shown) for each in view().groups] == [("A", "name"), ("B", "b")]


def test_days_are_in_the_order_of_time() -> None:
    cells = [UsageCell(group=day, tokens=TokenCount(input=int(day[-1]))) for day in ("2026-01-02", "2026-01-01")]
    found = usage_view(cells, UsageQuery(by=Grouping.DAY), None, "UTC", LostTurns())
    assert [each.group for each in found.groups] == ["2026-01-01", "2026-01-02"]


def test_a_warm_up_is_no_turn() -> None:
    first = view().groups[0]
    assert (first.turns, first.warm_ups) == (5, 5)


def test_all_together() -> None:
    total = view().total
    assert (total.turns, total.refused, total.rotations, total.cold, total.floors) == (9, 4, 1, 7, 1)
    assert (total.tokens.input, total.cached_percent) == (2_000_000, 50.0)
    assert view().rules == {"tokens": 4}


def test_a_price_that_is_unknown_is_no_part_of_the_cost() -> None:
    total = view().total
    assert total.cost == pytest.approx(0.5 * 1.25 + 0.5 * 0.125 + 0.1 * 10)
    assert total.unpriced == {"unheard-of": 1_100_000}
    assert [each.date for each in view().sources or ()] == ["2026-05-05"]


def test_nothing_is_said_of_prices_where_nobody_wants_to_know() -> None:
    found = view(prices=None)
    assert (found.total.cost, found.sources) == (None, None)
    assert usage_data(found)["prices_from"] is None


def test_without_input_nothing_was_cached() -> None:
    assert summed([], None).cached_percent is None


def test_it_is_told_to_programs() -> None:
    told = json.loads(json.dumps(usage_data(view())))
    assert told["groups"][0]["name"] == "name"
    assert told["total"]["refused"] == 4
    assert told["refused_by"] == [{"rule": "tokens", "turns": 4}]
    assert told["total"].keys() <= told["groups"][0].keys()


def test_a_rule_is_not_counted_for_what_nobody_asked() -> None:
    """A refused warm-up is no turn."""
    refused = UsageCell(group="b", outcome=TurnOutcome.REFUSED, rule="turns", turns=2)
    cells = [refused, replace(refused, kind=TurnKind.WARM_UP, turns=5)]
    assert usage_view(cells, UsageQuery(), None, "UTC", LostTurns()).rules == {"turns": 2}
