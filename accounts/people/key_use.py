"""When keys were last shown, as far as that is worth a write: each one has other proxies read the pool anew. Pure."""

from typing import Final

WRITE_SECONDS: Final = 60.0
"""Between two writes; that a key is used at all is written at once."""
NEWS_SECONDS: Final = 600.0
"""A key that was shown again so soon was shown before."""


class KeyUse:
    """Of one proxy, by the digests of keys. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}
        self._news: dict[str, float] = {}
        self._wrote = 0.0

    def shown(self, digest: str, now: float) -> dict[str, float]:
        """A client has shown this key: what is to be written now."""
        known = self._written.get(digest)
        if known is None or not 0 <= now - known < NEWS_SECONDS:
            self._news[digest] = now
        due = known is None or not 0 <= now - self._wrote < WRITE_SECONDS
        return self.rest(now) if self._news and due else {}

    def rest(self, now: float) -> dict[str, float]:
        """All that is not written yet; the caller writes it."""
        news, self._news = self._news, {}
        self._written |= news
        self._wrote = now
        return news
