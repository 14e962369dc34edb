"""What people type for a moment or a span."""

from contextlib import suppress
from datetime import UTC, datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.ui.words.spans import BadMoment, moment_of

NOW = datetime(2026, 11, 30, 10, 30, tzinfo=UTC).timestamp()
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, *, ends: bool = False, zone: timezone | ZoneInfo = BERLIN) -> str:
    return datetime.fromtimestamp(moment_of("--since", text, NOW, zone, ends=ends), zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90min", "2026-11-30 10:00"),
        ("24h", "2026-11-29 11:30"),
        ("7d", "2026-11-23 11:30"),
        ("2 W", "2026-11-16 11:30"),
        ("today", "2026-11-30 00:00"),
        ("Yesterday", "2026-11-29 00:00"),
        ("2026-11-01", "2026-11-01 00:00"),
        ("2026-11-01T14:00", "2026-11-01 14:00"),
        ("2026-11-01 14:00", "2026-11-01 14:00"),
        ("2026-11-01T14:00+00:00", "2026-11-01 15:00"),
        ("2026-07-01", "2026-07-01 00:00"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    """Dates are local ones, in summer as well."""
    assert at(text) == moment


def test_the_end_of_a_day_is_meant_where_something_ends() -> None:
    """A day has 23 hours when the clocks go forward."""
    assert at("2026-11-29", ends=True) == "2026-11-30 00:00"
    assert at("today", ends=True) == "2026-12-01 00:00"
    assert at("2026-11-29T12:00", ends=True) == "2026-11-29 12:00"
    day = moment_of("--until", "2026-03-29", NOW, BERLIN, ends=True) - moment_of("--since", "2026-03-29", NOW, BERLIN)
    assert day == 23 * 3600


@pytest.mark.parametrize(
    "text", ["", "soon", "7", "d", "-7d", "7y", "2026-13-01", "2026-02-30", "30.11.2026", "2026-11-30T", "99999999d"]
)
def test_what_is_no_time_says_what_one_may_be(text: str) -> None:
    with pytest.raises(BadMoment, match=r"--since .* is no time. It may be 7d"):
        moment_of("--since", text, NOW, BERLIN)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_a_time_or_refused(text: str) -> None:
    with suppress(BadMoment):
        assert moment_of("--since", text, NOW, UTC) >= 0
