"""A key expires after a span, or with a day of its owner's calendar; nothing else is an end."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.errors import UsageError
from accounts.owner.expiry import read_expiry

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 3, 27, 12, 0, tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("30d", 720), ("2 W", 336), ("2027-03-27", 12), ("2027-03-28", 35)]
)
def test_when_it_ends(text: str, hours: int) -> None:
    """The day on which clocks go forward has 23 hours."""
    assert read_expiry(text, NOW, BERLIN) == NOW + hours * 3600


@pytest.mark.parametrize("text", ["", "0h", "2027-03-26", "9999-12-31", "11y", "4000d", "1.5d", "tomorrow", "٣d"])
def test_what_is_no_end(text: str) -> None:
    with pytest.raises(UsageError, match="30d"):
        read_expiry(text, NOW, BERLIN)
