"""A token is renewed early enough for whoever needs it, and no two accounts at the same moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.tokens.lifetime import (
    FOR_KEEPER,
    FOR_QUESTION,
    FOR_REQUEST,
    STAGGER,
    ends_within,
    is_due,
    is_over,
    stagger,
)

NOW = 1_000_000.0


def test_who_can_wait_longer_renews_earlier() -> None:
    assert FOR_KEEPER > FOR_REQUEST > FOR_QUESTION > 0


@pytest.mark.parametrize(
    ("left", "over", "soon"), [(-1.0, True, True), (0.0, True, True), (59.9, False, True), (60.0, False, False)]
)
def test_a_token_is_over_at_its_end_and_ends_soon_before(left: float, over: bool, soon: bool) -> None:
    assert is_over(NOW + left, NOW) is over
    assert ends_within(NOW + left, 60.0, NOW) is soon


def test_a_token_that_does_not_say_when_it_ends_never_does() -> None:
    assert not is_over(None, NOW)
    assert not ends_within(None, 60.0, NOW)
    assert not is_due("a", None, NOW)


@given(st.text(max_size=20))
def test_each_account_has_a_moment_of_its_own(key: str) -> None:
    assert 0 <= stagger(key) < STAGGER
    assert is_due(key, NOW + FOR_KEEPER + stagger(key) - 0.01, NOW)
    assert not is_due(key, NOW + FOR_KEEPER + stagger(key) + 0.01, NOW)
