"""Keys of clients in a table, for every command that shows some."""

from collections.abc import Sequence

from accounts.people.keys import ClientKey
from accounts.views.people import is_expired
from cli.ui.result import Table
from config.times.local_time import clock_time


def keys_table(keys: Sequence[ClientKey], now: float) -> Table:
    """What is known of keys; the keys themselves are not known here."""
    rows = tuple(
        (
            each.name,
            each.person,
            each.label,
            _ends(each, now),
            clock_time(each.used_at, now) if each.used_at is not None else "never",
        )
        for each in keys
    )
    return Table(columns=("key", "person", "label", "expires", "last used"), rows=rows, clipped=frozenset({"label"}))


def _ends(key: ClientKey, now: float) -> str:
    if key.expires_at is None:
        return "never"
    return "expired" if is_expired(key, now) else clock_time(key.expires_at, now)
