"""Close to the pool's limits, who has had least comes first; before that nobody waits."""

from accounts.model import Standing
from accounts.people.fair_share import Claim, PoolLevel, is_next, level
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, candidate, window


def claim(number: int, *, over: bool = False, priority: int = 0, had: float = 0.0, since: float = NOW) -> Claim:
    return Claim(over, -priority, had, since, number)


def test_the_order_of_those_who_wait() -> None:
    """Within their budgets before those over soft ones, then priority, then who has had least, then who came first."""
    first, late = claim(6, priority=5, had=900), claim(1, since=NOW + 1)
    early, had_more, over = claim(2), claim(3, had=7), claim(4, over=True, priority=9)
    assert sorted([over, had_more, late, early, first]) == [first, early, late, had_more, over]


def test_as_many_go_on_as_there_are_places() -> None:
    waiting = [claim(1, had=1), claim(2, had=2)]
    assert not is_next(claim(3, had=3), waiting, 2)
    assert is_next(claim(3, had=3), waiting, 3)
    assert is_next(claim(3, had=0), waiting, 1)
    assert not is_next(claim(3), waiting, 0)
    assert is_next(claim(3), [], 1)
    assert not is_next(claim(3), [], -2)


def test_the_scarcest_window_counts_by_the_size_of_accounts() -> None:
    """A pro account is ten of plus."""
    pro = candidate("a", plan="pro", windows=(window(50), window(10, DAY, minutes=WEEK_MINUTES)))
    plus = candidate("b", plan="plus", windows=(window(94, 2 * HOUR), window(10, DAY, minutes=WEEK_MINUTES)))
    found = level([pro, plus], NOW)
    assert found == PoolLevel(300, (10 * 50 + 94) / 11, NOW + HOUR, 2)
    assert not found.is_close


def test_accounts_that_serve_nothing_anyway_do_not_count() -> None:
    spent = candidate("a", windows=(window(100),))
    away = [
        candidate("b", enabled=False, windows=(window(0),)),
        candidate("c", standing=Standing.NEEDS_LOGIN, windows=(window(0),)),
        candidate("d", has_tokens=False, windows=(window(0),)),
        candidate("e", windows=(window(0, family="other"),)),
    ]
    found = level([spent, *away[:3]], NOW)
    assert found == PoolLevel(300, 100.0, NOW + HOUR, 0)
    assert found.is_close
    assert level(away, NOW) is None


def test_a_window_that_was_reset_is_free() -> None:
    assert level([candidate("a", windows=(window(100, -1),))], NOW) == PoolLevel(300, 0.0, None, 1)
