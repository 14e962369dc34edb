"""A brake goes on when several accounts fail within a short time, and off again by itself or by a success."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.circuit_breaker import CircuitBreaker
from tests.builders import NOW


def brake(most: int = 3, within: float = 10.0, hold: float = 20.0) -> CircuitBreaker:
    return CircuitBreaker(most=most, within=within, hold=hold)


def recorded(one: CircuitBreaker, *failures: tuple[str, float]) -> list[bool]:
    """What each failure says: an account, and how many seconds from now."""
    return [one.record(key, NOW + seconds) for key, seconds in failures]


def test_a_new_brake_is_off() -> None:
    assert not brake().on(NOW)


def test_it_goes_on_with_the_last_of_so_many_accounts() -> None:
    assert recorded(brake(), ("a", 0), ("b", 1), ("c", 2), ("d", 3)) == [False, False, True, True]


def test_the_same_account_counts_once() -> None:
    assert recorded(brake(), ("a", 0), ("a", 1), ("b", 2), ("b", 3), ("a", 4), ("c", 5)) == [False] * 5 + [True]


@pytest.mark.parametrize(("third", "on"), [(9.9, True), (10.0, False), (15.0, False)])
def test_only_failures_that_follow_each_other_closely_count_together(third: float, on: bool) -> None:
    assert recorded(brake(), ("a", 0), ("b", 1), ("c", third))[-1] is on


def test_an_account_that_fails_again_counts_by_its_latest_failure() -> None:
    assert recorded(brake(), ("a", 0), ("b", 8), ("a", 9), ("c", 17)) == [False, False, False, True]


@pytest.mark.parametrize(("seconds", "on"), [(0, True), (19.9, True), (20, False), (99, False)])
def test_it_holds_for_its_time_and_not_longer(seconds: float, on: bool) -> None:
    one = brake()
    recorded(one, ("a", 0), ("b", 0), ("c", 0))
    assert one.on(NOW + seconds) is on


def test_trouble_that_goes_on_holds_it_on() -> None:
    one = brake()
    recorded(one, ("a", 0), ("b", 0), ("c", 0), ("d", 5))
    assert one.on(NOW + 24.9)
    assert not one.on(NOW + 25)


def test_a_single_failure_while_it_is_on_does_not_prolong_it() -> None:
    one = brake()
    assert recorded(one, ("a", 0), ("b", 0), ("c", 0), ("d", 15))[-1]
    assert not one.on(NOW + 20)


def test_releasing_ends_it_and_forgets_the_failures() -> None:
    one = brake()
    recorded(one, ("a", 0), ("b", 0), ("c", 0))
    one.release()
    assert not one.on(NOW)
    assert recorded(one, ("d", 1), ("e", 1), ("f", 1)) == [False, False, True]


FAILURES = st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 8)), max_size=20)


@given(steps=FAILURES, most=st.integers(1, 4))
def test_it_is_on_exactly_while_the_last_time_of_trouble_is_recent(steps: list[tuple[str, float]], most: int) -> None:
    """Against the plain definition: some moment within `hold` had `most` accounts fail in the `within` before it."""
    one, now, failures = brake(most), NOW, list[tuple[float, str]]()
    for key, seconds in steps:
        now += seconds
        failures.append((now, key))
        troubled = [
            at
            for at, _ in failures
            if len({failed for when, failed in failures if at - one.within < when <= at}) >= most
        ]
        assert one.record(key, now) is one.on(now) is any(now < at + one.hold for at in troubled)
