"""What is ahead at the present pace: of one window, of an account, of the pool."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.quota import Window
from accounts.choice.selection import Candidate, Policy
from accounts.forecast import LEAST_PASSED, MOST_CHANGES, Course, Forecast, Outlook, Prospect, course, forecast
from accounts.model import Account, Cooldown, Standing
from tests.builders import DAY, HOUR, NOW, WEEK_MINUTES, about, candidate, key_of, rest, window
from tests.rows import all_rows

HALF = 2.5 * HOUR
"""What is left of a 5-hour window after half of it."""


def ahead(*candidates: Candidate, **changes: Any) -> Forecast:
    return forecast(candidates, about(**changes))


def of(found: Forecast, label: str = "a") -> Prospect:
    return next(each for each in found.prospects if each.account.label == label)


def outlooks(found: Prospect) -> tuple[str, str, str]:
    return str(found.now), str(found.next_hour), str(found.until_reset)


def running(used: float, resets_in: float | None = HALF, **changes: Any) -> Course:
    found = course(window(used, resets_in, **changes), 100.0, NOW)
    assert found is not None
    return found


# --- one window ------------------------------------------------------------------------------------------------------


def test_the_pace_is_the_average_since_the_window_began() -> None:
    """40 % in two and a half hours are 16 % an hour: the rest lasts longer than the window."""
    found = running(40)
    assert (found.pace, found.passed, found.full_at) == (16.0, HALF, None)
    assert found.used_at(NOW + HOUR, NOW) == 56.0
    assert found.used_at(NOW + HALF, NOW) == 0.0


def test_a_window_that_fills_up_before_its_reset() -> None:
    """80 % in half of the time: the other 20 last for an eighth of the whole."""
    assert running(80).full_at == NOW + HALF / 4
    assert running(100).full_at == NOW


def test_the_first_minutes_are_no_pace_yet() -> None:
    """What was used then counts as if a twentieth of the window had passed; so it does when our clock is behind."""
    just_begun = running(5, 5 * HOUR - 1)
    assert just_begun.passed == 5 * HOUR * LEAST_PASSED
    assert running(5, 9 * HOUR).passed == just_begun.passed


@pytest.mark.parametrize("resets_in", [-1, 0, -40 * DAY])
def test_a_window_whose_reset_has_passed_is_free(resets_in: float) -> None:
    found = running(100, resets_in)
    assert (found.used, found.pace, found.resets_at, found.full_at) == (0, 0, None, None)


def test_a_window_that_names_no_reset_is_no_older_than_it_is_long() -> None:
    found = running(50, None)
    assert (found.pace, found.resets_at) == (10.0, NOW + 5 * HOUR)
    assert running(50, None, seen_at=NOW - 5 * HOUR).used == 0


@pytest.mark.parametrize("minutes", [0, -300])
def test_a_window_without_a_length_is_none(minutes: int) -> None:
    assert course(window(50, minutes=minutes), 100.0, NOW) is None


# --- one account -----------------------------------------------------------------------------------------------------


@all_rows(
    ("given_candidate", "told"),
    [
        (candidate("a", windows=(window(40, HALF),)), ("ready", "ready", "ready")),
        (candidate("a", windows=(window(49, HALF),)), ("ready", "ready", "low")),
        (candidate("a", windows=(window(60, HALF),)), ("ready", "ready", "out")),
        (candidate("a", windows=(window(80, HALF),)), ("ready", "out", "out")),
        (candidate("a", windows=(window(96, 300),)), ("low", "low", "low")),
        (candidate("a", windows=(window(100, 600),)), ("out", "back", "back")),
        (candidate("a", windows=(window(100, HALF),)), ("out", "out", "back")),
        (candidate("a", cooldown=rest(600)), ("out", "back", "back")),
        (candidate("a", cooldown=rest(2 * HOUR), windows=(window(1, HALF),)), ("out", "out", "back")),
        (candidate("a"), ("ready", "unknown", "unknown")),
        (candidate("a", windows=(window(70, family="images"),)), ("ready", "unknown", "unknown")),
        (candidate("a", windows=(window(70, -1),)), ("ready", "ready", "ready")),
        (candidate("a", enabled=False, windows=(window(1, HALF),)), ("out", "out", "out")),
        (candidate("a", standing=Standing.NEEDS_LOGIN), ("out", "out", "out")),
        (candidate("a", has_tokens=False), ("out", "out", "out")),
        (candidate("a", reserve_percent=50, windows=(window(50, HALF),)), ("out", "out", "back")),
        (candidate("a", reserve_percent=40, windows=(window(50, HALF),)), ("ready", "out", "out")),
    ],
)
def test_how_an_account_fares(given_candidate: Candidate, told: tuple[str, str, str]) -> None:
    """Now, at worst within an hour, and at worst until its windows reset."""
    assert outlooks(of(ahead(given_candidate))) == told


def test_when_an_account_is_out_and_back() -> None:
    """The first window that fills up ends it, and that one's reset brings it back."""
    short, long = window(80, HALF), window(10, 2 * DAY, minutes=WEEK_MINUTES)
    found = of(ahead(candidate("a", windows=(short, long))))
    assert (found.out_at, found.back_at, found.until) == (NOW + HALF / 4, NOW + HALF, NOW + 2 * DAY)
    assert found.tightest is not None
    assert found.tightest.window == short


def test_the_tightest_window_is_the_fullest_at_its_reset_when_none_fills_up() -> None:
    """The week is fuller now, and the hours will be."""
    hours, week = window(20, HALF), window(30, DAY, minutes=WEEK_MINUTES)
    found = of(ahead(candidate("a", windows=(week, hours)))).tightest
    assert found is not None
    assert found.window == hours


def test_an_account_that_two_things_keep_is_back_after_both() -> None:
    found = of(ahead(candidate("a", cooldown=rest(60), windows=(window(100, 600),))))
    assert (found.out_at, found.back_at) == (NOW, NOW + 600)


def test_another_account_is_pinned() -> None:
    """Only one serves, whatever the other has left."""
    found = ahead(candidate("a", windows=(window(60, HALF),)), candidate("b"), policy=Policy(pin=key_of("a")))
    assert outlooks(of(found, "b")) == ("out", "out", "out")
    assert found.out_at == of(found).out_at
    assert found.unknown == ()


# --- the pool --------------------------------------------------------------------------------------------------------


def test_one_account_is_the_pool() -> None:
    found = ahead(candidate("a", windows=(window(80, HALF),)))
    assert (found.out_at, found.back_at) == (pytest.approx(NOW + HALF / 4), NOW + HALF)
    assert found.paces == {300: pytest.approx(32.0)}


def test_a_pool_that_lasts() -> None:
    """Until every window has reset once."""
    found = ahead(candidate("a", windows=(window(20, HALF), window(10, 2 * DAY, minutes=WEEK_MINUTES))))
    assert (found.out_at, found.back_at, found.until) == (None, None, NOW + 2 * DAY)


def test_the_work_of_one_that_is_out_goes_to_the_others() -> None:
    """Each alone would last until its reset; the second has to do both."""
    spent = candidate("a", windows=(window(100, HALF),))
    other = candidate("b", windows=(window(40, HALF),))
    assert ahead(other).out_at is None
    found = ahead(spent, other)
    # 40 + 16 % an hour for 60 % that are left
    assert found.out_at == pytest.approx(NOW + 60 / 56 * HOUR)
    assert [(each.account.label, each.serves) for each in found.changes] == [("b", False)]


def test_a_larger_plan_takes_more() -> None:
    """Ten times the size: the work of the small one is hardly felt."""
    spent = candidate("a", windows=(window(100, HALF),))
    assert ahead(spent, candidate("b", plan="pro", windows=(window(40, HALF),))).out_at is None


def test_a_reset_on_the_way_saves_the_pool() -> None:
    found = ahead(candidate("a", windows=(window(100, 600),)), candidate("b", windows=(window(50, HALF),)))
    assert found.changes[0].serves
    assert found.out_at is None


def test_a_long_window_ends_what_short_ones_would_not() -> None:
    """Short windows come back; the week is over before its reset."""
    week = window(80, 4 * DAY, minutes=WEEK_MINUTES)
    found = ahead(candidate("a", windows=(window(10, HALF), week)))
    assert found.out_at == pytest.approx(NOW + 0.2 * 3 * DAY / 0.8)
    assert found.back_at == NOW + 4 * DAY


def test_a_rest_that_ends_brings_an_account_in() -> None:
    """Until then its windows stand still."""
    found = ahead(
        candidate("a", cooldown=rest(600), windows=(window(0, HALF),)), candidate("b", windows=(window(95, HALF),))
    )
    assert (found.changes[0].account.label, found.changes[0].serves) == ("b", False)
    assert found.out_at is not None
    assert found.back_at == NOW + 600


def test_who_is_signed_out_leaves_its_work_and_who_is_paused_takes_it_along() -> None:
    busy = (window(90, HALF),)
    other = candidate("b", windows=(window(40, HALF),))
    assert ahead(candidate("a", standing=Standing.NEEDS_LOGIN, windows=busy), other).out_at is not None
    assert ahead(candidate("a", enabled=False, windows=busy), other).out_at is None


def test_what_nobody_has_seen_is_not_counted() -> None:
    """Neither as left nor as used up; the accounts are named."""
    found = ahead(candidate("a"), candidate("b", windows=(window(80, HALF),)))
    assert [each.label for each in found.unknown] == ["a"]
    assert found.out_at == pytest.approx(NOW + HALF / 4)
    alone = ahead(candidate("a"))
    assert (alone.out_at, alone.until) == (None, None)


@pytest.mark.parametrize(
    "candidates", [(), (candidate("a", enabled=False),), (candidate("a", standing=Standing.DEACTIVATED),)]
)
def test_a_pool_in_which_nobody_can_serve_is_empty_now_and_for_good(candidates: Sequence[Candidate]) -> None:
    found = forecast(candidates, about())
    assert (found.out_at, found.back_at) == (NOW, None)


def test_unused_windows_are_no_pace() -> None:
    found = ahead(candidate("a", windows=(window(0, -1),)), candidate("b", windows=(window(100, -1),)))
    assert (found.out_at, found.until) == (None, None)


def test_many_accounts_with_short_windows_are_looked_ahead_only_so_far() -> None:
    """The work is bounded, and so is what is told of it."""
    candidates = [
        candidate(f"{n:03}", windows=(window(55, 60 + n, minutes=5), window(1, 30 * DAY, minutes=43_200)))
        for n in range(100)
    ]
    found = forecast(candidates, about())
    assert found.until is not None
    assert found.until < NOW + DAY
    assert len(found.changes) <= MOST_CHANGES


# --- whatever comes --------------------------------------------------------------------------------------------------

PERCENT = st.floats(0, 100)
LENGTH = st.sampled_from([5, 300, 1440, WEEK_MINUTES, 43_200])
PLANS = st.sampled_from(["", "free", "plus", "pro", "enterprise"])


@st.composite
def candidates_of(draw: st.DrawFn) -> list[Candidate]:
    """Small pools of accounts in every state, with windows that are over, running or just begun."""
    found = []
    for n in range(draw(st.integers(0, 4))):
        lengths = draw(st.lists(LENGTH, max_size=3, unique=True))
        windows = tuple(
            window(draw(PERCENT), draw(st.none() | st.floats(-60, minutes * 60.0)), minutes=minutes)
            for minutes in lengths
        )
        resting = draw(st.none() | st.floats(1, DAY))
        found.append(
            candidate(
                chr(ord("a") + n),
                plan=draw(PLANS),
                enabled=draw(st.booleans()),
                reserve_percent=draw(st.sampled_from([0, 0, 10, 100])),
                cooldown=None if resting is None else rest(resting),
                windows=windows,
            )
        )
    return found


def never_if_none(moment: float | None) -> float:
    return float("inf") if moment is None else moment


@given(candidates_of(), st.data())
def test_more_use_never_makes_it_later(candidates: list[Candidate], data: st.DataObject) -> None:
    """For every account and for the pool: whoever uses more is out no later."""
    more = [
        replace(
            each,
            windows=tuple(
                replace(w, used_percent=min(100.0, w.used_percent + data.draw(PERCENT, label="more")))
                for w in each.windows
            ),
        )
        for each in candidates
    ]
    before, after = forecast(candidates, about()), forecast(more, about())
    slack = 1e-3
    assert never_if_none(after.out_at) <= never_if_none(before.out_at) + slack
    for one, other in zip(before.prospects, after.prospects, strict=True):
        assert never_if_none(other.out_at) <= never_if_none(one.out_at) + slack
    assert after.until == before.until


@given(candidates_of())
def test_what_is_told_holds_together(candidates: list[Candidate]) -> None:
    """Nothing lies in the past, nobody is back before being out, and an empty pool has nobody who serves."""
    found = forecast(candidates, about())
    assert never_if_none(found.out_at) >= NOW
    assert found.back_at is None or (found.out_at is not None and found.back_at >= found.out_at)
    assert [each.at for each in found.changes] == sorted(each.at for each in found.changes)
    for each in found.prospects:
        assert never_if_none(each.out_at) >= NOW
        assert each.back_at is None or (each.out_at is not None and each.back_at >= each.out_at)
        assert (each.now is Outlook.READY or each.now is Outlook.LOW) is (each.out_at != NOW)
    if found.out_at == NOW and not found.unknown:
        assert all(each.out_at == NOW for each in found.prospects)


ODD = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from([0.0, -0.0, 5e-324, 1e308, NOW, NOW + 1e-7])


@given(
    st.lists(
        st.builds(
            Window,
            family=st.sampled_from(["codex", "images"]),
            minutes=st.integers(-1, 1) | st.integers(1, 50_400) | st.just(10**18),
            used_percent=ODD,
            resets_at=st.none() | ODD,
            seen_at=ODD,
        ),
        max_size=4,
    ),
    st.none() | st.builds(Cooldown, until=st.floats(allow_nan=False), reason=st.sampled_from(["usage_limit", "?"])),
    st.sampled_from([0.0, NOW, NOW - 40 * DAY, NOW + 400 * DAY, -NOW, 1e15]),
)
def test_nothing_raises(windows: list[Window], cooldown: Cooldown | None, now: float) -> None:
    """Numbers that nobody should ever send, and a clock that was set to another year."""
    account = Account(account_id="x", user_id="y", label="x", reserve_percent=len(windows))
    one = Candidate(account=account, windows=tuple(windows), cooldown=cooldown)
    found = forecast([one, candidate("b", windows=(window(50, HALF),))], about(now=now))
    assert len(found.prospects) == 2
