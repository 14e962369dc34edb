"""Close to the pool's limits, who has had least comes first; before that nobody waits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.model import Standing
from accounts.people.fair_share import LAST_SECONDS, Claim, PoolLevel, fair_level, held, level
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, candidate, window

CLOSE = PoolLevel(300, 90.0, NOW + HOUR)


@pytest.mark.parametrize(
    ("had", "rest", "most"),
    [
        ([0, 0], 10, 5),
        ([0, 100], 10, 10),
        ([0, 6, 100], 10, 8),
        ([5, 5, 5], 0, 5),
        ([3, 9], 0, 3),
        ([7], 2, 9),
        ([], 5, 0),
    ],
)
def test_what_is_left_fills_the_lowest_first(had: list[float], rest: float, most: float) -> None:
    assert fair_level(had, rest) == most


@given(had=st.lists(st.integers(0, 10**9), min_size=1, max_size=50), rest=st.integers(0, 10**9))
def test_all_that_is_left_is_shared_out_and_no_more(had: list[int], rest: int) -> None:
    most = fair_level(had, rest)
    assert most >= min(had)
    assert sum(max(0.0, most - each) for each in had) == pytest.approx(rest, abs=1e-3)


def test_who_has_had_more_than_the_level_waits() -> None:
    """900 of 1,000 are used: what is left brings ann and bob to 150 each."""
    claims = [Claim("ann", 100), Claim("bob", 100), Claim("eve", 700)]
    assert held(claims, CLOSE, 900, NOW) == {"eve"}
    assert held([*claims, Claim("zoe", 155)], CLOSE, 900, NOW) == {"eve", "zoe"}


def test_nobody_waits_for_people_who_are_not_there() -> None:
    assert held([Claim("eve", 700)], CLOSE, 900, NOW) == frozenset()
    assert held([], CLOSE, 900, NOW) == frozenset()


def test_priority_comes_before_what_they_have_had_and_a_soft_budget_last() -> None:
    claims = [Claim("ann", 0), Claim("bob", 600, priority=5), Claim("eve", 0, priority=9, over=True)]
    assert held(claims, CLOSE, 900, NOW) == {"ann", "eve"}
    assert held(claims[2:], CLOSE, 900, NOW) == frozenset()


def test_while_there_is_plenty_or_a_window_is_about_to_begin_anew_nobody_waits() -> None:
    claims = [Claim("ann", 0), Claim("eve", 700)]
    assert held(claims, CLOSE._replace(used_percent=89.9), 900, NOW) == frozenset()
    assert held(claims, CLOSE._replace(resets_at=NOW + LAST_SECONDS), 900, NOW) == frozenset()
    assert held(claims, CLOSE._replace(resets_at=None), 900, NOW) == {"eve"}
    assert held(claims, CLOSE._replace(used_percent=100.0), 900, NOW) == {"eve"}


def test_equals_do_not_wait_for_each_other() -> None:
    assert held([Claim("ann", 0), Claim("eve", 0)], CLOSE, 0, NOW) == frozenset()


def test_the_scarcest_window_counts_by_the_size_of_accounts() -> None:
    """A pro account is ten of plus."""
    pro = candidate("a", plan="pro", windows=(window(50), window(10, DAY, minutes=WEEK_MINUTES)))
    plus = candidate("b", plan="plus", windows=(window(94, 2 * HOUR), window(10, DAY, minutes=WEEK_MINUTES)))
    found = level([pro, plus], NOW)
    assert found is not None
    assert found == (300, pytest.approx((10 * 50 + 94) / 11), NOW + HOUR)
    assert not found.is_close


def test_accounts_that_serve_nothing_anyway_do_not_count() -> None:
    spent = candidate("a", windows=(window(100),))
    away = [
        candidate("b", enabled=False, windows=(window(0),)),
        candidate("c", standing=Standing.NEEDS_LOGIN, windows=(window(0),)),
        candidate("d", has_tokens=False, windows=(window(0),)),
        candidate("e", windows=(window(0, family="other"),)),
    ]
    found = level([spent, *away], NOW)
    assert found == PoolLevel(300, 100.0, NOW + HOUR)
    assert found.is_close
    assert level(away, NOW) is None


def test_a_window_that_was_reset_is_free() -> None:
    assert level([candidate("a", windows=(window(100, -1),))], NOW) == PoolLevel(300, 0.0, None)
