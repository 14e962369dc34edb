"""Whether another opener of the pool's file has written."""

import math
import sqlite3


class ChangeWatch:
    """Looks with the connection that reads. `own` is how this opener's transactions are marked in `change`."""

    def __init__(self, reader: sqlite3.Connection, own: str) -> None:
        self._reader = reader
        self._own = own
        self._looked = -math.inf
        self._version = self._read_version()
        self._seen: int = reader.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()[0]

    def changed(self, now: float, within: float) -> bool:
        """Whether others have written since the last look. Less than `within` seconds after it there is none, and the
        answer is no."""
        if 0 <= now - self._looked < within:
            return False
        self._looked = now
        version = self._read_version()
        if version == self._version:
            return False
        self._version = version
        found = self._reader.execute("SELECT seq, writer FROM change WHERE seq > ? ORDER BY seq", (self._seen,))
        news = [(row["seq"], row["writer"]) for row in found]
        if not news:
            return False
        missed = news[0][0] > self._seen + 1
        self._seen = news[-1][0]
        return missed or any(writer != self._own for _, writer in news)

    def _read_version(self) -> int:
        return int(self._reader.execute("PRAGMA data_version").fetchone()[0])
