"""What a client can still do is what the account can that has most left."""

from dataclasses import replace

from accounts.choice.selection import Candidate, Policy
from accounts.views.capacity import pool_windows
from tests.builders import HOUR, NOW, candidate, window

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
