"""Who comes first in a pool: worked out for all accounts now and then, and for each request only for a few.

An account that nothing has happened to since is where it was in the order, but for the time that has passed: in LASTS
seconds a score changes by nothing that matters. Whatever has changed is compared anew, with every request.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from accounts.choice.selection import Candidate, Policy, Rank, Situation, barred, rank
from accounts.choice.threads import UNPLACED

SMALL: Final = 4
"""So many accounts are simply compared, each time and to the moment."""
LASTS: Final = 1.0
MOST_CHANGED: Final = 64


class Ordering:
    """The accounts of one pool in order of preference, for requests of no particular thread."""

    def __init__(self) -> None:
        self._order: list[tuple[Rank, str]] | None = None
        self._made_at = 0.0
        self._policy: Policy | None = None
        self._changed: set[str] = set()

    def change(self, key: str) -> None:
        """Something about this account is not as it was."""
        self._changed.add(key)

    def forget(self) -> None:
        """Nothing is as it was."""
        self._order = None

    def front(
        self, candidates: Mapping[str, Candidate], about: Situation, touched: Iterable[str]
    ) -> tuple[Collection[str], Mapping[str, Rank]]:
        """Keys of accounts among which are the best two for this request, and the rank of those that can serve it and
        are as they were. `touched` are those that selection sees otherwise than `candidates` has them."""
        if len(candidates) <= SMALL or about.ask.steady:
            return candidates, {}
        place = about.place
        wanted = {place.home, place.detour, place.owner, about.ask.pin, about.policy.pin, *touched, *self._changed}
        wanted |= about.failed
        known: dict[str, Rank] = {}
        for ranked, key in self._current(candidates, about):
            if key not in wanted and barred(candidates[key], about) is None:
                known[key] = ranked
                if len(known) == 2:  # the best, and the one it is compared with in words
                    break
        return (wanted & candidates.keys()) | known.keys(), known

    def _current(self, candidates: Mapping[str, Candidate], about: Situation) -> list[tuple[Rank, str]]:
        fresh = 0 <= about.now - self._made_at < LASTS and about.policy is self._policy
        if self._order is None or not fresh or len(self._changed) > MOST_CHANGED:
            anybody = replace(
                about, ask=replace(about.ask, thread="", model="", pin=""), place=UNPLACED, failed=frozenset()
            )
            self._order = sorted((rank(candidate, anybody), key) for key, candidate in candidates.items())
            self._made_at, self._policy = about.now, about.policy
            self._changed.clear()
        return self._order
