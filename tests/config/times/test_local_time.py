"""Moments as people read them."""

import pytest

from config.times.local_time import clock_time, short_time

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, a Wednesday."""


pytestmark = pytest.mark.usefixtures("in_tokyo")


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (NOON + 3600, "22:00"),
        (NOON + 3 * 3600, "Thu 00:00"),
        (NOON + 6 * 86400, "Tue 21:00"),
        (NOON + 7 * 86400, "2023-11-22 21:00"),
        (NOON - 86400, "Tue 21:00"),
        (1e18, "9999-12-31 23:59"),
    ],
)
def test_times_are_local(moment: float, shown: str) -> None:
    """Today the time is enough, this week the day, later the date; a time beyond the calendar breaks nothing."""
    assert clock_time(moment, NOON) == shown


@pytest.mark.parametrize(
    ("days", "shown"), [(0, "21:00"), (6, "Tue 21:00"), (7, "2023-11-22"), (20, "2023-12-05"), (10**9, "9999-12-31")]
)
def test_short_times_leave_out_the_hour_of_a_far_day(days: int, shown: str) -> None:
    assert short_time(NOON + 86_400 * days, NOON) == shown
