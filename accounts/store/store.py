"""The pool on disk: one SQLite file that the proxy, a second proxy and the CLI share.

Reading is synchronous on the caller's thread. Writing is behind the caller: one thread owns the write connection, each
write is one transaction that touches only its own rows, and its Future carries the answer or the exception. Every
transaction leaves a row in `change`, by which other openers of the file notice it.
"""

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Self

from accounts.choice.cooldowns import replaces
from accounts.choice.quota import Window
from accounts.errors import LabelTaken, StoreClosed, UnknownAccount
from accounts.model import Account, Affinity, Cooldown, Credentials, Event, Standing, fingerprint
from accounts.store import rows, schema
from accounts.store.stored_tokens import StoredTokens

EVENTS_KEPT = 5_000
CHANGES_KEPT = 512
AFFINITIES_KEPT = 10_000
SPENT_KEPT = 5_000

_IDENTITY = frozenset({"account_id", "user_id"})
_CHANGEABLE = frozenset(f.name for f in fields(Account)) - _IDENTITY


class Store:
    """An open pool.db. `repairs` says, in sentences, which files had to be closed to other users.

    Opening creates what is missing and raises StoreCorrupt, StoreTooNew or StoreUnusable.
    """

    def __init__(self, path: Path, *, migrations: tuple[str, ...] = schema.MIGRATIONS) -> None:
        self.path = path
        self.repairs = schema.prepare(path, migrations)
        self._id = os.urandom(8).hex()
        self._reading = threading.Lock()
        self._closed = False
        self._patient = True
        self._recording = threading.Lock()
        self._news: list[Event] = []
        self._recorded: Future[None] | None = None
        self._tokens = StoredTokens()
        self._looked = -math.inf
        with schema.explained(path), ExitStack() as undo:
            self._reader = undo.enter_context(closing(schema.connect(path, "ro", own_thread=False)))
            self._data_version = self._read_data_version()
            self._seen: int = self._reader.execute("SELECT coalesce(max(seq), 0) FROM change").fetchone()[0]
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pool-writer")
            undo.callback(self._executor.shutdown)
            self._writer: sqlite3.Connection = self._executor.submit(self._open_writer).result()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is queued and close the file. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        with self._reading:
            self._reader.close()  # first: the last connection tidies up, and only the writer's may
        self._executor.submit(self._writer.close)
        self._executor.shutdown()

    # --- reading -------------------------------------------------------------------------------------------------

    def accounts(self) -> tuple[Account, ...]:
        """All accounts, oldest first."""
        return tuple(rows.account_of(row) for row in self._read("SELECT * FROM account ORDER BY added_at, key"))

    def credentials(self, key: str) -> Credentials | None:
        found = self._read("SELECT * FROM credential WHERE key = ?", key)
        return rows.credentials_of(found[0]) if found else None

    def all_credentials(self) -> dict[str, Credentials]:
        """The credentials of every account, by account key."""
        return {row["key"]: rows.credentials_of(row) for row in self._read("SELECT * FROM credential")}

    def cooldowns(self) -> dict[str, Cooldown]:
        """The stored rest of each account, by account key; those that are over are still in it."""
        found = self._read("SELECT key, until, reason, since FROM cooldown WHERE family = ''")
        return {row["key"]: Cooldown(until=row["until"], reason=row["reason"], since=row["since"]) for row in found}

    def affinities(self, limit: int) -> tuple[Affinity, ...]:
        """Which account each thread belongs to, the most recently used first."""
        found = self._read("SELECT * FROM affinity ORDER BY used_at DESC, thread LIMIT ?", limit)
        return tuple(Affinity(**dict(row)) for row in found)

    def windows(self) -> dict[str, tuple[Window, ...]]:
        """What is known of the quota windows of each account, by account key."""
        known: dict[str, list[Window]] = {}
        for row in self._read("SELECT * FROM quota_window ORDER BY family, minutes"):
            values = dict(row)
            known.setdefault(values.pop("key"), []).append(Window(**values))
        return {key: tuple(windows) for key, windows in known.items()}

    def refused_models(self) -> dict[tuple[str, str], float]:
        """Until when an account counts as refused a model, by account key and model."""
        return {(row["key"], row["model"]): row["until"] for row in self._read("SELECT * FROM refused_model")}

    def events(self, limit: int) -> tuple[Event, ...]:
        """What happened, the newest first."""
        found = self._read("SELECT at, kind, key, thread, detail FROM event ORDER BY seq DESC LIMIT ?", limit)
        return tuple(Event(**dict(row)) for row in found)

    def spent(self, refresh_tokens: Collection[str]) -> dict[str, str]:
        """Which of these refresh tokens were replaced by newer ones, and the key of the account they were for."""
        asked = {fingerprint(token): token for token in refresh_tokens}
        marks = ", ".join("?" * len(asked))
        found = self._read(f"SELECT digest, key FROM spent WHERE digest IN ({marks})", *asked)  # noqa: S608 - only marks
        return {asked[row["digest"]]: row["key"] for row in found}

    def client_keys(self) -> dict[str, str]:
        """The name of each client's key, by the key's digest; oldest first."""
        return {row["digest"]: row["name"] for row in self._read("SELECT * FROM client_key ORDER BY created_at, name")}

    def chosen_account(self) -> str:
        """The key of the account that was chosen for everybody, "" for none."""
        found = self._read("SELECT value FROM choice WHERE name = 'account'")
        return str(found[0]["value"]) if found else ""

    def counters(self) -> dict[str, int]:
        """Everything that was ever counted."""
        return {row["name"]: row["value"] for row in self._read("SELECT name, value FROM counter ORDER BY name")}

    def changed_by_others(self, now: float = 0.0, *, within: float = 0.0) -> bool:
        """Whether another opener of the file has written since the last look, or since opening. Cheap when not.

        When the last look was less than `within` seconds before `now`, there is none, and the answer is no.
        """
        if 0 <= now - self._looked < within:
            return False
        self._looked = now
        with self._reading, schema.explained(self.path):
            version = self._read_data_version()
            if version == self._data_version:
                return False
            self._data_version = version
            found = self._reader.execute("SELECT seq, writer FROM change WHERE seq > ? ORDER BY seq", (self._seen,))
            news = [(row["seq"], row["writer"]) for row in found]
            if not news:
                return False
            missed = news[0][0] > self._seen + 1
            self._seen = news[-1][0]
            return missed or any(writer != self._id for _, writer in news)

    # --- writing -------------------------------------------------------------------------------------------------

    def put_account(self, account: Account, credentials: Credentials, *, only_new: bool = False) -> Future[bool]:
        """Add a seat, or renew the one with the same key in place unless `only_new`; True when it is new.

        A new seat whose label is taken gets the label with `-2`, `-3` and so on. Renewing replaces the credentials and
        what the login tells (e-mail, plan, fedramp, standing, and origin and override where given), and keeps what the
        owner chose: label, tags, note, priority, reserve, enabled, added_at.
        """

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

        return self._write(work)

    def update_account(self, key: str, **changes: Any) -> Future[None]:
        """Change fields of an account; TypeError for a name that is none or that identifies the seat.

        The Future raises UnknownAccount when the account is gone and LabelTaken when another one has that label.
        """
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

        return self._write(work)

    def set_standing(self, key: str, standing: Standing) -> Future[None]:
        """What the provider thinks of the account now. The Future raises UnknownAccount when it is gone."""
        return self.update_account(key, standing=standing)

    def remove_account(self, key: str) -> Future[bool]:
        """Forget an account and everything stored about it but its events; False when it was not there."""

        def work(db: sqlite3.Connection) -> bool:
            db.execute("DELETE FROM choice WHERE name = 'account' AND value = ?", (key,))
            for table in ("credential", "cooldown", "quota_window", "affinity", "refused_model"):
                db.execute(f"DELETE FROM {table} WHERE key = ?", (key,))  # noqa: S608 - names from the line above
            return db.execute("DELETE FROM account WHERE key = ?", (key,)).rowcount > 0

        return self._write(work)

    def save_credentials(self, key: str, credentials: Credentials, replaces: str) -> Future[bool]:
        """Store refreshed tokens if the refresh token they were made from is still the stored one.

        False when somebody else was first or the account is gone; the stored tokens are then the ones to use.
        """

        def work(db: sqlite3.Connection) -> bool:
            row = db.execute("SELECT refresh FROM credential WHERE key = ?", (key,)).fetchone()
            if row is None or row["refresh"] != replaces:
                return False
            self._tokens.forget()
            rows.save_credentials(db, key, credentials)
            if credentials.refresh != replaces:
                spent = (fingerprint(replaces), key, credentials.refreshed_at)
                db.execute("INSERT OR REPLACE INTO spent (digest, key, at) VALUES (?, ?, ?)", spent)
                kept = "SELECT rowid FROM spent ORDER BY rowid DESC LIMIT -1 OFFSET ?"
                db.execute(f"DELETE FROM spent WHERE rowid IN ({kept})", (SPENT_KEPT,))  # noqa: S608 - the line above
            return True

        return self._write(work)

    def share(self, key: str) -> Future[None]:
        """From now on somebody else holds this account's login too."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("UPDATE credential SET own = 0 WHERE key = ?", (key,))

        return self._write(work)

    def choose_account(self, key: str) -> Future[None]:
        """From now on only this account serves, for every client of every proxy; "" lets the pool choose again."""
        return self._write(lambda db: rows.put_choice(db, "account", key))

    def put_client_key(self, name: str, secret: str, now: float) -> Future[None]:
        """Let whoever has this key use the proxy. One of the same name is no longer good for anything."""
        row = (fingerprint(secret), name, now)
        return self._write(lambda db: rows.put_client_key(db, row))

    def remove_client_key(self, name: str) -> Future[bool]:
        """Forget a key; False when there was none of that name."""
        return self._write(lambda db: db.execute("DELETE FROM client_key WHERE name = ?", (name,)).rowcount > 0)

    def set_cooldown(self, key: str, cooldown: Cooldown) -> Future[None]:
        """Let an account rest; a stored rest that is firmer, or as firm and longer, stays. Nothing when it is gone."""

        def work(db: sqlite3.Connection) -> None:
            found = "SELECT until, reason, since FROM cooldown WHERE key = ? AND family = ''"
            row = db.execute(found, (key,)).fetchone()
            if not replaces(cooldown, Cooldown(**dict(row)) if row else None, cooldown.since):
                return
            db.execute(
                "INSERT OR REPLACE INTO cooldown (key, family, until, reason, since) "
                "SELECT key, '', :until, :reason, :since FROM account WHERE key = :key",
                {"key": key, **asdict(cooldown)},
            )

        return self._write(work)

    def clear_cooldown(self, key: str) -> Future[None]:
        """End every rest of an account."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM cooldown WHERE key = ?", (key,))

        return self._write(work)

    def save_affinity(self, affinity: Affinity) -> Future[None]:
        """Remember where a thread belongs, unless a later use is stored. Nothing when the account is gone."""

        return self._write(lambda db: rows.save_affinity(db, affinity, AFFINITIES_KEPT))

    def set_windows(self, key: str, windows: tuple[Window, ...]) -> Future[None]:
        """What is known of an account's quota windows now; what was seen later by somebody else stays."""

        return self._write(lambda db: rows.save_windows(db, key, windows))

    def refuse_model(self, key: str, model: str, until: float, now: float) -> Future[None]:
        """Upstream does not let this account use a model; that is believed until then."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM refused_model WHERE until <= ?", (now,))
            row = (model, until, key)
            db.execute("INSERT OR REPLACE INTO refused_model SELECT key, ?, ? FROM account WHERE key = ?", row)

        return self._write(work)

    def record(self, *events: Event) -> Future[None]:
        """Add events to the bounded history. A stored token that slipped into their text is masked.

        What is recorded while the writer is busy becomes one transaction.
        """

        def work(db: sqlite3.Connection) -> None:
            with self._recording:
                news, self._news, self._recorded = self._news, [], None
            for event in news:
                db.execute(
                    "INSERT INTO event (at, kind, key, thread, detail) VALUES (?, ?, ?, ?, ?)",
                    (event.at, event.kind, event.key, event.thread, self._tokens.masked(db, event.detail)),
                )
            db.execute("DELETE FROM event WHERE seq <= (SELECT max(seq) FROM event) - ?", (EVENTS_KEPT,))

        with self._recording:
            self._news += events
            if self._recorded is None:
                self._recorded = self._write(work)
            return self._recorded

    def count(self, name: str, by: int = 1) -> Future[None]:
        """Add to a counter that outlives this process."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO counter (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, by),
            )

        return self._write(work)

    def flush(self) -> None:
        """Wait until everything queued so far is on disk."""
        if not self._closed:
            self._executor.submit(lambda: None).result()

    # --- inside --------------------------------------------------------------------------------------------------

    def _open_writer(self) -> sqlite3.Connection:
        writer = schema.connect(self.path, "rw")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            writer.execute(f"PRAGMA {pragma}")
        return writer

    def _read_data_version(self) -> int:
        return int(self._reader.execute("PRAGMA data_version").fetchone()[0])

    def _read(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._reading, schema.explained(self.path):
            return self._reader.execute(query, values).fetchall()

    def _be_patient(self, patient: bool) -> None:
        if patient is not self._patient:
            self._patient = patient
            self._writer.execute(f"PRAGMA busy_timeout = {schema.BUSY_SECONDS * 1000 if patient else 100:.0f}")

    def _write[T](self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        try:
            return self._executor.submit(self._transaction, work)
        except RuntimeError:  # the executor was shut down
            refused: Future[T] = Future()
            refused.set_exception(StoreClosed(self.path))
            return refused

    def _transaction[T](self, work: Callable[[sqlite3.Connection], T]) -> T:
        db = self._writer
        with schema.explained(self.path):
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                self._be_patient(False)  # the queue behind this one must not add up the waiting
                raise
            self._be_patient(True)
            try:
                answer = work(db)
                added = db.execute("INSERT INTO change (writer) VALUES (?)", (self._id,))
                db.execute("DELETE FROM change WHERE seq <= ?", ((added.lastrowid or 0) - CHANGES_KEPT,))
                db.execute("COMMIT")
            finally:
                if db.in_transaction:  # the work failed, or the commit did
                    db.execute("ROLLBACK")
        return answer
