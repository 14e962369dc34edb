"""Which threads belong together, and where each was last served: what no turn tells by itself. In memory, bounded."""

from collections import OrderedDict
from typing import Final

MOST_THREADS: Final = 10_000
MOST_GENERATIONS: Final = 16
"""A sub-agent of a sub-agent, and so on; a chain that is longer is not followed further, so neither is a circle."""


class ThreadFamilies:
    """The parents of threads, of those that were used last."""

    def __init__(self) -> None:
        self._parents: OrderedDict[str, str] = OrderedDict()

    def root(self, thread: str, parent: str) -> str:
        """The thread at the top of the chain, for a turn of `thread` that names this parent ("": none)."""
        if thread and parent and thread != parent:
            _put(self._parents, thread, parent)
        at = thread or parent
        for _ in range(MOST_GENERATIONS):
            above = self._parents.get(at, "")
            if not above:
                break
            at = above
        return at


class AccountsOfThreads:
    """The account that served each thread last, by its key."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, str] = OrderedDict()

    def before(self, thread: str) -> str:
        """ "" for a thread that nobody has served, as far as is known."""
        return self._last.get(thread, "")

    def served(self, thread: str, account_key: str) -> None:
        if thread and account_key:
            _put(self._last, thread, account_key)


def _put(known: OrderedDict[str, str], key: str, value: str) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MOST_THREADS:
        known.popitem(last=False)
