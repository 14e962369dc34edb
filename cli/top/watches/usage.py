"""Sums up today's turns from the ledger, for a screen that stays: only when the ledger's file has changed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from typing import Final

from accounts.ledger.prices import PriceList
from accounts.ledger.queries import Grouping, UsageQuery, by_local_time
from accounts.views.usage import UsageView, usage_view
from cli.ui.ledger import opened, own_prices
from cli.ui.words.spans import moment_of
from config.errors import RotateError
from config.times.time_zone import local_zone

GROUPINGS: Final = (Grouping.ACCOUNT, Grouping.PERSON, Grouping.PROJECT, Grouping.MODEL)
"""By what it can be summed up, in the order in which the screen offers it."""


class UsageWatch:
    """For one thread at a time."""

    def __init__(self, file: Path, prices: Callable[[], PriceList | None] = own_prices) -> None:
        self._file = file
        self._prices = prices
        self._of: object = None
        self._last: UsageView | None = None

    def look(self, by: Grouping, now: float) -> UsageView:
        """The very same view as before when nothing is new. Raises UnreadableLedger and NewerLedger."""
        zone = local_zone()
        since = moment_of("since", "today", now, zone)
        state = (by, since, str(zone), _written(self._file))
        if self._last is None or state != self._of:
            self._last, self._of = self._read(UsageQuery(by=by, since=since), zone), state
        return self._last

    def _read(self, query: UsageQuery, zone: tzinfo) -> UsageView:
        prices = None
        with suppress(RotateError):  # settings that cannot be used: `config show` says what is wrong
            prices = self._prices()
        with opened(self._file) as reader:
            cells = by_local_time(reader.cells(query), query.by, zone)
            return usage_view(cells, query, prices, str(zone), reader.lost(query.since))


def _written(file: Path) -> tuple[tuple[int, int], ...]:
    """What tells whether somebody has written since: size and time of the file and of the log beside it."""
    found = []
    for each in (file, file.with_name(f"{file.name}-wal")):
        with suppress(OSError):
            told = each.stat()
            found += [(told.st_mtime_ns, told.st_size)] if told.st_size else []  # whoever reads leaves an empty log
    return tuple(found)
