"""Moments as people read them: local, and no longer than needed."""

from datetime import UTC, datetime


def clock_time(moment: float, now: float) -> str:
    """Local time: HH:MM today, with the day of the week within six days, with the date otherwise."""
    there, days = _local(moment), _days_between(moment, now)
    if days == 0:
        return f"{there:%H:%M}"
    return f"{there:%a %H:%M}" if days < 7 else f"{there:%Y-%m-%d %H:%M}"


def short_time(moment: float, now: float) -> str:
    """The same in ten places: of a day that is further away only the date."""
    return clock_time(moment, now) if _days_between(moment, now) < 7 else f"{_local(moment):%Y-%m-%d}"


def _days_between(one: float, other: float) -> int:
    return abs((_local(one).date() - _local(other).date()).days)


def _local(moment: float) -> datetime:
    try:
        return datetime.fromtimestamp(moment, UTC).astimezone()
    except (ValueError, OverflowError, OSError):  # a reset time beyond the calendar
        return datetime.max.replace(tzinfo=UTC)
