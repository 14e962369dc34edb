"""Looks at the pool's file for a screen that stays: cheap when nothing has changed."""

import math
import os
from collections.abc import Iterable, Mapping
from typing import Final

from accounts.errors import StoreLost
from accounts.store.no_accounts import no_accounts
from accounts.store.store import Store
from accounts.views.account_list import AccountRow, stored_rows
from accounts.views.homes import homes
from accounts.views.remedies import remedies
from cli.top.facts import ShownPool

HISTORY: Final = 500
"""So many events of the history are shown."""
FRESH_SECONDS: Final = 30.0
"""What the clock alone changes is told anew after so long, or when something is known to end."""
CHECK_SECONDS: Final = 5.0
"""How often the file itself is looked at: whether it is still there, and whole."""


class PoolWatch:
    """For one thread at a time. The store stays its opener's."""

    def __init__(self, store: Store, environ: Mapping[str, str] = os.environ) -> None:
        self._store = store
        self._environ = environ
        self._until = -math.inf
        self._checked = -math.inf
        self._last = ShownPool()

    def forget(self) -> None:
        """We have changed something ourselves."""
        self._until = -math.inf

    def look(self, now: float) -> ShownPool:
        """What the file says; the very same facts as before when nothing is new. Raises StoreError."""
        if not 0 <= now - self._checked < CHECK_SECONDS:
            self._checked = now
            if self._store.file.check(with_accounts=bool(self._last.rows)):
                self.forget()
        if self._store.file.trouble:
            self.forget()
            raise StoreLost(self._store.path, self._store.file.trouble)
        changed = self._store.changed_by_others(now)
        if changed or not self._until - FRESH_SECONDS <= now < self._until:
            self._last = self._read(now)
            self._until = min(now + FRESH_SECONDS, _first_end(self._last.rows, now))
        return self._last

    def _read(self, now: float) -> ShownPool:
        rows = stored_rows(self._store, now, self._environ)
        hints = remedies([(row.account, row.told) for row in rows], now)
        return ShownPool(
            rows=rows,
            homes=homes(self._store, now),
            events=self._store.events(HISTORY),
            hints=tuple(hints) if rows else (str(no_accounts(self._store.path)),),
        )


def _first_end(rows: Iterable[AccountRow], now: float) -> float:
    """When the next account changes its state, or a window of one begins anew, by itself."""
    ends = (
        end
        for row in rows
        for end in (row.told.until, row.told.back, row.told.ends, *(each.resets_at for each in row.windows))
    )
    return min((end for end in ends if end is not None and end > now), default=math.inf)
