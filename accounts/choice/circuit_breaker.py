"""Brakes for the whole pool: trouble on several accounts at once is no account's own trouble. Pure."""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field


@dataclass(slots=True)
class CircuitBreaker:
    """On for `hold` seconds once `most` different accounts have failed within `within` seconds."""

    most: int
    within: float
    hold: float
    _failures: deque[tuple[float, str]] = field(default_factory=deque)
    _until: float = 0.0
    _keys: frozenset[str] = frozenset()
    """Who had failed when it came on."""

    def record(self, key: str, now: float) -> bool:
        """An account has failed; whether the brake is on now."""
        self._failures.append((now, key))
        while self._failures and self._failures[0][0] <= now - self.within:
            self._failures.popleft()
        keys = frozenset(failed for _, failed in self._failures)
        if len(keys) >= self.most:
            self._until, self._keys = now + self.hold, keys
        return self.on(now)

    def on(self, now: float) -> bool:
        return now < self._until

    def on_beside(self, keys: Collection[str], now: float) -> bool:
        """Whether it is on, and not because of these accounts alone: what one request has met is one opinion."""
        return self.on(now) and not self._keys <= set(keys)

    def release(self) -> None:
        """Something went well: the trouble is over."""
        self._failures.clear()
        self._until = 0.0
