"""Keys that are shown from two places at about the same time: somebody may have a copy, or has given one away. Pure."""

from typing import Final, NamedTuple

SHORT_SECONDS: Final = 600.0
"""A key that was shown elsewhere within this time is in two places."""
SAID_SECONDS: Final = 86_400.0
"""So often at most it is said of a key."""
KEY_SHARED: Final = "key_shared"
"""Its kind in the history; the detail is the key's name and the places (`SharedKey`)."""


class SharedKey(NamedTuple):
    """A key's name, and the addresses of the two places that it was shown from."""

    key: str
    first: str
    second: str

    @property
    def detail(self) -> str:
        return f"{self.key}: {self.first}, {self.second}"

    @classmethod
    def read(cls, detail: str) -> "SharedKey | None":
        """What `detail` says, None for what is none."""
        key, _, places = detail.partition(": ")
        first, comma, second = places.partition(", ")
        return cls(key, first, second) if key and first and comma and second else None


class KeyPlaces:
    """Of one proxy, by the names of keys. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}
        self._said: dict[str, float] = {}

    def shown(self, key: str, place: str, now: float) -> SharedKey | None:
        """A client has shown it from there; what is news in that."""
        before = self._last.get(key)
        self._last[key] = (place, now)
        if before is None or before[0] == place or not 0 <= now - before[1] < SHORT_SECONDS:
            return None
        if 0 <= now - self._said.get(key, -SAID_SECONDS) < SAID_SECONDS:
            return None
        self._said[key] = now
        return SharedKey(key, before[0], place)
