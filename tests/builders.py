"""Values and small doubles for tests: accounts, tokens made at run time, a clock that the test moves, a journal."""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import jwt

from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease, Pool
from accounts.choice.quota import MAIN, Window
from accounts.choice.selection import Ask, Candidate, Choice, Exhausted, Policy, Situation, choose
from accounts.choice.threads import UNPLACED, Placement
from accounts.model import Account, Affinity, Cooldown, Credentials, Event, Standing
from accounts.store import schema
from accounts.turn.events import Begin, Ended, Failed, Left, Renewed, Stripped, Waited
from accounts.turn.machine import Turn
from accounts.turn.steps import Attempt, Deliver, Finish, Pause, Refuse, Renew, StripAndRetry

NOW = 1_800_000_000.0
HOUR = 3600.0
DAY = 86_400.0
WEEK_MINUTES = 7 * 24 * 60

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
    """accounts.choice.pool.Journal that keeps what it is told: one tuple per call, the call's name first."""

    entries: list[tuple[Any, ...]] = field(default_factory=list)

    def set_cooldown(self, key: str, cooldown: Cooldown) -> Written:
        self.entries.append(("set_cooldown", key, cooldown))
        return Written()

    def clear_cooldown(self, key: str) -> Written:
        self.entries.append(("clear_cooldown", key))
        return Written()

    def set_standing(self, key: str, standing: Standing, reason: str) -> Written:
        self.entries.append(("set_standing", key, standing, reason))
        return Written()

    def set_windows(self, key: str, windows: tuple[Window, ...]) -> None:
        self.entries.append(("set_windows", key, windows))

    def refuse_model(self, key: str, model: str, until: float, now: float) -> None:
        self.entries.append(("refuse_model", key, model, until, now))

    def save_affinity(self, affinity: Affinity) -> None:
        self.entries.append(("save_affinity", affinity))

    def record(self, *events: Event) -> None:
        self.entries += [("record", event) for event in events]

    def of(self, name: str) -> list[tuple[Any, ...]]:
        """What was told by this call, without its name."""
        return [entry[1:] for entry in self.entries if entry[0] == name]


@dataclass
class Stored:
    """accounts.choice.pool.Source from plain values. Accounts have opaque tokens unless `tokens` says otherwise."""

    seats: tuple[Account, ...] = ()
    tokens: dict[str, Credentials] | None = None
    rests: dict[str, Cooldown] = field(default_factory=dict)
    threads: tuple[Affinity, ...] = ()
    seen: dict[str, tuple[Window, ...]] = field(default_factory=dict)
    refused: dict[tuple[str, str], float] = field(default_factory=dict)

    def accounts(self) -> tuple[Account, ...]:
        return self.seats

    def all_credentials(self) -> dict[str, Credentials]:
        if self.tokens is not None:
            return dict(self.tokens)
        return {seat.key: credentials(seat.label) for seat in self.seats}

    def cooldowns(self) -> dict[str, Cooldown]:
        return dict(self.rests)

    def windows(self) -> dict[str, tuple[Window, ...]]:
        return dict(self.seen)

    def refused_models(self) -> dict[tuple[str, str], float]:
        return dict(self.refused)

    def affinities(self, limit: int) -> tuple[Affinity, ...]:
        return self.threads[:limit]


def pool_of(*seats: Account | str, journal: ListJournal | None = None, **stored: Any) -> Pool:
    """A pool of these accounts (or names), each with tokens."""
    pool = Pool(journal if journal is not None else ListJournal())
    pool.load(Stored(tuple(account(seat) if isinstance(seat, str) else seat for seat in seats), **stored))
    return pool


def lease_of(pool: Pool, name: str, now: float = NOW, thread: str = "", model: str = "") -> Lease:
    """A lease on this account and no other."""
    others = frozenset(pool.candidates) - {key_of(name)}
    lease = pool.select(Ask(thread=thread, model=model, tried=others), now)
    assert isinstance(lease, Lease), lease
    return lease


def window(used: float, resets_in: float | None = HOUR, *, minutes: int = 300, **changes: Any) -> Window:
    """A window of the account's own limit, seen now."""
    resets_at = None if resets_in is None else NOW + resets_in
    values = {"family": MAIN, "minutes": minutes, "used_percent": used, "resets_at": resets_at, "seen_at": NOW}
    return Window(**{**values, **changes})


def rest(seconds: float = 60, kind: str = Kind.USAGE_LIMIT, *, age: float = 1) -> Cooldown:
    """A rest that began a moment ago and ends in so many seconds."""
    return Cooldown(until=NOW + seconds, reason=kind, since=NOW - age)


def candidate(name: str, **changes: Any) -> Candidate:
    """An account as selection sees it. Changes are its own where it has a field of that name, else the account's."""
    own = {each.name for each in fields(Candidate)} & changes.keys()
    return Candidate(
        account=account(name, **{k: v for k, v in changes.items() if k not in own}), **{k: changes[k] for k in own}
    )


def about(place: Placement = UNPLACED, policy: Policy | None = None, *, now: float = NOW, **ask: Any) -> Situation:
    """What a choice depends on; `ask` are the fields of an Ask."""
    return Situation(now=now, ask=Ask(**ask), place=place, policy=policy or Policy())


def chosen(*candidates: Candidate, about: Situation | None = None) -> str:
    """The name of the account that is chosen."""
    answer = choose({each.account.key: each for each in candidates}, about or Situation(now=NOW))
    assert isinstance(answer, Choice), answer
    return answer.account.label


def nobody(*candidates: Candidate, about: Situation | None = None) -> Exhausted:
    """Why nobody is chosen."""
    answer = choose({each.account.key: each for each in candidates}, about or Situation(now=NOW))
    assert isinstance(answer, Exhausted), answer
    return answer


def turn_on(pool: Pool | str, **ask: Any) -> Turn:
    """A request that begins now, on this pool or on one of these one-letter accounts."""
    return Turn(pool=pool_of(*pool) if isinstance(pool, str) else pool, ask=Ask(**ask), began=NOW)


def begun(turn: Turn, now: float = NOW) -> Lease:
    """The account of its first attempt; there is one."""
    step = turn.next(Begin(), now)
    assert isinstance(step, Attempt), step
    return step.lease


def model_refused(words: str) -> Failed:
    """What an account says that has not the model, before output."""
    return Failed(Outcome(kind=Kind.UNSUPPORTED_MODEL, detail=words), words=True)


def walked(turn: Turn, *outcomes: Outcome | Kind, now: float = NOW, seconds: float = 0.0) -> list[str]:
    """Where these answers lead, each after so many seconds: `a renew` is what follows from an answer of account a.

    Tokens are renewed, pauses waited for, and there is something to strip. An answer of OK is delivered. Then the
    client leaves.
    """
    said: list[str] = []
    step = turn.next(Begin(), now)
    for each in outcomes:
        assert isinstance(step, Attempt), (said, step)
        outcome = each if isinstance(each, Outcome) else Outcome(kind=each)
        asked, now = step.lease.account.label, now + seconds
        step = turn.next(Ended(outcome) if outcome.kind is Kind.OK else Failed(outcome, words=True), now)
        said.append(f"{asked} {STEPS[type(step)]}")
        while isinstance(step, Renew | Pause | StripAndRetry):
            now += step.seconds if isinstance(step, Pause) else 0
            renewed = Renewed(step.lease.credentials) if isinstance(step, Renew) else None
            stripped = Stripped() if isinstance(step, StripAndRetry) else Waited()
            step = turn.next(renewed or stripped, now)
    turn.next(Left(Outcome(kind=Kind.CLIENT_GONE)), now)
    return said


STEPS: Final = {
    Attempt: "other",
    Renew: "renew",
    Pause: "wait",
    StripAndRetry: "strip",
    Deliver: "words",
    Refuse: "refuse",
    Finish: "served",
}


def planted(values: Iterable[Credentials]) -> set[str]:
    """Every secret in these credentials."""
    return {secret for each in values for secret in (each.access, each.refresh, each.id_token) if secret}


def old_pool(path: Path, version: int, login: Credentials) -> Account:
    """A pool.db as the program with this schema number left it. It holds one account, which is returned."""
    seat = account()
    values = {**asdict(seat), "key": seat.key, "tags": "[]", "standing": str(seat.standing)}
    tokens = (seat.key, login.access, login.refresh, login.id_token, login.expires_at, login.refreshed_at)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        for script in schema.MIGRATIONS[:version]:
            db.executescript(script)
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {version}")
        known = {row[1] for row in db.execute("PRAGMA table_info(account)")}
        values = {name: value for name, value in values.items() if name in known}
        marks = ", ".join(f":{name}" for name in values)
        db.execute(f"INSERT INTO account ({', '.join(values)}) VALUES ({marks})", values)
        names = "key, access, refresh, id_token, expires_at, refreshed_at"
        db.execute(f"INSERT INTO credential ({names}) VALUES (?, ?, ?, ?, ?, ?)", tokens)
    return seat


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
