"""Whose token is renewed before anybody needs it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.selection import Candidate
from accounts.model import Standing
from accounts.tokens.lifetime import FOR_KEEPER, STAGGER, stagger
from accounts.tokens.schedule import (
    FIRST_ASIDE,
    FIRST_RETRY,
    LAST_ASIDE,
    LAST_RETRY,
    SOON,
    Retries,
    aside_for,
    at_their_end,
    next_due,
    next_look,
    retry_after,
)
from tests.builders import DAY, HOUR, NOW, account, credentials, key_of

A, B = key_of("a"), key_of("b")


def due(ends: dict[str, float | None], not_before: dict[str, float] | None = None, **changes: Any) -> str | None:
    candidates = [Candidate(account=account(name, **changes)) for name in ends]
    tokens = {key_of(name): credentials(name, expires_at=end and NOW + end) for name, end in ends.items()}
    return next_due(candidates, tokens, not_before or {}, NOW)


def test_the_token_that_ends_first_is_first() -> None:
    assert due({"a": 600.0, "b": 300.0}) == B
    assert due({"a": -60.0, "b": 300.0}) == A


@pytest.mark.parametrize("left", [FOR_KEEPER + STAGGER, 2 * HOUR, None])
def test_a_token_that_lasts_or_does_not_say_is_left_alone(left: float | None) -> None:
    assert due({"a": left}) is None


@pytest.mark.parametrize(
    "changes", [{"enabled": False}, {"standing": Standing.NEEDS_LOGIN}, {"standing": Standing.DEACTIVATED}]
)
def test_nothing_is_renewed_for_an_account_that_does_not_serve(changes: dict[str, Any]) -> None:
    assert due({"a": 60.0}, **changes) is None


def test_an_account_without_tokens_has_nothing_to_renew() -> None:
    assert next_due([Candidate(account=account("a"))], {}, {}, NOW) is None


def test_after_a_failure_the_others_come_first() -> None:
    assert due({"a": 60.0, "b": 300.0}, {A: NOW + 1}) == B
    assert due({"a": 60.0, "b": 300.0}, {A: NOW}) == A


@given(st.text(min_size=1))
def test_every_account_has_a_moment_of_its_own_that_does_not_move(key: str) -> None:
    assert 0 <= stagger(key) < STAGGER
    assert stagger(key) == stagger(key)


def test_siblings_are_renewed_at_different_times() -> None:
    assert len({round(stagger(f"acct:user-{n}")) for n in range(20)}) > 15


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_retries_come_ever_later_up_to_half_an_hour(failures: int, chance: float) -> None:
    assert FIRST_RETRY / 2 <= retry_after(failures, chance) <= LAST_RETRY
    assert retry_after(failures, chance) <= retry_after(failures + 1, chance)


@pytest.mark.parametrize(("lives", "seconds"), [(30.0, 15.0), (HOUR, HOUR / 2), (-5.0, 60.0)])
def test_a_short_lived_token_is_not_renewed_in_a_loop(lives: float, seconds: float) -> None:
    assert next_look(credentials(expires_at=NOW + lives), NOW) == NOW + seconds


def test_an_account_whose_last_token_is_over_needs_a_login() -> None:
    """And none that may be renewed, still serves, is paused or marked already."""
    seats = [
        Candidate(account=account("a")),
        Candidate(account=account("b")),
        Candidate(account=account("c")),
        Candidate(account=account("d", enabled=False)),
        Candidate(account=account("e", standing=Standing.DEACTIVATED)),
    ]
    tokens = {
        A: credentials("a", expires_at=NOW, ended="invalid_grant"),
        B: credentials("b", expires_at=NOW + 1, ended="invalid_grant"),
        key_of("c"): credentials("c", expires_at=NOW),
        key_of("d"): credentials("d", expires_at=NOW, ended="invalid_grant"),
        key_of("e"): credentials("e", expires_at=NOW, ended="invalid_grant"),
    }
    assert at_their_end(seats, tokens, NOW) == [A]
    assert next_due(seats, {A: tokens[A], B: tokens[B]}, {}, NOW) is None


def test_a_failed_renewal_is_tried_later_and_sooner_when_nothing_else_serves() -> None:
    retries = Retries()
    assert not retries.must_wait(A, NOW, needed=False)
    for _ in range(9):
        retries.failed(A, NOW)
    assert retries.not_before[A] > NOW + 500
    assert retries.must_wait(A, NOW + 500, needed=False)
    assert retries.must_wait(A, NOW + SOON - 1, needed=True)
    assert not retries.must_wait(A, NOW + SOON, needed=True)
    assert not retries.must_wait(B, NOW, needed=False)


def test_one_that_works_ends_the_waiting() -> None:
    retries = Retries()
    retries.failed(A, NOW)
    retries.worked(A, credentials(expires_at=NOW + HOUR), NOW)
    assert not retries.must_wait(A, NOW, needed=False)
    assert retries.not_before[A] == NOW + HOUR / 2


def test_an_account_is_set_aside_for_longer_each_time() -> None:
    assert [aside_for(times) for times in (1, 2, 3)] == [FIRST_ASIDE, 2 * FIRST_ASIDE, 4 * FIRST_ASIDE]
    assert aside_for(99) == LAST_ASIDE == DAY
