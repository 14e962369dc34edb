"""Where conversations live: each thread has a home account, whose prompt cache is warm, and at times a detour. Pure.

A switch costs a cold cache, so a thread returns from a detour when its home is back, unless it was away for so long
that the warm cache has moved along.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from accounts.choice.clock_sense import sensible_affinity
from accounts.model import Affinity

MOST_THREADS: Final = 10_000
THREAD_SECONDS: Final = 86_400.0
DETOUR_SECONDS: Final = 1800.0
"""After so long a detour the thread lives there."""
REWRITE_SECONDS: Final = 60.0
"""How stale a thread's stored time of use may get: a busy thread is not a disk write per turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Keys of accounts: where a thread lives, where it is meanwhile, and whose compaction its history holds."""

    home: str = ""
    detour: str = ""
    owner: str = ""


UNPLACED: Final = Placement()


class Threads:
    """The most recently used threads; older ones are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Affinity] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def load(self, stored: Iterable[Affinity]) -> None:
        """Take over what is stored, oldest first, unless a later use is known here."""
        news = [each for each in stored if each.thread not in self._known or self._older(each)]
        if news:
            self._known.update({each.thread: each for each in news})
            latest = sorted(self._known.values(), key=lambda each: each.used_at)[-MOST_THREADS:]
            self._known = OrderedDict((each.thread, each) for each in latest)

    def sensible(self, now: float) -> None:
        """The clock was set: no thread was used at a time to come."""
        self._known = OrderedDict((key, sensible_affinity(each, now)) for key, each in self._known.items())

    def place_near(self, parent: str, place: Placement, now: float) -> Placement:
        """The same for a thread that a sub-agent of `parent` has: one that lives nowhere begins where its parent is."""
        if place.home or not parent:
            return place
        above = self.place(parent, now)
        return replace(place, home=above.detour or above.home)

    def place(self, thread: str, now: float) -> Placement:
        """Where a thread belongs; nowhere for a new or long-forgotten one."""
        known = self._fresh(thread, now)
        if known is None:  # where a summary can be read does not change with time
            forgotten = self._known.get(thread) if thread else None
            return Placement(owner=forgotten.owner) if forgotten else UNPLACED
        if known.detour and now - known.detoured_at > DETOUR_SECONDS:
            return Placement(home=known.detour, owner=known.owner)
        return Placement(home=known.key, detour=known.detour, owner=known.owner)

    def served(self, thread: str, key: str, *, home_may_return: bool, now: float) -> Affinity | None:
        """A thread was served by an account. What has to be stored of that, None when the stored state will do."""
        known, place = self._fresh(thread, now), self.place(thread, now)
        if known is None or not home_may_return or key == place.home:
            after = Affinity(thread=thread, key=key, used_at=now, owner=place.owner)
        else:
            since = known.detoured_at if place.detour else now
            after = replace(known, key=place.home, used_at=now, detour=key, detoured_at=since)
        self._remember(after)
        if known is not None and _alike(known, after) and now - known.used_at <= REWRITE_SECONDS:
            self._known[thread] = replace(after, used_at=known.used_at)  # the stored time is what it is compared with
            return None
        return after

    def compacted(self, thread: str, key: str, now: float) -> Affinity | None:
        """The history of a thread was summarised by an account, and only that one can read the summary."""
        new = Affinity(thread=thread, key=key, used_at=now, owner=self.place(thread, now).owner)
        known = self._fresh(thread, now) or new
        if known.owner == key:
            return None
        after = replace(known, owner=key, used_at=now)
        self._remember(after)
        return after

    def _older(self, than: Affinity) -> bool:
        return self._known[than.thread].used_at < than.used_at

    def _fresh(self, thread: str, now: float) -> Affinity | None:
        known = self._known.get(thread) if thread else None
        return known if known is not None and now - known.used_at < THREAD_SECONDS else None

    def _remember(self, affinity: Affinity) -> None:
        self._known[affinity.thread] = affinity
        self._known.move_to_end(affinity.thread)
        while len(self._known) > MOST_THREADS:
            self._known.popitem(last=False)


def _alike(one: Affinity, other: Affinity) -> bool:
    """But for when."""
    return (one.key, one.detour, one.detoured_at, one.owner) == (
        other.key,
        other.detour,
        other.detoured_at,
        other.owner,
    )
