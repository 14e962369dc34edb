"""Bringing a backup back into the pool that a proxy may be using.

The rows change places in one transaction of the live file, so that every opener sees the pool before or after, never
in between, and learns of it as of any other change. A refresh token works only once: of an account that is in both,
the tokens that were refreshed last stay, and are compared under the lock under which a proxy would store newer ones.
Where the pool's file is gone, the marks beside it still know what was spent: such a token comes back, but is not sent.
"""

import secrets
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from accounts.errors import WouldLoseAccounts
from accounts.model import fingerprint
from accounts.store import rows, schema
from accounts.store.backups import Backups, before_restore
from accounts.store.seats import SPENT_KEPT
from accounts.store.store import CHANGES_KEPT
from accounts.tokens.endings import Ending
from accounts.tokens.sent_marks import SentMarks


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did. `kept` are the accounts whose tokens in the pool were newer than the backup's, `returned`
    those the pool no longer had, `removed` those that the backup lacks, `spent` those whose refresh token was used
    since and is not sent again: labels each. `safety` is the backup of what was there before."""

    accounts: int
    kept: tuple[str, ...]
    returned: tuple[str, ...]
    removed: tuple[str, ...]
    spent: tuple[str, ...]
    safety: str


def would_lose(backups: Backups, name: str) -> dict[str, str]:
    """The accounts of the pool that a backup lacks: key and label. Checks the backup, changes nothing."""
    with backups.opened_copy(name) as copy:
        schema.prepare(backups.store_path, backups.migrations)
        with schema.explained(backups.store_path), closing(_connect(backups.store_path, copy)) as db:
            return _missing(db)


def restore(backups: Backups, name: str, now: float, *, may_lose: Collection[str] = ()) -> Restored:
    """Make the pool what it was in a backup, but for newer tokens. What it was until now becomes a backup first.

    Accounts that the backup lacks are removed if their keys are in `may_lose`; otherwise WouldLoseAccounts is raised.
    Whatever is raised, the pool is unchanged.
    """
    path = backups.store_path
    with backups.opened_copy(name) as copy:
        schema.prepare(path, backups.migrations)
        with schema.explained(path), closing(_connect(path, copy)) as db:
            _refuse_losses(name, _missing(db), may_lose)
            safety = backups.create_free(before_restore(now), now)
            db.execute("BEGIN IMMEDIATE")
            try:
                missing = _missing(db)
                _refuse_losses(name, missing, may_lose)
                kept, returned = _replace_rows(db)
                spent = _end_spent(db, SentMarks(path.with_name("locks")), now)
                _tell_openers(db, name, now)
                accounts = db.execute("SELECT count(*) FROM main.account").fetchone()[0]
                db.execute("COMMIT")
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
    return Restored(
        accounts=accounts,
        kept=kept,
        returned=returned,
        removed=tuple(missing.values()),
        spent=spent,
        safety=safety.stem,
    )


def _connect(path: Path, copy: Path) -> sqlite3.Connection:
    """The live file, with the backup beside it as `saved`."""
    db = schema.connect(path, "rw")
    try:
        for pragma in ("synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("ATTACH DATABASE ? AS saved", (f"{copy.absolute().as_uri()}?mode=ro",))
    except sqlite3.Error:
        db.close()
        raise
    return db


def _missing(db: sqlite3.Connection) -> dict[str, str]:
    rows = db.execute(
        "SELECT key, label FROM main.account WHERE key NOT IN (SELECT key FROM saved.account) ORDER BY added_at, key"
    )
    return {row["key"]: row["label"] for row in rows}


def _refuse_losses(name: str, missing: Mapping[str, str], may_lose: Collection[str]) -> None:
    if losses := [label for key, label in missing.items() if key not in may_lose]:
        raise WouldLoseAccounts(name, losses)


def _replace_rows(db: sqlite3.Connection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Put the backup's rows in place of the live ones. Returns whose tokens stayed because they were newer, and who
    was not in the pool."""
    returned = db.execute(
        "SELECT label FROM saved.account WHERE key NOT IN (SELECT key FROM main.account) ORDER BY added_at, key"
    ).fetchall()
    # What the provider thinks of an account is about its tokens, so its standing stays where they stay.
    staying = db.execute(
        "SELECT seat.key, seat.label, live.standing, live.standing_reason, "
        "old.refresh IS NOT now.refresh OR old.access IS NOT now.access AS differs "
        "FROM saved.account AS seat JOIN main.account AS live ON live.key = seat.key "
        "JOIN main.credential AS now ON now.key = seat.key LEFT JOIN saved.credential AS old ON old.key = seat.key "
        "WHERE old.key IS NULL OR now.refreshed_at >= old.refreshed_at ORDER BY seat.added_at, seat.key"
    ).fetchall()
    db.execute("CREATE TEMP TABLE staying (key TEXT PRIMARY KEY)")
    db.executemany("INSERT INTO temp.staying VALUES (?)", ((row["key"],) for row in staying))
    tables = db.execute(
        "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' "
        # What happened since has happened, and what was decided holds: a client's key that was taken back, the
        # account that was chosen for everybody, what people may use.
        "AND name NOT IN ('change', 'spent', 'look', 'client_key', 'choice', 'person')"
    ).fetchall()
    for table in tables:
        _replace_table(db, table["name"])
    # A token that was spent once stays spent, also for a pool that has just been made anew.
    names = "digest, key, at, reason"
    db.execute(f"INSERT OR IGNORE INTO main.spent ({names}) SELECT {names} FROM saved.spent")  # noqa: S608 - the line above
    db.executemany(
        "UPDATE main.account SET standing = ?, standing_reason = ? WHERE key = ?",
        ((row["standing"], row["standing_reason"], row["key"]) for row in staying),
    )
    return tuple(row["label"] for row in staying if row["differs"]), tuple(row["label"] for row in returned)


def _replace_table(db: sqlite3.Connection, table: str) -> None:
    names = ", ".join(row["name"] for row in db.execute(f"PRAGMA main.table_info({table})"))
    only = "WHERE key NOT IN (SELECT key FROM temp.staying)" if table == "credential" else ""
    db.execute(f"DELETE FROM main.{table} {only}")  # noqa: S608 - names from our own schema
    db.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM saved.{table} {only}")  # noqa: S608 - the same


def _end_spent(db: sqlite3.Connection, marks: SentMarks, now: float) -> tuple[str, ...]:
    """Send no token that an answer of ours has replaced, though the pool that knew of it is gone. Returns whose."""
    found = db.execute(
        "SELECT key, label, refresh, ended FROM main.credential JOIN main.account USING (key) ORDER BY added_at, key"
    ).fetchall()
    spent = [row for row in found if row["refresh"] and marks.is_spent(row["key"], row["refresh"])]
    for row in spent:
        if not row["ended"]:
            db.execute("UPDATE main.credential SET ended = ? WHERE key = ?", (Ending.USED_BEFORE, row["key"]))
            rows.put_spent(db, (fingerprint(row["refresh"]), row["key"], now, Ending.USED_BEFORE), SPENT_KEPT)
    return tuple(row["label"] for row in spent)


def _tell_openers(db: sqlite3.Connection, name: str, now: float) -> None:
    """Leave a line in the history, and a change by a writer that nobody is."""
    db.execute(
        "INSERT INTO main.event (at, kind, key, thread, detail) VALUES (?, 'restored', '', '', ?)",
        (now, f"the backup {name}"),
    )
    added = db.execute("INSERT INTO main.change (writer) VALUES (?)", (secrets.token_hex(8),))
    db.execute("DELETE FROM main.change WHERE seq <= ?", ((added.lastrowid or 0) - CHANGES_KEPT,))
