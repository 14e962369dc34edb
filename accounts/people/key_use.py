"""When keys were last shown, as far as that is worth a write: each one has other proxies read the pool anew. Pure."""

from typing import Final

WRITE_SECONDS: Final = 60.0
"""Between two writes."""
NEWS_SECONDS: Final = 600.0
"""A key that was shown again so soon was shown before."""


class KeyUse:
    """Of one proxy. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._written: dict[str, float] = {}
        self._news: dict[str, float] = {}
        self._wrote = 0.0

    def shown(self, key: str, now: float) -> None:
        """A client has shown the key of this name."""
        if not 0 <= now - self._written.get(key, -NEWS_SECONDS) < NEWS_SECONDS:
            self._news[key] = now

    def due(self, now: float) -> dict[str, float]:
        """What is to be written now."""
        return self.rest(now) if self._news and not 0 <= now - self._wrote < WRITE_SECONDS else {}

    def rest(self, now: float) -> dict[str, float]:
        """All that is not written yet; the caller writes it."""
        news, self._news = self._news, {}
        self._written |= news
        self._wrote = now
        return news
