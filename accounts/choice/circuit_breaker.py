"""Brakes for the whole pool: trouble on several accounts at once is no account's own trouble. Pure."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class CircuitBreaker:
    """On for `hold` seconds once `most` different accounts have failed within `within` seconds."""

    most: int
    within: float
    hold: float
    _failures: deque[tuple[float, str]] = field(default_factory=deque)
    _until: float = 0.0

    def record(self, key: str, now: float) -> bool:
        """An account has failed; whether the brake is on now."""
        self._failures.append((now, key))
        while self._failures and self._failures[0][0] <= now - self.within:
            self._failures.popleft()
        if len({failed for _, failed in self._failures}) >= self.most:
            self._until = now + self.hold
        return self.on(now)

    def on(self, now: float) -> bool:
        return now < self._until

    def release(self) -> None:
        """Something went well: the trouble is over."""
        self._failures.clear()
        self._until = 0.0
