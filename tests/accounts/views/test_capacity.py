"""What a client can still do is what the account can that has most left."""

from dataclasses import replace

from accounts.choice.selection import Ask, Candidate, Policy
from accounts.views.capacity import pool_windows
from tests.builders import HOUR, NOW, candidate, key_of, rest, window

POLICY = Policy()


def used(*candidates: Candidate) -> list[int]:
    return [round(each.used_percent) for each in pool_windows(candidates, POLICY, NOW)]


def test_the_account_with_most_left_of_its_fullest_window_speaks_for_all() -> None:
    first = candidate("a", windows=(window(99), window(10, minutes=10_080)))
    second = candidate("b", windows=(window(30), window(60, minutes=10_080)))
    assert used(first, second) == [30, 60]


def test_one_that_cannot_serve_does_not_speak() -> None:
    paused = candidate("a", windows=(window(1),))
    paused = replace(paused, account=replace(paused.account, enabled=False))
    assert used(paused, candidate("b", windows=(window(70),))) == [70]


def test_a_window_that_has_been_reset_is_free() -> None:
    assert used(candidate("a", windows=(window(100, resets_in=-HOUR),))) == [0]


def test_a_limit_of_its_own_is_not_the_accounts() -> None:
    assert used(candidate("a", windows=(replace(window(80), family="codex-mini"),))) == []


def test_of_nobody_nothing_is_known() -> None:
    assert used() == []


def test_of_one_that_has_not_been_used_all_is_left() -> None:
    """Of a window, what is known is how long those of others are."""
    (told,) = pool_windows([candidate("a", windows=(window(99),)), candidate("b")], POLICY, NOW)
    assert (told.minutes, told.used_percent, told.resets_at) == (300, 0, NOW + 5 * HOUR)


def test_those_that_who_asks_may_not_use_do_not_speak() -> None:
    mine, other = candidate("a", windows=(window(80),)), candidate("b", windows=(window(1),))
    for ask in (Ask(only=frozenset({key_of("a")})), Ask(pin=key_of("a"))):
        (told,) = pool_windows([mine, other], POLICY, NOW, ask=ask)
        assert told.used_percent == 80


def test_if_nobody_can_serve_it_is_still_nobody_else_who_speaks() -> None:
    mine = candidate("a", windows=(window(100),), cooldown=rest())
    (told,) = pool_windows([mine, candidate("b", windows=(window(1),))], POLICY, NOW, ask=Ask(pin=key_of("a")))
    assert told.used_percent == 100


def test_another_limit_has_its_own_best_account() -> None:
    spent, fresh = (
        candidate(name, windows=(replace(window(used), family="mini"),)) for name, used in (("a", 90), ("b", 3))
    )
    (told,) = pool_windows([spent, fresh], POLICY, NOW, family="mini")
    assert (told.family, told.used_percent) == ("mini", 3)
