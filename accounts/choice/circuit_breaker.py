"""Brakes for the whole pool: trouble on several accounts at once is no account's own trouble. Pure."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class CircuitBreaker:
    """On for `hold` seconds once `most` different accounts were struck within `within` seconds."""

    most: int
    within: float
    hold: float
    _strikes: deque[tuple[float, str]] = field(default_factory=deque)
    _until: float = 0.0

    def strike(self, key: str, now: float) -> bool:
        """An account was struck; whether the brake is on now."""
        self._strikes.append((now, key))
        while self._strikes and self._strikes[0][0] <= now - self.within:
            self._strikes.popleft()
        if len({struck for _, struck in self._strikes}) >= self.most:
            self._until = now + self.hold
        return self.on(now)

    def on(self, now: float) -> bool:
        return now < self._until

    def release(self) -> None:
        """Something went well: the trouble is over."""
        self._strikes.clear()
        self._until = 0.0
