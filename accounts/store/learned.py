"""What a store knows of its accounts from their use: rests, quota windows, refused models, whose threads are whose."""

import sqlite3
from concurrent.futures import Future
from dataclasses import asdict

from accounts.choice.clock_sense import sensible_rest
from accounts.choice.cooldowns import replaces
from accounts.choice.quota import Window
from accounts.model import Affinity, Cooldown, LooksTaken
from accounts.store import rows
from accounts.store.pool_file import PoolFile

AFFINITIES_KEPT = 10_000


class LearnedFacts:
    """What Store says of them, it does."""

    def __init__(self, file: PoolFile) -> None:
        self._file = file

    # --- reading -------------------------------------------------------------------------------------------------

    def cooldowns(self) -> dict[str, Cooldown]:
        found = self._file.read("SELECT key, until, reason, since FROM cooldown WHERE family = ''")
        return {row["key"]: Cooldown(until=row["until"], reason=row["reason"], since=row["since"]) for row in found}

    def affinities(self, limit: int) -> tuple[Affinity, ...]:
        found = self._file.read("SELECT * FROM affinity ORDER BY used_at DESC, thread LIMIT ?", limit)
        return tuple(Affinity(**dict(row)) for row in found)

    def windows(self) -> dict[str, tuple[Window, ...]]:
        known: dict[str, list[Window]] = {}
        for row in self._file.read("SELECT * FROM quota_window ORDER BY family, minutes"):
            values = dict(row)
            known.setdefault(values.pop("key"), []).append(Window(**values))
        return {key: tuple(windows) for key, windows in known.items()}

    def refused_models(self) -> dict[tuple[str, str], float]:
        return {(row["key"], row["model"]): row["until"] for row in self._file.read("SELECT * FROM refused_model")}

    def looks(self) -> dict[str, LooksTaken]:
        return {
            row["key"]: LooksTaken(times=row["times"], at=row["at"]) for row in self._file.read("SELECT * FROM look")
        }

    # --- writing -------------------------------------------------------------------------------------------------

    def set_cooldown(self, key: str, cooldown: Cooldown) -> Future[None]:
        def work(db: sqlite3.Connection) -> None:
            found = "SELECT until, reason, since FROM cooldown WHERE key = ? AND family = ''"
            row = db.execute(found, (key,)).fetchone()
            old = sensible_rest(Cooldown(**dict(row)), (), cooldown.since) if row else None
            if not replaces(cooldown, old, cooldown.since):
                return
            db.execute(
                "INSERT OR REPLACE INTO cooldown (key, family, until, reason, since) "
                "SELECT key, '', :until, :reason, :since FROM account WHERE key = :key",
                {"key": key, **asdict(cooldown)},
            )

        return self._file.write(work, may_wait=True)

    def clear_cooldown(self, key: str) -> Future[None]:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM cooldown WHERE key = ?", (key,))

        return self._file.write(work, may_wait=True)

    def save_affinity(self, affinity: Affinity) -> Future[None]:
        return self._file.write(lambda db: rows.save_affinity(db, affinity, AFFINITIES_KEPT), may_wait=True)

    def set_windows(self, key: str, windows: tuple[Window, ...]) -> Future[None]:
        return self._file.write(lambda db: rows.save_windows(db, key, windows), may_wait=True)

    def refuse_model(self, key: str, model: str, until: float, now: float) -> Future[None]:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM refused_model WHERE until <= ?", (now,))
            row = (model, until, key)
            db.execute("INSERT OR REPLACE INTO refused_model SELECT key, ?, ? FROM account WHERE key = ?", row)

        return self._file.write(work, may_wait=True)

    def looked(self, key: str, before: LooksTaken | None, now: float) -> Future[bool]:
        def work(db: sqlite3.Connection) -> bool:
            if before is None:
                first = "INSERT OR IGNORE INTO look (key, times, at) SELECT key, 0, ? FROM account WHERE key = ?"
                return db.execute(first, (now, key)).rowcount > 0
            seen = "UPDATE look SET times = times + 1, at = ? WHERE key = ? AND times = ? AND at = ?"
            return db.execute(seen, (now, key, before.times, before.at)).rowcount > 0

        return self._file.write(work)
