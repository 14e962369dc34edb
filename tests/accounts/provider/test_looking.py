"""Accounts out of service are looked at again: slowly, one at a time, never in step, and never in vain."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.selection import Candidate
from accounts.model import LooksTaken, Standing
from accounts.provider.looking import APART, FIRST_LOOK, LAST_LOOK, SPREAD, NextLook, next_look, wait_of
from tests.builders import DAY, HOUR, NOW, account, credentials, key_of

A, B = key_of("a"), key_of("b")
LATER = NOW + 10 * DAY


def candidates(*names: str, **changes: Any) -> list[Candidate]:
    return [Candidate(account=account(name, **{"standing": Standing.DEACTIVATED, **changes})) for name in names]


def logins(*names: str, **changes: Any) -> dict[str, Any]:
    return {key_of(name): credentials(name, **changes) for name in names}


def test_an_account_that_is_marked_is_waited_for_first() -> None:
    assert next_look(candidates("a"), logins("a"), {}, NOW) == NextLook(A, None)
    assert next_look(candidates("a"), logins("a"), {A: LooksTaken(times=0, at=NOW)}, NOW + FIRST_LOOK - 1) is None
    waited = {A: LooksTaken(times=0, at=NOW)}
    assert next_look(candidates("a"), logins("a"), waited, NOW + FIRST_LOOK * (1 + SPREAD)) == NextLook(A, waited[A])


@given(st.text(max_size=9), st.integers(0, 99))
def test_the_wait_doubles_up_to_a_day_and_is_a_bit_longer_for_each(key: str, times: int) -> None:
    base = min(LAST_LOOK, FIRST_LOOK * 2.0**times)
    assert base <= wait_of(key, times) <= base * (1 + SPREAD)


def test_no_two_accounts_are_in_step() -> None:
    assert len({round(wait_of(f"acct:{n}", 0)) for n in range(20)}) > 15


def test_one_at_a_time_and_the_longest_due_first() -> None:
    known = {A: LooksTaken(times=1, at=NOW - 2 * DAY), B: LooksTaken(times=1, at=NOW - 3 * DAY)}
    assert next_look(candidates("a", "b"), logins("a", "b"), known, NOW) == NextLook(B, known[B])
    known[B] = LooksTaken(times=2, at=NOW)
    assert next_look(candidates("a", "b"), logins("a", "b"), known, NOW + APART - 1) is None
    assert next_look(candidates("a", "b"), logins("a", "b"), known, NOW + APART) == NextLook(A, known[A])


@pytest.mark.parametrize("changes", [{"standing": Standing.GOOD}, {"enabled": False}])
def test_who_is_not_marked_or_is_paused_is_left_alone(changes: dict[str, Any]) -> None:
    assert next_look(candidates("a", **changes), logins("a"), {A: LooksTaken(times=0, at=NOW)}, LATER) is None


@pytest.mark.parametrize("standing", [Standing.NEEDS_LOGIN, Standing.DEACTIVATED])
@pytest.mark.parametrize(
    ("login", "asked"),
    [
        ({}, True),
        ({"expires_at": NOW}, True),
        ({"ended": "invalid_grant", "expires_at": LATER + HOUR}, True),
        ({"ended": "invalid_grant", "expires_at": NOW}, False),
        ({"ended": "cut_off", "access": ""}, False),
        ({"refresh": "", "expires_at": NOW}, False),
    ],
)
def test_a_token_that_is_known_to_be_spent_is_never_sent_for_it(
    standing: Standing, login: dict[str, Any], asked: bool
) -> None:
    found = next_look(candidates("a", standing=standing), logins("a", **login), {A: LooksTaken(times=0, at=NOW)}, LATER)
    assert (found is not None) == asked


def test_an_account_without_a_login_is_not_asked_for() -> None:
    assert next_look(candidates("a"), {}, {}, NOW) is None


def test_a_clock_that_was_set_back_does_not_put_a_look_off_for_years() -> None:
    known = {A: LooksTaken(times=1, at=LATER)}
    assert next_look(candidates("a"), logins("a"), known, NOW) == NextLook(A, known[A])
