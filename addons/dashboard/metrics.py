"""Counts for Prometheus: turns, rotations, tokens and renewals of this proxy, and how its pool is.

What has happened is counted as it passes, in a few additions behind each answer. What is said of it, and when the
library for that is loaded, is in exposition.py.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from accounts.choice.selection import Candidate, Policy
from accounts.ledger.records import Transport, TurnKind, TurnRecord
from accounts.model import Credentials
from accounts.views.live_turns import LiveTurn
from addons.dashboard import exposition
from addons.dashboard.metric_families import COLD, REFRESHES, REMOVED, ROTATIONS, TOKENS, TURNS, Family
from addons.startup import Startup

AT_A_TIME: Final = 256
"""So many turns are counted at once, unless somebody asks before."""
BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds until the first output; the official client gives up after the last of them."""


class Waits:
    """Seconds, counted in BUCKETS."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """By the upper border of each bucket."""
        borders = (*map(str, BUCKETS), "+Inf")
        return list(zip(borders, accumulate(self.counts), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolNow:
    """The accounts of a pool at a moment in epoch seconds. Mappings are by their keys."""

    now: float
    policy: Policy
    candidates: Mapping[str, Candidate]
    tokens: Mapping[str, Credentials]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSnapshot:
    """All that there is to say: values that nothing changes any more, for any thread.

    `counts` have the key of an account where the labels of their families have its name, and `names` tells that; of
    `waits`, which are by transport, both the buckets and the sum. `in_flight` is by label ("": nobody was asked yet).
    """

    counts: Mapping[Family, Mapping[tuple[str, ...], int]]
    waits: Mapping[str, tuple[list[tuple[str, float]], float]]
    names: Mapping[str, str]
    in_flight: Mapping[str, int]
    pool: PoolNow | None


class Metrics:
    """Of one proxy: a TurnLedger (accounts/ledger/ports.py) that only counts. For the proxy's event loop."""

    def __init__(self, startup: Startup, live: Callable[[], Iterable[LiveTurn]] = tuple) -> None:
        self.startup = startup
        self.live = live
        self.news: Callable[[], object] = tuple
        """Brings turns that are over and were not told yet."""
        self._counts: defaultdict[Family, Counter[tuple[str, ...]]] = defaultdict(Counter)
        """What has happened; in the place of an account's name is its key."""
        self._waits = {each.value: Waits() for each in Transport}
        """By transport."""
        self._seats: dict[str, int] = {}
        """The numbers of accounts, by key; they stay as long as the proxy runs."""
        self._new: list[TurnRecord] = []
        """Not counted yet: many at a time take a fraction of the time."""

    def add(self, record: TurnRecord) -> None:
        """A turn is over."""
        self._new.append(record)
        if len(self._new) >= AT_A_TIME:
            self._count_new()

    def _count_new(self) -> None:
        new, self._new = self._new, []
        for record in new:
            self._count(record)

    def _count(self, record: TurnRecord) -> None:
        key, tokens = record.account_key or self._key_of(record.account), record.tokens
        for reason in record.reasons:
            self._counts[ROTATIONS][key, reason] += 1
        self._counts[COLD][key,] += record.cold
        of_tokens = self._counts[TOKENS]
        of_tokens[key, "input"] += max(0, tokens.input - tokens.cached)
        of_tokens[key, "cached_input"] += tokens.cached
        of_tokens[key, "output"] += max(0, tokens.output - tokens.reasoning)
        of_tokens[key, "reasoning"] += tokens.reasoning
        if record.kind is TurnKind.WARM_UP:
            return
        self._counts[TURNS][key, record.outcome.name.lower(), record.transport.value] += 1
        if record.first_output is not None:
            self._waits[record.transport.value].add(record.first_output)

    def exposition(self) -> bytes:
        """What Prometheus reads (exposition.CONTENT_TYPE). With many accounts that takes a while to write: whoever has
        turns waiting takes the snapshot, and has another thread write it."""
        return exposition.text_of(self.snapshot())

    def snapshot(self) -> MetricsSnapshot:
        """Quick, whatever there is."""
        self.news()
        self._count_new()
        service, pool = self.startup.service, None
        counts: dict[Family, Mapping[tuple[str, ...], int]] = {
            family: counted.copy() for family, counted in self._counts.items()
        }
        if service is not None:
            counts[REFRESHES] = service.renewals.outcomes.copy()
            pool = PoolNow(
                now=service.clock(),
                policy=service.pool.policy,
                candidates=dict(service.pool.candidates),
                tokens=dict(service.pool.tokens),
            )
        return MetricsSnapshot(
            counts=counts,
            waits={transport: (each.cumulative(), each.sum) for transport, each in self._waits.items()},
            names=self._names(pool.candidates if pool is not None else {}),
            in_flight=Counter(each.account for each in self.live()),
            pool=pool,
        )

    def _names(self, candidates: Mapping[str, Candidate]) -> dict[str, str]:
        """What accounts are called, by key. An address of somebody's is no name."""
        names, anonymous = {"": ""}, self.startup.chosen.rotate_metrics_anonymous
        for key, candidate in candidates.items():
            number, label = self._seats.setdefault(key, len(self._seats) + 1), candidate.account.label
            names[key] = f"seat-{number}" if anonymous or "@" in label else label
        return names

    def _key_of(self, label: str) -> str:
        """Nothing for none; for an account that is gone something that no key is."""
        if not label or self.startup.service is None:
            return ""
        candidates = self.startup.service.pool.candidates
        return next((key for key, each in candidates.items() if each.account.label == label), REMOVED)
