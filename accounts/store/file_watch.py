"""Whether the pool's file is still the one that was opened, and whole. Looking changes nothing and never raises.

The file is never opened but through SQLite: closing any other handle of it would take SQLite's locks away.
"""

import os
import sqlite3
import stat
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accounts.errors import StoreBusy, StoreCorrupt, StoreError, StoreTooNew
from accounts.store import schema


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrouble:
    """`what` is the rest of a sentence about the file. `moved`: the file that was opened is whole, but is not at its
    place any more."""

    what: str
    moved: bool = False


class FileWatch:
    """Of the file that is at `path` now, which has to be there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = path.stat()
        self._is = (found.st_dev, found.st_ino)
        self._size = found.st_size
        self._changed = found.st_mtime_ns

    def trouble(self, *, closely: bool = False) -> FileTrouble | None:
        """What is wrong with the file, None when nothing is. Its content is read when it has changed, or `closely`."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return FileTrouble(what="is not there any more", moved=True)
        except OSError as e:
            return FileTrouble(what=f"cannot be looked at any more ({e.strerror})")
        if (found.st_dev, found.st_ino) != self._is:
            return FileTrouble(what="is not the file that was opened", moved=True)
        what = self._closed_or_short(found)
        if not what and (closely or found.st_mtime_ns != self._changed):
            damage = damage_of(self.path)
            what = f"is damaged ({damage})" if damage else ""
        if what:
            return FileTrouble(what=what)
        self._size, self._changed = found.st_size, found.st_mtime_ns
        return None

    def _closed_or_short(self, found: os.stat_result) -> str:
        if not stat.S_ISREG(found.st_mode) or not os.access(self.path, os.R_OK | os.W_OK):
            return "cannot be read and written any more"
        return "was cut short" if found.st_size < self._size else ""  # nothing of ours ever makes it smaller


def damage_of(path: Path) -> str:
    """Why the content of a pool's file cannot be read, "" when it can be, or when nobody can tell at the moment."""
    try:
        with closing(schema.connect(path, "ro")) as db:
            verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as e:
        busy = (getattr(e, "sqlite_errorcode", 0) or 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
        return "" if busy else str(e)
    return "" if verdict == "ok" else verdict.splitlines()[-1]


def why_not(path: Path, known: int, *, with_accounts: bool) -> str:
    """Why what is at the place of a pool's file now cannot be gone on with: the rest of a sentence about it, "" when it
    can be. `known` is the shape that it must have; `with_accounts`: an empty pool will not do."""
    try:
        with schema.explained(path):
            found = schema.found_version(path, known)
            if found == known:
                with closing(schema.connect(path, "ro")) as db:
                    accounts = db.execute("SELECT count(*) FROM account").fetchone()[0]
                return "is a new one without any account" if with_accounts and not accounts else ""
            return "is of an older version" if found else "is empty" if path.exists() else "is not there any more"
    except StoreError as e:
        return next((said for kind, said in _REFUSALS if isinstance(e, kind)), "cannot be read")


_REFUSALS: Final = (
    (StoreTooNew, "is of a newer version"),
    (StoreBusy, "is being written"),
    (StoreCorrupt, "is damaged"),
)
