"""The ledger's own file: a row for each turn, kept for a while, and sums by the hour, kept for ever.

It is no part of the pool's file, so that writing it makes no proxy read the pool again. Several proxies write it: each
writing is one transaction that adds its rows and adds to the sums. It is written by one thread of a process at a time.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing
from itertools import batched
from pathlib import Path
from typing import Final

from accounts.ledger.records import TurnRecord
from config import files, paths

VERSION: Final = 1
BUSY_SECONDS: Final = 5.0
"""How long another proxy's writing is waited for."""
HOUR: Final = 3600
DAY: Final = 86_400

TURN: Final = (
    *("at", "person", "client_key", "account", "account_key", "project", "thread", "parent", "root", "model", "tier"),
    *("transport", "kind", "outcome", "rule", "attempts", "rotations", "first_output", "duration"),
    *("input", "cached", "output", "reasoning", "floor", "cold"),
)
"""Columns of `turns`; TurnRecord says what they mean."""
DIMENSIONS: Final = ("person", "client_key", "account", "account_key", "project", "model", "kind", "outcome", "rule")
"""What sums by the hour are told apart by."""
SUMS: Final = (
    *("turns", "attempts", "rotations", "duration", "input", "cached", "output", "reasoning", "floors", "cold"),
)

_SCHEMA: Final = f"""
CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in TURN[1:15])},
    attempts INTEGER NOT NULL, rotations INTEGER NOT NULL, first_output REAL, duration REAL NOT NULL,
    input INTEGER NOT NULL, cached INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
    floor INTEGER NOT NULL, cold INTEGER NOT NULL
) STRICT;
CREATE INDEX turns_at ON turns (at);
CREATE TABLE hours (
    hour INTEGER NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in DIMENSIONS)},
    turns INTEGER NOT NULL, attempts INTEGER NOT NULL, rotations INTEGER NOT NULL, duration REAL NOT NULL,
    input INTEGER NOT NULL, cached INTEGER NOT NULL, output INTEGER NOT NULL, reasoning INTEGER NOT NULL,
    floors INTEGER NOT NULL, cold INTEGER NOT NULL,
    PRIMARY KEY (hour, {", ".join(DIMENSIONS)})
) STRICT, WITHOUT ROWID;
CREATE TABLE lost (at REAL NOT NULL, turns INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
CREATE TABLE kept (since REAL NOT NULL) STRICT;
INSERT INTO kept VALUES (0);
PRAGMA user_version = {VERSION};
"""  # noqa: S608 - names of our own
"""`lost`: turns that could not be written. `kept.since`: older rows of `turns` are gone, their sums are not."""

_ADD_TURNS: Final = f"INSERT INTO turns ({', '.join(TURN)}) VALUES "  # noqa: S608
_PLACES: Final = f"({', '.join('?' * len(TURN))})"
AT_A_TIME: Final = 50
"""Rows in one statement: SQLite lets go of the interpreter at each, and to get it back from a busy proxy takes longer
than the row."""
_ADD_SUMS: Final = (
    f"INSERT INTO hours (hour, {', '.join(DIMENSIONS)}, {', '.join(SUMS)})"  # noqa: S608 - names of our own
    f" SELECT CAST(at AS INTEGER) / {HOUR}, {', '.join(DIMENSIONS)}, count(*),"
    f" {', '.join(f'sum({"floor" if name == "floors" else name})' for name in SUMS[1:])} FROM turns WHERE id > ?"
    f" GROUP BY {', '.join(map(str, range(1, 2 + len(DIMENSIONS))))}"
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in SUMS)}"
)
"""What rows with a larger id add to each hour."""


class UsageTooNew(sqlite3.DatabaseError):
    """A newer version of this program has written the file."""


class UsageDb:
    """The file at `path`, which is made when something is first written. Raises sqlite3.Error and OSError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | None = None
        self._is: tuple[int, int] | None = None
        """The file that is open."""

    def write(self, records: Sequence[TurnRecord], lost: int = 0, reason: str = "") -> None:
        """Add these turns, and that so many others were lost for this reason: all of it, or nothing."""
        db = self._opened()
        db.execute("BEGIN IMMEDIATE")
        try:
            last = int(db.execute("SELECT coalesce(max(id), 0) FROM turns").fetchone()[0])
            for some in batched(records, AT_A_TIME):
                db.execute(
                    _ADD_TURNS + ", ".join([_PLACES] * len(some)), [value for each in some for value in _row(each)]
                )
            db.execute(_ADD_SUMS, (last,))
            if lost:
                at = max((each.when for each in records), default=0.0)
                db.execute("INSERT INTO lost VALUES (?, ?, ?)", (at, lost, reason[:200]))
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

    def forget_before(self, moment: float) -> None:
        """Let go of the rows of turns that are older, by whole hours; what they sum up to stays."""
        border = moment // HOUR * HOUR
        db = self._opened()
        db.execute("BEGIN IMMEDIATE")
        try:
            if db.execute("SELECT 1 FROM turns WHERE at < ? LIMIT 1", (border,)).fetchone():
                db.execute("DELETE FROM turns WHERE at < ?", (border,))
                db.execute("UPDATE kept SET since = max(since, ?)", (border,))
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")

    def close(self) -> None:
        """The next call opens it again."""
        db, self._db = self._db, None
        if db is not None:
            db.close()

    def _opened(self) -> sqlite3.Connection:
        """The file that is at its place now: somebody may have moved away the one that was."""
        if self._db is not None and self._is == _identity(self.path):
            return self._db
        self.close()
        if not self.path.exists():
            paths.make_private_folder(self.path.parent)
            files.claim_private(self.path, new=False)
        self._db = db = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, autocommit=True, check_same_thread=False, cached_statements=16
        )
        with ExitStack() as failing:
            failing.callback(self.close)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            _make(db)
            failing.pop_all()
        self._is = _identity(self.path)
        return db


def _make(db: sqlite3.Connection) -> None:
    """The tables, if this is a new file. Raises UsageTooNew."""
    if _version(db) == VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        if int(db.execute("PRAGMA user_version").fetchone()[0]) == 0:  # nobody else was faster
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _row(record: TurnRecord) -> tuple[object, ...]:
    tokens = record.tokens
    return (
        *(record.when, record.person, record.client_key, record.account, record.account_key, record.project),
        *(record.thread, record.parent, record.root, record.model, record.tier),
        *(str(record.transport), str(record.kind), str(record.outcome), record.rule),
        *(record.attempts, record.rotations, record.first_output, record.duration),
        *(tokens.input, tokens.cached, tokens.output, tokens.reasoning, int(tokens.floor), record.cold),
    )


def damage_of_usage(path: Path) -> str:
    """Why the file cannot be read, "" if it can be or is not there."""
    try:
        db = open_to_read(path)
        if db is None:
            return ""
        with closing(db):
            verdict = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except (sqlite3.Error, OSError) as e:
        return str(e)
    return "" if verdict == "ok" else verdict.splitlines()[-1]


def open_to_read(path: Path) -> sqlite3.Connection | None:
    """Never makes the file; None while there is nothing in it yet. Raises sqlite3.Error, UsageTooNew among them."""
    if not path.exists():
        return None
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, autocommit=True)
    with ExitStack() as keeping:
        keeping.enter_context(closing(db))
        if _version(db) > 0:
            keeping.pop_all()
            return db
    return None


def _version(db: sqlite3.Connection) -> int:
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise UsageTooNew("a newer version of codex-rotate has written it")
    return version
