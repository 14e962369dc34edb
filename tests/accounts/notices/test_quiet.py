"""Quiet hours are those of the owner's clock on the wall."""

from datetime import datetime
from zoneinfo import ZoneInfo

from accounts.notices.quiet import is_quiet
from config.notify import QuietHours
from tests.rows import all_rows

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(22 * 60, 7 * 60)


@all_rows(
    ("there", "expected"),
    [
        ((2026, 7, 1, 21, 59), False), ((2026, 7, 1, 22, 0), True), ((2026, 7, 2, 6, 59), True),
        ((2026, 7, 2, 7, 0), False), ((2026, 12, 1, 22, 0), True), ((2026, 12, 1, 21, 59), False),
    ],
)  # fmt: skip
def test_in_summer_and_in_winter(there: tuple[int, int, int, int, int], expected: bool) -> None:
    now = datetime(*there, tzinfo=BERLIN).timestamp()
    assert is_quiet(NIGHT, now, BERLIN) is expected
    assert not is_quiet(None, now, BERLIN)
