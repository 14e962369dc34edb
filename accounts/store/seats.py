"""The accounts of a store and their credentials."""

import sqlite3
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import fields, replace
from typing import Any

from accounts.errors import LabelTaken, UnknownAccount
from accounts.model import Account, Credentials, fingerprint
from accounts.store import rows
from accounts.store.pool_file import PoolFile
from accounts.store.stored_tokens import StoredTokens

SPENT_KEPT = 5_000

_IDENTITY = frozenset({"account_id", "user_id"})
_CHANGEABLE = frozenset(f.name for f in fields(Account)) - _IDENTITY


class StoredSeats:
    """What Store says of them, it does. `tokens` are told when they change."""

    def __init__(self, file: PoolFile, tokens: StoredTokens) -> None:
        self._file = file
        self._tokens = tokens

    # --- reading -------------------------------------------------------------------------------------------------

    def accounts(self) -> tuple[Account, ...]:
        return tuple(rows.account_of(row) for row in self._file.read("SELECT * FROM account ORDER BY added_at, key"))

    def credentials(self, key: str) -> Credentials | None:
        found = self._file.read("SELECT * FROM credential WHERE key = ?", key)
        return rows.credentials_of(found[0]) if found else None

    def all_credentials(self) -> dict[str, Credentials]:
        return {row["key"]: rows.credentials_of(row) for row in self._file.read("SELECT * FROM credential")}

    def spent(self, refresh_tokens: Collection[str], *, only_replaced: bool) -> dict[str, str]:
        asked = {fingerprint(token): token for token in refresh_tokens}
        marks = ", ".join("?" * len(asked))
        query = f"SELECT digest, key, reason FROM spent WHERE digest IN ({marks})"  # noqa: S608 - only marks
        found = self._file.read(query, *asked)
        return {asked[row["digest"]]: row["key"] for row in found if not (only_replaced and row["reason"])}

    # --- writing -------------------------------------------------------------------------------------------------

    def put(self, account: Account, credentials: Credentials, *, only_new: bool) -> Future[bool]:
        def work(db: sqlite3.Connection) -> bool:
            old = rows.find(db, account.key)
            if old is not None and only_new:
                return False
            if old is None:
                others = rows.labels(db, account.key)
                rows.save_account(db, replace(account, label=rows.free_label(account.label, others)))
            else:
                rows.save_account(db, rows.renewed(old, account))
            self._tokens.forget()
            rows.save_credentials(db, account.key, credentials)
            return old is None

        return self._file.write(work)

    def update(self, key: str, changes: dict[str, Any]) -> Future[None]:
        if wrong := sorted(changes.keys() - _CHANGEABLE):
            raise TypeError(f"not changeable fields of an account: {', '.join(wrong)}")

        def work(db: sqlite3.Connection) -> None:
            account = rows.find(db, key)
            if account is None:
                raise UnknownAccount(key)
            changed = replace(account, **changes)
            if changed.label.casefold() in rows.labels(db, key):
                raise LabelTaken(changed.label)
            rows.save_account(db, changed)

        return self._file.write(work)

    def remove(self, key: str) -> Future[bool]:
        def work(db: sqlite3.Connection) -> bool:
            db.execute("DELETE FROM choice WHERE name = 'account' AND value = ?", (key,))
            for table in ("credential", "cooldown", "quota_window", "affinity", "refused_model", "look"):
                db.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - names from the line above
            return db.execute("DELETE FROM account WHERE key = ?", (key,)).rowcount > 0

        return self._file.write(work)

    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Future[bool]:
        def work(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT refresh FROM credential WHERE key = ?", (key,)).fetchone()
            if row is None or row["refresh"] != replaces:
                return False
            self._tokens.forget()
            rows.save_credentials(db, key, credentials)
            if credentials.refresh != replaces:
                rows.put_spent(db, (fingerprint(replaces), key, credentials.refreshed_at, ""), SPENT_KEPT)
            return True

        return self._file.write(work)

    def end_renewals(self, key: str, refresh: str, reason: str, now: float) -> Future[bool]:
        def work(db: sqlite3.Connection) -> bool:
            known = db.execute("SELECT reason FROM spent WHERE digest = ?", (fingerprint(refresh),)).fetchone()
            if known is None:
                rows.put_spent(db, (fingerprint(refresh), key, now, reason), SPENT_KEPT)
            ended = "UPDATE credential SET ended = ? WHERE key = ? AND refresh = ? AND ended = ''"
            return db.execute(ended, (reason, key, refresh)).rowcount > 0

        return self._file.write(work)

    def share(self, key: str) -> Future[None]:
        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE credential SET own = 0 WHERE key = ?", (key,))

        return self._file.write(work)
