"""Cases that are the same whichever of several ways they take: one after the other takes the next way.

With COLD=1 in the environment each takes all of them, as in `make newest`.
"""

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest


def leave_out(
    config: pytest.Config, items: list[pytest.Item], some: Iterable[pytest.Item], ways: Collection[str]
) -> None:
    """Of these tests, each case in all its ways but the one whose turn it is."""
    left = set() if "COLD" in os.environ else set(_others(some, ways))
    items[:] = [item for item in items if item not in left]
    config.hook.pytest_deselected(items=list(left))


def _others(items: Iterable[pytest.Item], ways: Collection[str]) -> Iterator[pytest.Item]:
    """A case is a test with all that it is given but the way. What is asked for in one way only stays."""
    by_file: dict[Path, dict[object, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        spec = getattr(item, "callspec", None)
        taken = (
            [name for name, value in spec.params.items() if isinstance(value, str) and value in ways] if spec else []
        )
        if taken:
            beside = ((name, id(value)) for name, value in spec.params.items() if name != taken[0])
            by_file[item.path][item.originalname, *sorted(beside)].append(item)  # type: ignore[attr-defined]
    for cases in by_file.values():
        for number, case in enumerate(cases.values()):
            yield from (item for place, item in enumerate(case) if place != number % len(case))
