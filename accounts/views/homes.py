"""How many threads live on each account."""

from collections import Counter
from typing import Final

from accounts.store.store import Store

RECENT_SECONDS: Final = 86_400.0
"""Who has not come for so long is not counted: most conversations end without saying so."""
MOST_THREADS: Final = 2_000


def homes(store: Store, now: float) -> Counter[str]:
    """By account key, of the threads that were used within a day."""
    known = store.affinities(MOST_THREADS)
    return Counter(each.key for each in known if now - each.used_at < RECENT_SECONDS)
