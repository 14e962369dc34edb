"""Copies of pool.db in a folder of their own: made while a proxy writes, listed, and made once a day by themselves.

A backup is one self-contained file that appears under its name only when it is whole, and is never overwritten.
"""

import logging
import os
import re
import secrets
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from accounts.errors import BackupDamaged, BadBackupName, StoreCorrupt, StoreTooNew, UnknownBackup
from accounts.store import schema
from config import clock
from config.files import claim_private
from config.paths import make_private_folder
from config.patience import patiently

logger = logging.getLogger(__name__)

AUTOMATIC_KEPT: Final = 7
"""How many of each kind of automatic backup stay: those of the days, and those from before a restore."""
LEFTOVER_AFTER: Final = 86_400.0
"""Seconds after which what a killed process left half done is nobody's any more."""
_SUFFIX: Final = ".db"
_LONGEST: Final = 100
_SPELLING: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_AUTOMATIC: Final = re.compile(r"auto-\d{4}-\d{2}-\d{2}", re.ASCII)
_SAFETY: Final = re.compile(r"before-restore-(\d{4}-\d{2}-\d{2}T\d{6}Z)(?:-(\d+))?", re.ASCII)
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE | re.ASCII)
"""What Windows takes for a device, whatever follows the first dot."""
_RESTORING: Final = re.compile(r"\.restoring-[a-z0-9_]{8}", re.ASCII)
_HALF_DONE: Final = (
    (re.compile(r"\.[0-9a-f]{16}\.unfinished(-journal|-wal|-shm)?", re.ASCII), stat.S_ISREG),
    (_RESTORING, stat.S_ISDIR),
)
"""What a backup and a restore leave when they are killed: files of the one, folders of the other."""
_NO_ROOM: Final = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC}
"""What SQLite says when a file cannot be written."""


class BackupCondition(StrEnum):
    USABLE = "usable"
    DAMAGED = "damaged"
    NEWER = "newer"
    """Made by a codex-rotate that knows more than this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One file of the folder. `made_at` is in epoch seconds; `accounts` is None when it cannot be read."""

    name: str
    made_at: float
    size: int
    condition: BackupCondition
    accounts: int | None = None


class Backups:
    """The backups in `folder` of the pool in `store_path`. What fails raises RotateError, but for `daily`."""

    def __init__(
        self,
        store_path: Path,
        folder: Path,
        *,
        migrations: tuple[str, ...] = schema.MIGRATIONS,
        pause: Callable[[float], None] = clock.pause,
    ) -> None:
        self.store_path = store_path
        self.folder = folder
        self.migrations = migrations
        self._pause = pause

    def create(self, name: str | None, now: float) -> Path:
        """Copy the pool as it is now. Without a name, the time in UTC is the name."""
        if name is None:
            return self.create_free(stamp(now), now)
        if _AUTOMATIC.fullmatch(name) or _SAFETY.fullmatch(name):
            raise BadBackupName(name, "names like it are for the automatic backups, which are deleted in time")
        target = self._put(checked(name), now)
        if target is None:
            raise BadBackupName(name, "there is one already, and none is ever overwritten")
        return target

    def create_free(self, stem: str, now: float) -> Path:
        """Copy the pool under the first free name of `stem`, `stem-2`, `stem-3` and so on."""
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        return next(target for name in names if (target := self._put(name, now)) is not None)

    def entries(self) -> tuple[Backup, ...]:
        """What is in the folder, the newest first. A file that cannot be read is shown as damaged."""
        with schema.explained(self.folder):
            found = self._files()
        entries = [entry for file in found if (entry := self._entry(file))]
        return tuple(sorted(entries, key=lambda each: (-each.made_at, each.name)))

    def due(self, now: float) -> bool:
        """Whether today, in UTC, has no automatic backup yet."""
        return not self._file(_automatic(now)).exists()

    def daily(self, now: float) -> Path | None:
        """Today's automatic backup, unless it is there or fails, which one line of the log tells. Never raises."""
        try:
            made = self._put(_automatic(now), now) if self.due(now) else None
        except Exception as e:  # noqa: BLE001 - a proxy that cannot make a backup goes on serving
            logger.warning("No automatic backup was made. %s", _one_line(e))
            return None
        if made is not None:
            self._tidy(made, now)
        return made

    def holding(self, key: str) -> tuple[str, ...]:
        """The backups with a login of this account, by name. One that cannot be read may hold it, and is among them."""
        with schema.explained(self.folder):
            return tuple(file.stem for file in self._files() if _may_hold(file, key))

    @contextmanager
    def opened_copy(self, name: str) -> Iterator[Path]:
        """A checked copy of a backup in the newest shape, to read from. It is gone afterwards.

        Raises BadBackupName, UnknownBackup, BackupDamaged or StoreTooNew; the backup itself is only read.
        """
        source = self._file(checked(name))
        with schema.explained(self.folder):
            if not source.is_file():
                raise UnknownBackup(name)
            make_private_folder(self.folder)
            working = TemporaryDirectory(dir=self.folder, prefix=".restoring-", ignore_cleanup_errors=True)
        with working as place:
            copy = Path(place, "pool.db")
            with schema.explained(source):
                content = source.read_bytes()
            with schema.explained(self.folder):
                claim_private(copy)
                copy.write_bytes(content)
            _examine(copy, len(self.migrations), shown=source)
            schema.prepare(copy, self.migrations)
            yield copy

    # --- inside --------------------------------------------------------------------------------------------------

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}{_SUFFIX}"

    def _files(self) -> list[Path]:
        """Everything that is called as a backup is, by name; none when there is no folder yet."""
        try:
            found = list(self.folder.iterdir())  # not glob, to which a folder that refuses is an empty one
        except FileNotFoundError:
            return []
        return sorted(file for file in found if file.name.endswith(_SUFFIX) and not file.name.startswith("."))

    def _put(self, name: str, now: float) -> Path | None:
        """A new backup called `name`, or None when the name is taken."""
        target = self._file(name)
        unfinished = self.folder / f".{secrets.token_hex(8)}.unfinished"
        try:
            with schema.explained(self.folder):
                make_private_folder(self.folder)
                if target.exists():
                    return None
                claim_private(unfinished)
            self._copy_to(unfinished)
            with schema.explained(self.folder):
                os.utime(unfinished, (now, now))
                return target if self._move(unfinished, target) else None
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def _copy_to(self, unfinished: Path) -> None:
        with (
            schema.explained(self.store_path),
            closing(schema.connect(self.store_path, "ro")) as source,
            closing(schema.connect(unfinished, "rw")) as copy,
        ):
            try:
                source.backup(copy, progress=_no_endless_wait)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
            except sqlite3.Error as e:
                if getattr(e, "sqlite_errorcode", None) in _NO_ROOM:  # for the copy: the pool itself is only read
                    raise schema.trouble(self.folder, e) from e
                raise
        try:
            _examine(unfinished, len(self.migrations), shown=self.store_path)
        except BackupDamaged as e:
            raise StoreCorrupt(self.store_path, "a copy of it is damaged") from e

    def _move(self, unfinished: Path, target: Path) -> bool:
        """Give a whole file its name; False when somebody else was faster. Renaming alone would overwrite theirs."""
        try:
            claim_private(target)
        except FileExistsError:
            return False
        try:
            patiently(lambda: unfinished.replace(target), self._pause)
        except OSError:
            patiently(lambda: target.unlink(missing_ok=True), self._pause)
            raise
        return True

    def _tidy(self, made: Path, now: float) -> None:
        """Delete what nobody asked for by name: old automatic backups beyond the number kept, and what is half done.

        Never the backup just made. What cannot be deleted is a line of the log.
        """
        with _only_logged("Old automatic backups"):
            for path in (*self._superfluous(made), *self._leftovers(now)):
                with _only_logged(path.name):
                    patiently(partial(_delete, path), self._pause)

    def _superfluous(self, made: Path) -> Iterator[Path]:
        """All but the newest of the days and of those from before a restore, as their names tell."""
        files = self._files()
        days = [file for file in files if _AUTOMATIC.fullmatch(file.stem)]
        safety = sorted((file for file in files if _SAFETY.fullmatch(file.stem)), key=_moment_and_number)
        yield from (file for file in (*days[:-AUTOMATIC_KEPT], *safety[:-AUTOMATIC_KEPT]) if file != made)

    def _leftovers(self, now: float) -> Iterator[Path]:
        """What a killed process did not finish, and nobody can be working on any more."""
        for path in sorted(self.folder.glob(".*")):
            with suppress(FileNotFoundError):
                found = path.lstat()
                ours = any(name.fullmatch(path.name) and is_kind(found.st_mode) for name, is_kind in _HALF_DONE)
                if ours and now - found.st_mtime > LEFTOVER_AFTER:
                    yield path

    def _entry(self, file: Path) -> Backup | None:
        accounts, condition = None, BackupCondition.USABLE
        try:
            accounts = _examine(file, len(self.migrations), shown=file)
        except BackupDamaged:
            condition = BackupCondition.DAMAGED
        except StoreTooNew:
            condition = BackupCondition.NEWER
        try:
            found = file.stat()
        except OSError:  # deleted meanwhile
            return None
        return Backup(
            name=file.stem, made_at=found.st_mtime, size=found.st_size, condition=condition, accounts=accounts
        )


def daily(store_path: Path, folder: Path, now: float) -> Path | None:
    """Make today's automatic backup if it is due, and make room: the newest seven of a kind stay. Never raises."""
    return Backups(store_path, folder).daily(now)


def checked(name: str) -> str:
    """The name, if it is a plain file name on every system; raises BadBackupName."""
    if not name or len(name) > _LONGEST:
        raise BadBackupName(name, f"it needs 1 to {_LONGEST} characters")
    if not _SPELLING.fullmatch(name):
        raise BadBackupName(name, "only letters, digits, dot, dash and underscore may be in it")
    if name.startswith(".") or ".." in name:
        raise BadBackupName(name, "it may neither start with a dot nor have two in a row")
    if _DEVICE.fullmatch(name):
        raise BadBackupName(name, "on Windows it is the name of a device")
    return name


def stamp(now: float) -> str:
    """A time as part of a name, in UTC."""
    return f"{_utc(now):%Y-%m-%dT%H%M%SZ}"


def before_restore(now: float) -> str:
    """What a backup is called that a restore makes of what was there."""
    return f"before-restore-{stamp(now)}"


def _examine(path: Path, known: int, *, shown: Path) -> int:
    """How many accounts are in a backup. Only reads, and leaves nothing beside the file.

    Raises BackupDamaged or StoreTooNew, about `shown`.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            version, owner = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id"))
            if owner != schema.APPLICATION_ID or not version:
                raise BackupDamaged(shown, "it does not hold a pool")
            if version > known:
                raise StoreTooNew(shown, version, known)
            verdict = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if verdict != "ok":
                raise BackupDamaged(shown, verdict.splitlines()[-1])
            return int(db.execute("SELECT count(*) FROM account").fetchone()[0])
    except (sqlite3.Error, OSError) as e:
        raise BackupDamaged(shown, str(e)) from e


def _may_hold(file: Path, key: str) -> bool:
    """Whether a backup has a login of this account, or cannot be asked. Leaves nothing beside the file."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            return db.execute("SELECT 1 FROM credential WHERE key = ?", (key,)).fetchone() is not None
    except sqlite3.Error:
        return file.exists()


def _moment_and_number(safety: Path) -> tuple[str, int]:
    """What a backup from before a restore is sorted by; `-10` comes after `-2`."""
    told = _SAFETY.fullmatch(safety.stem)
    assert told is not None
    return told[1], int(told[2] or 1)


@contextmanager
def _only_logged(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        logger.warning("%s could not be deleted. %s", what, _one_line(e))


def _delete(path: Path) -> None:
    with suppress(FileNotFoundError):  # another process tidies up as well
        if _RESTORING.fullmatch(path.name):
            shutil.rmtree(path)
        else:
            path.unlink()


def _no_endless_wait(status: int, remaining: int, total: int) -> None:
    """SQLite's own waiting is over by then; Python's would begin again for ever."""
    if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        raise sqlite3.OperationalError("the database is locked")


def _automatic(now: float) -> str:
    return f"auto-{_utc(now):%Y-%m-%d}"


def _utc(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
