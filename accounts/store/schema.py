"""The shape of pool.db and how a file gets into that shape.

A file is looked at read-only before anything may write to it, so a damaged, foreign or newer file stays as it is, byte
for byte. Whoever has to create or migrate takes a lock between processes and looks again. Each migration is one
transaction, preceded by a copy of the file.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from accounts.errors import StoreBusy, StoreCorrupt, StoreError, StoreTooNew, StoreUnusable
from config import access
from config.files import claim_private
from config.paths import PRIVATE_FILE, PRIVATE_FOLDER, make_private_file, make_private_folder

APPLICATION_ID = 0x43785274
"""Marks a SQLite file as ours."""
IS_FOLDER = (
    "Move it aside, then restore a backup (`codex-rotate backup list`) or import the accounts again with `codex-rotate "
    "import` or `codex-rotate login`."
)
BACKUPS = "backups"
"""The folder beside a pool in which its backups are."""
BUSY_SECONDS = 10.0
"""How long a connection waits for another process's transaction."""

_FIRST = """
CREATE TABLE account (
    key TEXT PRIMARY KEY, account_id TEXT NOT NULL, user_id TEXT NOT NULL, label TEXT NOT NULL, email TEXT NOT NULL,
    plan TEXT NOT NULL, fedramp INTEGER NOT NULL, backend_origin TEXT, routing_override TEXT, tags TEXT NOT NULL,
    note TEXT NOT NULL, priority INTEGER NOT NULL, reserve_percent INTEGER NOT NULL, enabled INTEGER NOT NULL,
    standing TEXT NOT NULL, added_at REAL NOT NULL
);
CREATE TABLE credential (
    key TEXT PRIMARY KEY, access TEXT NOT NULL, refresh TEXT NOT NULL, id_token TEXT NOT NULL, expires_at REAL,
    refreshed_at REAL NOT NULL
);
CREATE TABLE cooldown (
    key TEXT NOT NULL, family TEXT NOT NULL, until REAL NOT NULL, reason TEXT NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (key, family)
);
CREATE TABLE quota_window (
    key TEXT NOT NULL, family TEXT NOT NULL, minutes INTEGER NOT NULL, used_percent REAL NOT NULL, resets_at REAL,
    seen_at REAL NOT NULL, PRIMARY KEY (key, family, minutes)
);
CREATE TABLE affinity (thread TEXT PRIMARY KEY, key TEXT NOT NULL, used_at REAL NOT NULL);
CREATE INDEX affinity_by_use ON affinity (used_at);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL,
    thread TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, writer TEXT NOT NULL);
"""

_COUNTERS = "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);"

_OWNERS = """
ALTER TABLE credential ADD COLUMN own INTEGER NOT NULL DEFAULT 0;
CREATE TABLE spent (digest TEXT PRIMARY KEY, key TEXT NOT NULL, at REAL NOT NULL);
"""

_SELECTION = """
ALTER TABLE affinity ADD COLUMN detour TEXT NOT NULL DEFAULT '';
ALTER TABLE affinity ADD COLUMN detoured_at REAL NOT NULL DEFAULT 0;
ALTER TABLE affinity ADD COLUMN owner TEXT NOT NULL DEFAULT '';
CREATE TABLE refused_model (
    key TEXT NOT NULL, model TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (key, model)
);
"""

_CLIENTS = "CREATE TABLE client_key (digest TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at REAL NOT NULL);"

_CHOICES = "CREATE TABLE choice (name TEXT PRIMARY KEY, value TEXT NOT NULL);"

_ENDINGS = """
ALTER TABLE account ADD COLUMN standing_reason TEXT NOT NULL DEFAULT '';
ALTER TABLE credential ADD COLUMN ended TEXT NOT NULL DEFAULT '';
ALTER TABLE spent ADD COLUMN reason TEXT NOT NULL DEFAULT '';
CREATE TABLE look (key TEXT PRIMARY KEY, times INTEGER NOT NULL, at REAL NOT NULL);
"""

_PEOPLE = """
CREATE TABLE person (
    name TEXT PRIMARY KEY, accounts TEXT NOT NULL, models TEXT NOT NULL, priority INTEGER NOT NULL,
    budgets TEXT NOT NULL, paused INTEGER NOT NULL, added_at REAL NOT NULL
);
ALTER TABLE client_key ADD COLUMN person TEXT NOT NULL DEFAULT '';
ALTER TABLE client_key ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE client_key ADD COLUMN expires_at REAL;
ALTER TABLE client_key ADD COLUMN used_at REAL;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _COUNTERS, _OWNERS, _SELECTION, _CLIENTS, _CHOICES, _ENDINGS, _PEOPLE)
"""Script n leads from schema n to n + 1; the number of scripts is the schema this program knows."""


def connect(path: Path, mode: Literal["ro", "rw"], *, own_thread: bool = True) -> sqlite3.Connection:
    """A connection in autocommit mode that never creates the file. `own_thread=False` lets several threads share it."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        autocommit=True,
        check_same_thread=own_thread,
    )
    connection.row_factory = sqlite3.Row
    return connection


def trouble(path: Path, error: sqlite3.Error | OSError) -> StoreError:
    """What a failure of the file means for the user."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return StoreCorrupt(path, str(error))
    if code is not None and code & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(path)
    if refused := _refused(path, error, code):
        return StoreUnusable(path, refused.of(path), refused.remedy)
    return StoreUnusable(path, getattr(error, "strerror", None) or str(error))


def _refused(path: Path, error: sqlite3.Error | OSError, code: int | None) -> access.DiskRefusal | None:
    """What on the disk refuses. SQLite does not say which file it was: it may be one beside the database."""
    if isinstance(error, OSError):
        named = isinstance(error.filename, str) and Path(error.filename).is_absolute()
        return access.refusal(Path(error.filename) if named else path, error.errno) or access.refusal(path, error.errno)
    if code is None or code & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return access.full(path)
    with suppress(OSError):
        for beside in sorted(path.parent.glob(f"{path.name}-*")):
            if refused := access.belonging(beside):
                return refused
    return access.refusal(path)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise inside into StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as e:
        raise trouble(path, e) from e


def prepare(path: Path, migrations: tuple[str, ...]) -> tuple[str, ...]:
    """Make sure that `path` exists in its newest shape and is private. Returns what had to be repaired, as sentences.

    Raises StoreCorrupt, StoreTooNew or StoreUnusable, and has then changed no content.
    """
    with explained(path):
        if path.is_dir():
            raise StoreUnusable(path, "it is a folder, where a file has to be", IS_FOLDER)
        repairs = (*_close_folder(path.parent), *_close_files(path))
        if found_version(path, len(migrations)) < len(migrations):
            _build(path, migrations)
        return repairs


def found_version(path: Path, known: int) -> int:
    """The file's schema number, 0 for one that is missing or empty. Reads only. Raises StoreCorrupt, StoreTooNew, and
    what SQLite and the disk do."""
    if not access.there(path) or (path.is_file() and path.stat().st_size == 0):
        return 0
    with closing(connect(path, "ro")) as connection:
        try:
            found = _pragma(connection, "user_version")
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            # Its maker died half way through creating it; only a writer may roll that back.
            with closing(connect(path, "rw")) as healer:
                found = _pragma(healer, "user_version")
        if found > known:
            raise StoreTooNew(path, found, known)
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and not found:
            return 0
        if _pragma(connection, "application_id") != APPLICATION_ID:
            raise StoreCorrupt(path, "it belongs to another program")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise StoreCorrupt(path, str(verdict).splitlines()[-1])
        return found


def _build(path: Path, migrations: tuple[str, ...]) -> None:
    """Create the file at once, or bring an older one forward step by step, alone among all processes."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(path.with_name(f"{path.name}.lock"), mode=PRIVATE_FILE, timeout=BUSY_SECONDS):
            if path.is_file() and not path.stat().st_size and any(path.with_name(BACKUPS).glob("*.db")):
                raise StoreCorrupt(path, "it is empty, and there are backups of what was in it")
            claim_private(path, new=False)
            found = found_version(path, len(migrations))
            if not found:
                _migrate(path, len(migrations), "".join(migrations), worth_a_copy=False)
                return
            for number, script in enumerate(migrations[found:], start=found + 1):
                _migrate(path, number, script, worth_a_copy=True)
    except Timeout as e:
        raise StoreUnusable(path, "another process has been changing its shape for too long") from e


def _migrate(path: Path, number: int, script: str, *, worth_a_copy: bool) -> None:
    with closing(connect(path, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        if worth_a_copy:
            _copy(path, path.with_name(f"{path.name}.before-v{number}"))
        connection.executescript(script)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")


def _copy(path: Path, target: Path) -> None:
    """An online backup, made under another name first so that a half copy never looks like a whole one."""
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    claim_private(unfinished)
    with closing(connect(path, "ro")) as source, closing(connect(unfinished, "rw")) as copy:
        source.backup(copy)
    unfinished.replace(target)


def _close_folder(path: Path) -> Iterator[str]:
    """Make the folder, for its owner only; yields a sentence when others could look into it before."""
    before = stat.S_IMODE(path.stat().st_mode) if access.there(path) else PRIVATE_FOLDER
    if before & stat.S_ISVTX:
        raise StoreUnusable(path, "it is a folder shared by everybody, and account tokens need one of their own")
    make_private_folder(path)
    if os.name == "posix" and before != PRIVATE_FOLDER:
        yield _repaired(path, before, PRIVATE_FOLDER)


def _close_files(path: Path) -> Iterator[str]:
    """The same for the database and what lies beside it: -wal, -shm, the lock and the copies."""
    for file in sorted(path.parent.glob(f"{path.name}*")):
        with suppress(FileNotFoundError):  # the last one to close the database removes -wal and -shm
            before = stat.S_IMODE(file.stat().st_mode)
            make_private_file(file)
            if os.name == "posix" and before != PRIVATE_FILE:
                yield _repaired(file, before, PRIVATE_FILE)


def _repaired(path: Path, before: int, after: int) -> str:
    what = "was open to other users" if before & 0o077 else "could not be used by its owner"
    return f"{path} {what} (mode {before:04o}); it is now {after:04o}."


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
