"""The people who use a pool, and all that is known of clients' keys."""

import json
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from accounts.model import fingerprint
from accounts.people.budgets import Budgets, Limit, Measure, Period
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.store import rows
from accounts.store.pool_file import PoolFile


class StoredPeople:
    """Futures are as those of Store."""

    def __init__(self, file: PoolFile) -> None:
        self._file = file

    # --- reading -------------------------------------------------------------------------------------------------

    def all(self) -> tuple[Person, ...]:
        """Everybody, by name."""
        return tuple(person_of(row) for row in self._file.read("SELECT * FROM person ORDER BY name"))

    def client_keys(self) -> tuple[ClientKey, ...]:
        """Every key of a client, the oldest first."""
        found = self._file.read("SELECT * FROM client_key ORDER BY created_at, name")
        return tuple(ClientKey(**dict(row)) for row in found)

    # --- writing -------------------------------------------------------------------------------------------------

    def put(self, person: Person, *, only_new: bool = False) -> Future[bool]:
        """Add somebody, or change them; False when `only_new` and there is somebody of that name, in any case."""

        def work(db: sqlite3.Connection) -> bool:
            there = db.execute("SELECT 1 FROM person WHERE name = ? COLLATE NOCASE", (person.name,)).fetchone()
            if there and only_new:
                return False
            db.execute(
                "INSERT OR REPLACE INTO person (name, accounts, models, priority, budgets, paused, added_at) "
                "VALUES (:name, :accounts, :models, :priority, :budgets, :paused, :added_at)",
                _values_of(person),
            )
            return True

        return self._file.write(work)

    def remove(self, name: str) -> Future[tuple[str, ...]]:
        """Forget somebody and take their keys back: the names of those."""

        def work(db: sqlite3.Connection) -> tuple[str, ...]:
            found = db.execute("SELECT name FROM client_key WHERE person = ? ORDER BY created_at, name", (name,))
            keys = tuple(row["name"] for row in found.fetchall())
            for key in keys:
                rows.remove_client_key(db, key)
            db.execute("DELETE FROM person WHERE name = ?", (name,))
            return keys

        return self._file.write(work)

    def put_key(self, key: ClientKey, secret: str) -> Future[None]:
        """Let whoever has this secret use the proxy under the name of this key. One of that name that was there before
        opens nothing any more."""
        values = {**_columns(key), "digest": fingerprint(secret)}

        def work(db: sqlite3.Connection) -> None:
            rows.remove_client_key(db, key.name)
            db.execute(
                "INSERT OR REPLACE INTO client_key (digest, name, created_at, person, label, expires_at, used_at) "
                "VALUES (:digest, :name, :created_at, :person, :label, :expires_at, :used_at)",
                values,
            )

        return self._file.write(work)

    def give_keys(self, names: tuple[str, ...], person: str) -> Future[None]:
        """Keys that are there are this person's from now on."""

        def work(db: sqlite3.Connection) -> None:
            for name in names:
                db.execute("UPDATE client_key SET person = ? WHERE name = ?", (person, name))

        return self._file.write(work)

    def used(self, keys: Mapping[str, float]) -> Future[None]:
        """When keys were last shown, by their digests."""

        def work(db: sqlite3.Connection) -> None:
            db.executemany(
                "UPDATE client_key SET used_at = :at WHERE digest = :digest AND coalesce(used_at, 0) < :at",
                [{"digest": digest, "at": when} for digest, when in keys.items()],
            )

        return self._file.write(work, may_wait=True)


def person_of(row: sqlite3.Row) -> Person:
    """A row of `person`."""
    values: dict[str, Any] = dict(row)
    return Person(
        name=values["name"],
        accounts=tuple(json.loads(values["accounts"])),
        models=tuple(json.loads(values["models"])),
        priority=values["priority"],
        budgets=_budgets_of(json.loads(values["budgets"])),
        paused=bool(values["paused"]),
        added_at=values["added_at"],
    )


def _budgets_of(told: Mapping[str, Any]) -> Budgets:
    limits = tuple(
        Limit(measure=Measure(each["measure"]), amount=int(each["amount"]), period=Period(each["period"]))
        for each in told["limits"]
    )
    return Budgets(limits=limits, share=told["share"], at_once=told["at_once"], soft=told["soft"])


def _values_of(person: Person) -> dict[str, Any]:
    budgets = person.budgets
    limits = [
        {"measure": str(each.measure), "amount": each.amount, "period": str(each.period)} for each in budgets.limits
    ]
    told = {"limits": limits, "share": budgets.share, "at_once": budgets.at_once, "soft": budgets.soft}
    return {
        "name": person.name,
        "accounts": json.dumps(person.accounts),
        "models": json.dumps(person.models),
        "priority": person.priority,
        "budgets": json.dumps(told),
        "paused": person.paused,
        "added_at": person.added_at,
    }


def _columns(key: ClientKey) -> dict[str, Any]:
    return {
        "name": key.name,
        "person": key.person,
        "label": key.label,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "used_at": key.used_at,
    }
