"""What people type for a moment or a span: `7d`, `24h`, `today`, `2026-11-30`, `2026-11-30T14:00`. Pure."""

import re
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from accounts.errors import UsageError

_SPAN: Final = re.compile(r"(\d{1,6})\s*(min|h|d|w)", re.IGNORECASE)
_SECONDS: Final = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_DAYS: Final = {"today": 0, "yesterday": -1}
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
FORMS: Final = "7d, 24h, 90min, 2w, today, yesterday, a date such as 2026-11-30, or 2026-11-30T14:00"


class BadMoment(UsageError):
    def __init__(self, option: str, text: str) -> None:
        super().__init__(f"{option} {text!r} is no time. It may be {FORMS}.")


def moment_of(option: str, text: str, now: float, zone: tzinfo, *, ends: bool = False) -> float:
    """The moment that is meant, in epoch seconds. Spans count back from `now`; dates and times are those of the zone.
    `ends`: of a day its end and not its beginning. Raises BadMoment."""
    typed = text.strip()
    span = _SPAN.fullmatch(typed)
    if span is not None:
        return max(0.0, now - int(span[1]) * _SECONDS[span[2].lower()])
    try:
        day = _day(typed, now, zone)
        if day is not None:
            day += timedelta(days=1) if ends else timedelta()
            return max(0.0, datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
        if not _DATE.match(typed) or ":" not in typed:
            raise BadMoment(option, text)
        shown = datetime.fromisoformat(typed)
        return max(0.0, (shown if shown.tzinfo is not None else shown.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError):
        raise BadMoment(option, text) from None


def _day(typed: str, now: float, zone: tzinfo) -> date | None:
    if typed.lower() in _DAYS:
        return datetime.fromtimestamp(now, zone).date() + timedelta(days=_DAYS[typed.lower()])
    return date.fromisoformat(typed) if _DATE.fullmatch(typed) else None
