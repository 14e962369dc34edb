"""Rows of pool.db as values, and values as rows."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any, Final

from accounts.choice.quota import Window
from accounts.model import Account, Affinity, Credentials, Standing

AHEAD: Final = 3600
"""Seconds: what is stored as so much later than what is known now was written while the clock was ahead."""


def account_of(row: sqlite3.Row) -> Account:
    """A row of `account`."""
    values: dict[str, Any] = dict(row)
    del values["key"]
    values |= {
        "fedramp": bool(values["fedramp"]),
        "enabled": bool(values["enabled"]),
        "tags": tuple(json.loads(values["tags"])),
        "standing": Standing(values["standing"]),
    }
    return Account(**values)


def credentials_of(row: sqlite3.Row) -> Credentials:
    """A row of `credential`."""
    values: dict[str, Any] = dict(row)
    del values["key"]
    return Credentials(**{**values, "own": bool(values["own"])})


def find(db: sqlite3.Connection, key: str) -> Account | None:
    """The stored account, None when it is gone."""
    row = db.execute("SELECT * FROM account WHERE key = ?", (key,)).fetchone()
    return None if row is None else account_of(row)


def labels(db: sqlite3.Connection, key: str) -> frozenset[str]:
    """The labels of all accounts but `key`, without regard to case."""
    return frozenset(row["label"].casefold() for row in db.execute("SELECT label FROM account WHERE key != ?", (key,)))


def free_label(label: str, taken: Iterable[str]) -> str:
    """`label`, or with `-2`, `-3` and so on when it is taken."""
    names, number, free = frozenset(taken), 1, label
    while free.casefold() in names:
        number += 1
        free = f"{label}-{number}"
    return free


def renewed(old: Account, login: Account) -> Account:
    """The stored seat after a new login: what the login tells is new, what the owner chose stays."""
    return replace(
        old,
        email=login.email or old.email,
        plan=login.plan or old.plan,
        fedramp=login.fedramp,
        backend_origin=login.backend_origin or old.backend_origin,
        routing_override=login.routing_override or old.routing_override,
        standing=login.standing,
        standing_reason=login.standing_reason,
    )


def save_account(db: sqlite3.Connection, account: Account) -> None:
    """Insert or replace the row of an account."""
    values = {
        "key": account.key,
        **asdict(account),
        "tags": json.dumps(account.tags),
        "standing": str(account.standing),
    }
    _upsert(db, "account", values)
    if account.standing is Standing.GOOD:
        db.execute("DELETE FROM look WHERE key = ?", (account.key,))


def save_credentials(db: sqlite3.Connection, key: str, credentials: Credentials) -> None:
    """Insert or replace the tokens of an account."""
    _upsert(db, "credential", {"key": key, **asdict(credentials)})


def put_spent(db: sqlite3.Connection, row: tuple[str, str, float, str], most: int) -> None:
    """A refresh token that is never sent again: its digest, whose it was, since when, and why ("": it was replaced); of
    so many."""
    db.execute("INSERT OR REPLACE INTO spent (digest, key, at, reason) VALUES (?, ?, ?, ?)", row)
    kept = "SELECT rowid FROM spent ORDER BY rowid DESC LIMIT -1 OFFSET ?"
    db.execute(f"DELETE FROM spent WHERE rowid IN ({kept})", (most,))  # noqa: S608 - the line above


REMOVED_KEY: Final = "removed_key:"
"""With the digest of a key that was taken back: the name of a choice, whose value is the key's name."""


def put_client_key(db: sqlite3.Connection, row: tuple[str, str, float]) -> None:
    """Insert a key, in the place of one of the same name."""
    remove_client_key(db, row[1])
    db.execute("INSERT OR REPLACE INTO client_key (digest, name, created_at) VALUES (?, ?, ?)", row)


def remove_client_key(db: sqlite3.Connection, name: str) -> bool:
    """Forget a key, but not that its owner has taken it back. False when there was none of that name."""
    db.execute(
        "INSERT OR REPLACE INTO choice (name, value) SELECT ? || digest, name FROM client_key WHERE name = ?",
        (REMOVED_KEY, name),
    )
    return db.execute("DELETE FROM client_key WHERE name = ?", (name,)).rowcount > 0


def put_choice(db: sqlite3.Connection, name: str, value: str) -> None:
    """What the owner has chosen; "" takes it back."""
    if value:
        _upsert(db, "choice", {"name": name, "value": value})
    else:
        db.execute("DELETE FROM choice WHERE name = ?", (name,))


def save_affinity(db: sqlite3.Connection, affinity: Affinity, most: int) -> None:
    """Remember where a thread belongs, unless a later use is stored; of so many threads."""
    db.execute(
        "INSERT INTO affinity (thread, key, used_at, detour, detoured_at, owner) "
        "SELECT :thread, key, :used_at, :detour, :detoured_at, :owner FROM account WHERE key = :key "
        "ON CONFLICT (thread) DO UPDATE SET key = excluded.key, used_at = excluded.used_at, "
        "detour = excluded.detour, detoured_at = excluded.detoured_at, owner = excluded.owner "
        "WHERE excluded.used_at >= affinity.used_at OR affinity.used_at > excluded.used_at + :ahead",
        {**asdict(affinity), "ahead": AHEAD},
    )
    db.execute(
        "DELETE FROM affinity WHERE thread IN (SELECT thread FROM affinity ORDER BY used_at DESC LIMIT -1 OFFSET ?)",
        (most,),
    )


def save_windows(db: sqlite3.Connection, key: str, windows: Iterable[Window]) -> None:
    """What is known of an account's quota windows, unless something was seen later."""
    db.executemany(
        "INSERT INTO quota_window (key, family, minutes, used_percent, resets_at, seen_at) "
        "SELECT key, :family, :minutes, :used_percent, :resets_at, :seen_at FROM account WHERE key = :key "
        "ON CONFLICT (key, family, minutes) DO UPDATE SET used_percent = excluded.used_percent, "
        "resets_at = excluded.resets_at, seen_at = excluded.seen_at "
        "WHERE excluded.seen_at >= seen_at OR seen_at > excluded.seen_at + :ahead",
        [{"key": key, "ahead": AHEAD, **asdict(window)} for window in windows],
    )


def _upsert(db: sqlite3.Connection, table: str, values: dict[str, Any]) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608 - our own names
