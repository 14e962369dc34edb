"""What the last answer's head of each account said of its quota: most say what the one before has said."""

from typing import Final

from accounts.choice.quota import Window

type Said = tuple[tuple[bytes, bytes], ...]
"""The header fields about quota, as they came."""

FRESH_SECONDS: Final = 10.0
"""What has not changed is read again after this time: when it was seen counts as well."""


class Heads:
    """Bounded by the number of accounts."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Said, tuple[Window, ...], float]] = {}

    def are_news(self, key: str, said: Said, windows: tuple[Window, ...], now: float) -> bool:
        """Whether these fields have to be read; `windows` are the account's as they are known now."""
        last = self._last.get(key)
        return last is None or last[0] != said or last[1] is not windows or not 0 <= now - last[2] < FRESH_SECONDS

    def read(self, key: str, said: Said, windows: tuple[Window, ...], now: float) -> None:
        """They were read, and this is what is known since."""
        self._last[key] = (said, windows, now)
