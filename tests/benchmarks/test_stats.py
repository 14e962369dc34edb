"""Numbers are combined round by round, and a verdict says when the noise leaves it open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.stats import Book, Spread, percentile


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([7], 0.99, 7), ([1, 2], 0.5, 1.5), ([3, 1, 2], 0, 1), ([3, 1, 2], 1, 3), (range(101), 0.99, 99)],
)
def test_percentiles(values, share, found):
    assert percentile(values, share) == found


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.floats(0, 1))
def test_a_percentile_lies_within_the_values(values, share):
    slack = 1e-6 * max(map(abs, values))
    assert min(values) - slack <= percentile(values, share) <= max(values) + slack


@pytest.mark.parametrize(
    ("values", "limit", "verdict"),
    [
        ([1.0, 1.05, 1.08], 1.10, "held"),
        ([1.0, 1.05, 1.40], 1.10, "held, within noise"),
        ([1.0, 1.12, 1.14], 1.10, "failed, within noise"),
        ([1.2, 1.3, 1.4], 1.10, "failed"),
        ([1.10], 1.10, "held"),
    ],
)
def test_a_verdict_says_when_the_noise_leaves_it_open(values, limit, verdict):
    assert Spread.of(values).verdict(limit) == verdict


def test_a_least_is_reached_from_above():
    assert Spread.of([5.0]).verdict(5, least=True) == "held"
    assert Spread.of([4.9]).verdict(5, least=True) == "failed"


def test_comparisons_are_made_within_a_round():
    """A round in which everything is twice as slow changes no ratio."""
    book = Book()
    for slow in (1, 2, 1):
        book.add("turns", "plain", {"ms": 10.0 * slow})
        book.add("turns", "ours", {"ms": 11.0 * slow})
    assert book.ratios("turns", "ours", "plain", "ms") == [1.1, 1.1, 1.1]
    assert book.extras("turns", "ours", "plain", "ms") == [1, 2, 1]


def test_what_was_not_measured_is_nothing():
    book = Book()
    assert book.values("turns", "ours", "ms") == []
    assert book.spread("turns", "ours", "ms") is None
    assert book.ratios("turns", "ours", "plain", "ms") == []
