"""When a key shall expire, as its owner types it. Pure."""

import re
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from accounts.errors import UsageError

MOST_DAYS: Final = 3660
_SPAN: Final = re.compile(r"(\d{1,6})\s*([hdw])", re.ASCII | re.IGNORECASE)
_HOURS: Final = {"h": 1, "d": 24, "w": 168}


def read_expiry(text: str, now: float, zone: tzinfo) -> float:
    """`30d`, `12h` or `2w` from now on, or with the end of a day: `2027-01-31`. In seconds since the epoch. Raises
    UsageError for what is none, or is over already."""
    found = _SPAN.fullmatch(text.strip())
    if found is not None:
        ends = now + int(found[1]) * _HOURS[found[2].casefold()] * 3600.0
    else:
        try:
            day = date.fromisoformat(text.strip()) + timedelta(days=1)
        except (ValueError, OverflowError):
            raise UsageError(f"{text!r} is no time to expire. Say 30d, 12h, 2w, or a day such as 2027-01-31.") from None
        ends = datetime.combine(day, time(), zone).timestamp()
    if not now < ends <= now + MOST_DAYS * 86_400:
        why = "is over already" if ends <= now else "is more than ten years away"
        raise UsageError(f"{text!r} {why}. Say 30d, 12h, 2w, or a day to come.")
    return ends
