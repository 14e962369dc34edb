"""Writes what is counted as Prometheus reads it. Labels hold the owner's names of accounts, or numbers, and nothing of
a conversation. The library that knows the format is loaded when somebody first asks."""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from accounts import states
from accounts.choice import quota
from accounts.choice.selection import Situation
from accounts.states import State
from addons.dashboard.metric_families import (
    ACCOUNTS,
    BUILD,
    COLD,
    FAMILIES,
    FIRST_OUTPUT,
    IN_FLIGHT,
    REFRESHES,
    REMOVED,
    RESETS,
    ROTATIONS,
    TOKENS,
    TURNS,
    USED,
    Family,
)
from config import version

if TYPE_CHECKING:
    from addons.dashboard.metrics import MetricsSnapshot, PoolNow

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MOST_WINDOWS: Final = 12
"""Of one account: upstream names them."""

type Samples = Mapping[tuple[str, ...], float]
"""By the values of a family's labels, each once."""


def text_of(snapshot: "MetricsSnapshot") -> bytes:
    """All of it, as CONTENT_TYPE says."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collected(snapshot))
    registry.register(_process())
    return generate_latest(registry)


@functools.cache
def _process() -> Any:
    """What the system tells of this process."""
    from prometheus_client import ProcessCollector

    return ProcessCollector(registry=None)


class _Collected:
    """A snapshot as the library asks for it."""

    def __init__(self, snapshot: "MetricsSnapshot") -> None:
        self.snapshot = snapshot

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        found = samples(self.snapshot)
        for family in FAMILIES:
            if family is FIRST_OUTPUT:
                histogram = HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
                for transport, (buckets, total) in sorted(self.snapshot.waits.items()):
                    histogram.add_metric([transport], buckets, total)
                yield histogram
                continue
            made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = made(family.name, family.meaning, labels=family.labels)
            for labels, value in found.get(family, {}).items():
                metric.add_metric(labels, value)
            yield metric


def samples(snapshot: "MetricsSnapshot") -> dict[Family, Samples]:
    """Of all families but the histogram, with accounts by their names."""
    found: dict[Family, Samples] = {BUILD: {(version.current(),): 1.0}}
    for family in (TURNS, ROTATIONS, TOKENS, COLD, REFRESHES):
        found[family] = _named(snapshot.counts.get(family, {}), snapshot.names)
    labels = {"": ""}
    names = filter(None, snapshot.names.values())
    in_flight: dict[tuple[str, ...], float] = {(name,): 0.0 for name in names}  # who serves nobody says so
    if snapshot.pool is not None:
        labels |= {each.account.label: snapshot.names[key] for key, each in snapshot.pool.candidates.items()}
        found |= _of_pool(snapshot.pool, snapshot.names)
    for label, count in snapshot.in_flight.items():
        name = labels.get(label, REMOVED)
        in_flight[name,] = in_flight.get((name,), 0.0) + count
    found[IN_FLIGHT] = in_flight
    return found


def _named(counts: Mapping[tuple[str, ...], int], names: Mapping[str, str]) -> Samples:
    """With the accounts' names in the place of their keys."""
    found = Counter[tuple[str, ...]]()
    for (key, *rest), count in counts.items():
        found[names.get(key, REMOVED), *rest] += count
    return found


def _of_pool(pool: "PoolNow", names: Mapping[str, str]) -> dict[Family, Samples]:
    """How its accounts are."""
    told = states.tell_all(pool.candidates, Situation(now=pool.now, policy=pool.policy), pool.tokens)
    counted = Counter(each.state for each in told.values())
    used, resets = dict[tuple[str, ...], float](), dict[tuple[str, ...], float]()
    for key, candidate in pool.candidates.items():
        for window in candidate.windows[:MOST_WINDOWS]:
            labels = names[key], window.family, quota.window_name(window.minutes)
            used[labels] = quota.used(window, pool.now) / 100
            if window.resets_at is not None and window.resets_at > pool.now:
                resets[labels] = window.resets_at
    return {ACCOUNTS: {(str(each),): counted[each] for each in State}, USED: used, RESETS: resets}
