"""Values and small doubles for tests: accounts, tokens made at run time, a clock that the test moves, a journal."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt

from accounts.model import Account, Affinity, Cooldown, Credentials, Event, Standing
from accounts.pool import Lease, Pool
from accounts.selection import Ask

NOW = 1_800_000_000.0
HOUR = 3600.0
DAY = 86_400.0

AUTH_CLAIM = "https://api.openai.com/auth"


def account(name: str = "a", **changes: Any) -> Account:
    """An account in good standing. Its key is `key_of(name)`; names in order of the alphabet are in order of age."""
    values = {"account_id": f"acct-{name}", "user_id": f"user-{name}", "label": name, "added_at": float(ord(name[0]))}
    return Account(**{**values, **changes})


def key_of(name: str) -> str:
    return account(name).key


def credentials(name: str = "a", **changes: Any) -> Credentials:
    """Opaque tokens that are easy to search for."""
    values = {"access": f"access-of-{name}-nobody-may-see", "refresh": f"refresh-of-{name}-nobody-may-see"}
    return Credentials(**{**values, **changes})


def token(auth: Mapping[str, Any] | None = None, **beside: Any) -> str:
    """A JWT as the provider's: these claims in its claim object, and others beside it."""
    claims = beside if auth is None else {AUTH_CLAIM: dict(auth), **beside}
    return jwt.encode(claims, "a test signs with a key that is long enough", algorithm="HS256")


@dataclass
class Clock:
    """The time is what the test says it is."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        self.now += seconds
        return self.now


class Written:
    """A write that has reached the disk."""

    def done(self) -> bool:
        return True


@dataclass
class ListJournal:
    """accounts.pool.Journal that keeps what it is told: one tuple per call, the call's name first."""

    entries: list[tuple[Any, ...]] = field(default_factory=list)

    def set_cooldown(self, key: str, cooldown: Cooldown) -> Written:
        self.entries.append(("set_cooldown", key, cooldown))
        return Written()

    def clear_cooldown(self, key: str) -> Written:
        self.entries.append(("clear_cooldown", key))
        return Written()

    def set_standing(self, key: str, standing: Standing) -> Written:
        self.entries.append(("set_standing", key, standing))
        return Written()

    def save_affinity(self, affinity: Affinity) -> None:
        self.entries.append(("save_affinity", affinity))

    def record(self, event: Event) -> None:
        self.entries.append(("record", event))

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """What was told by this call, without its name."""
        return [entry[1:] for entry in self.entries if entry[0] == name]


@dataclass
class Stored:
    """accounts.pool.Source from plain values. Accounts have opaque tokens unless `tokens` says otherwise."""

    seats: tuple[Account, ...] = ()
    tokens: dict[str, Credentials] | None = None
    rests: dict[str, Cooldown] = field(default_factory=dict)
    threads: tuple[Affinity, ...] = ()

    def accounts(self) -> tuple[Account, ...]:
        return self.seats

    def all_credentials(self) -> dict[str, Credentials]:
        if self.tokens is not None:
            return dict(self.tokens)
        return {seat.key: credentials(seat.label) for seat in self.seats}

    def cooldowns(self) -> dict[str, Cooldown]:
        return dict(self.rests)

    def affinities(self, limit: int) -> tuple[Affinity, ...]:
        return self.threads[:limit]


def pool_of(*seats: Account | str, journal: ListJournal | None = None, **stored: Any) -> Pool:
    """A pool of these accounts (or names), each with tokens."""
    pool = Pool(journal if journal is not None else ListJournal())
    pool.load(Stored(tuple(account(seat) if isinstance(seat, str) else seat for seat in seats), **stored))
    return pool


def lease_of(pool: Pool, name: str, now: float = NOW, thread: str = "") -> Lease:
    """A lease on this account and no other."""
    others = frozenset(pool.seats) - {key_of(name)}
    lease = pool.select(Ask(thread=thread, tried=others), now)
    assert isinstance(lease, Lease), lease
    return lease


def planted(values: Iterable[Credentials]) -> set[str]:
    """Every secret in these credentials."""
    return {secret for each in values for secret in (each.access, each.refresh, each.id_token) if secret}


def spoiled(kind: str, file: Path) -> None:
    """Damage a database: by name of the damage, else by an SQL statement."""
    content = file.read_bytes()
    if kind == "empty":
        file.write_bytes(b"")
    elif kind == "text":
        file.write_bytes(b"a note to myself\n" * 99)
    elif kind == "truncated":
        file.write_bytes(content[: len(content) // 2])
    elif kind == "cut within the head":
        file.write_bytes(content[:60])
    else:
        with closing(sqlite3.connect(file)) as db:
            db.execute(kind)
