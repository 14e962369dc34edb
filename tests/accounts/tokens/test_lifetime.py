"""A token is renewed early enough for whoever needs it, and no two accounts at the same moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.tokens.claims import Claims
from accounts.tokens.lifetime import (
    FOR_KEEPER,
    FOR_QUESTION,
    FOR_REQUEST,
    STAGGER,
    ends_at,
    ends_within,
    is_due,
    is_fresh,
    is_over,
    leads,
    serves_until,
    stagger,
    wants_renewal,
)
from tests.builders import DAY, HOUR, NOW, credentials
from tests.rows import all_rows


def test_who_can_wait_longer_renews_earlier() -> None:
    assert FOR_KEEPER > FOR_REQUEST > FOR_QUESTION > 0


@all_rows(("left", "over", "soon"), [(-1.0, True, True), (0.0, True, True), (59.9, False, True), (60.0, False, False)])
def test_a_token_is_over_at_its_end_and_ends_soon_before(left: float, over: bool, soon: bool) -> None:
    assert is_over(NOW + left, NOW) is over
    assert ends_within(NOW + left, 60.0, NOW) is soon


def test_a_token_that_does_not_say_when_it_ends_never_does() -> None:
    assert not is_over(None, NOW)
    assert not ends_within(None, 60.0, NOW)
    assert not is_due("a", credentials(), NOW)
    assert not wants_renewal(credentials(), NOW)


@given(st.text(max_size=20))
def test_each_account_has_a_moment_of_its_own(key: str) -> None:
    assert 0 <= stagger(key) < STAGGER
    assert is_due(key, credentials(expires_at=NOW + FOR_KEEPER + stagger(key) - 0.01), NOW)
    assert not is_due(key, credentials(expires_at=NOW + FOR_KEEPER + stagger(key) + 0.01), NOW)


@given(st.floats(60, 10 * HOUR), st.text(max_size=9))
def test_a_short_token_is_used_until_near_its_end(lives: float, key: str) -> None:
    """The leads are in proportion, and in the same order: the keeper, then a request, then a question."""
    login = credentials(refreshed_at=NOW, expires_at=NOW + lives)
    early = leads(login)
    assert FOR_KEEPER >= early.keeper > early.request > early.question or lives < 240
    assert early.keeper + early.stagger <= lives / 2
    assert not is_due(key, login, NOW + lives / 2 - 1)
    assert not wants_renewal(login, NOW + lives * 0.8)
    assert wants_renewal(login, NOW + lives)
    assert is_due(key, login, NOW + lives)


@all_rows(("lives", "lead"), [(240.0, 30.0), (60.0, 7.5), (2400.0, 300.0), (10 * HOUR, FOR_REQUEST)])
def test_how_long_before_its_end_a_request_renews_a_token(lives: float, lead: float) -> None:
    login = credentials(refreshed_at=NOW, expires_at=NOW + lives)
    assert not wants_renewal(login, NOW + lives - lead - 0.01)
    assert wants_renewal(login, NOW + lives - lead + 0.01)


def test_a_token_that_seems_over_as_soon_as_it_is_there_is_used_all_the_same() -> None:
    """Our clock may be ahead: it is no reason to renew with each request."""
    login = credentials(refreshed_at=NOW, expires_at=NOW - HOUR)
    assert not wants_renewal(login, NOW + 29)
    assert wants_renewal(login, NOW + 31)
    assert wants_renewal(credentials(refreshed_at=NOW, expires_at=0.0), NOW)  # it was refused


@pytest.mark.parametrize("lacks", [{"ended": "invalid_grant"}, {"refresh": ""}])
def test_one_that_nothing_renews_is_used_to_its_end(lacks: dict[str, str]) -> None:
    login = credentials(expires_at=NOW + 10, **lacks)
    assert not is_due("a", login, NOW)
    assert not wants_renewal(login, NOW)
    assert wants_renewal(login, NOW + 10)
    assert (serves_until(login, NOW), serves_until(login, NOW + 10)) == (NOW + 10, None)
    assert serves_until(credentials(expires_at=NOW + 10), NOW) is None


def test_what_counts_as_new_depends_on_how_long_it_lives() -> None:
    assert is_fresh(credentials(refreshed_at=NOW, expires_at=NOW + HOUR), NOW + 299)
    assert not is_fresh(credentials(refreshed_at=NOW, expires_at=NOW + 240), NOW + 61)


@all_rows(
    ("issued", "expires", "ends"),
    [
        (NOW - 5, NOW + HOUR, NOW + HOUR),
        (NOW - DAY, NOW + HOUR, NOW + HOUR),
        (NOW - 30 * DAY, NOW - 30 * DAY + HOUR, NOW + HOUR),
        (NOW + 30 * DAY, NOW + 30 * DAY + HOUR, NOW + HOUR),
        (NOW - HOUR, NOW - HOUR, NOW - HOUR),
        (None, NOW - HOUR, NOW - HOUR),
        (NOW, None, None),
    ],
)
def test_a_new_token_lasts_as_long_as_it_was_made_to_whatever_our_clock_says(
    issued: float | None, expires: float | None, ends: float | None
) -> None:
    assert ends_at(Claims(issued_at=issued, expires_at=expires), NOW) == ends
    assert ends_at(None, NOW) is None


def test_a_token_that_was_renewed_in_a_time_to_come_is_not_fresh() -> None:
    assert not is_fresh(credentials("a", refreshed_at=NOW + 30 * DAY), NOW)
