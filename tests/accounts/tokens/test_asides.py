"""An account whose renewed token is refused at once is left alone, for longer each time."""

from accounts.tokens.asides import Asides
from accounts.tokens.schedule import FIRST_ASIDE, LAST_ASIDE
from tests.builders import DAY, HOUR, NOW, credentials

NEW = credentials("new", refreshed_at=NOW, expires_at=NOW + 10 * HOUR)


def test_the_first_refusal_is_for_a_renewal() -> None:
    """Of a token as it was stored, however new it is, and of one that has worked for a while."""
    asides = Asides()
    assert asides.refused("a", NEW, NOW) is None
    asides.renewed("a", NEW)
    assert asides.refused("a", NEW, NOW + HOUR) is None
    assert asides.refused("b", NEW, NOW) is None


def test_the_second_one_sets_the_account_aside() -> None:
    asides = Asides()
    asides.renewed("a", NEW)
    assert asides.refused("a", NEW, NOW + 60) == NOW + 60 + FIRST_ASIDE


def test_each_time_is_longer_up_to_a_day_and_a_good_while_is_a_new_beginning() -> None:
    asides, now, waits = Asides(), NOW, []
    for _ in range(9):
        new = credentials("new", refreshed_at=now, expires_at=now + 10 * HOUR)
        asides.renewed("a", new)
        until = asides.refused("a", new, now)
        assert until is not None
        waits.append(until - now)
        now = until
    assert waits[:3] == [FIRST_ASIDE, 2 * FIRST_ASIDE, 4 * FIRST_ASIDE]
    assert waits[-1] == LAST_ASIDE
    new = credentials("new", refreshed_at=now + 2 * DAY, expires_at=now + 3 * DAY)
    asides.renewed("a", new)
    assert asides.refused("a", new, now + 2 * DAY) == now + 2 * DAY + FIRST_ASIDE


def test_several_requests_that_are_refused_at_once_count_once() -> None:
    asides = Asides()
    asides.renewed("a", NEW)
    first = asides.refused("a", NEW, NOW)
    assert asides.refused("a", NEW, NOW + 1) == first


def test_no_token_is_shown() -> None:
    asides = Asides()
    asides.renewed("a", NEW)
    assert NEW.access not in repr(asides)
