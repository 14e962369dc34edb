"""A pool that has something to show: accounts in every state, a week of turns, rotations with their reasons."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from accounts.choice.decision_record import DECISION
from accounts.choice.quota import MAIN, Window
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.ledger.usage_db import UsageDb
from accounts.model import Account, Affinity, Cooldown, Event, Standing
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from tests.builders import DAY, HOUR, WEEK_MINUTES, account, credentials

NAMES: Final = ("work", "home", "team-a", "team-b", "spare", "old laptop")
PLANS: Final = ("plus", "plus", "team", "team", "pro", "plus")
USED: Final = ((62, 31), (97, 44), (12, 78), (100, 91), (4, 2), (55, 60))
PEOPLE: Final = ("", "ann", "bob", "cleo")
PROJECTS: Final = ("shop", "infra", "docs", "lab", "app")
MODELS: Final = ("gpt-5.2-codex", "gpt-6-sol", "gpt-5.4")
REASONS: Final = (
    ("usage_limit", "429 usage_limit_reached"),
    ("token_invalidated", "401 token_revoked"),
    ("server_error", "503"),
    ("stalled", "no event for 270 s"),
)


def seat(number: int) -> Account:
    """The account of this number; the first ones have names."""
    name = NAMES[number] if number < len(NAMES) else f"seat-{number:04}"
    return account(
        "a",
        account_id=f"acct-{number:05}",
        user_id=f"user-{number:05}",
        label=name,
        plan=PLANS[number % len(PLANS)],
        email=f"{name.replace(' ', '.')}@example.com",
    )


def fill(home: Path, now: float, count: int = len(NAMES)) -> None:
    """The pool with so many accounts, the ledger, and the history of two days."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    seats = [seat(number) for number in range(count)]
    with Store(home / "pool.db") as store:
        for number, each in enumerate(seats):
            login = credentials(each.label, expires_at=now + 9 * DAY, refreshed_at=now - HOUR)
            store.put_account(each, login)
            short, long = USED[number % len(USED)]
            ends = now + 1800 + number % 9 * 1500
            windows = (
                Window(family=MAIN, minutes=300, used_percent=short, resets_at=ends, seen_at=now),
                Window(family=MAIN, minutes=WEEK_MINUTES, used_percent=long, resets_at=now + 3 * DAY, seen_at=now),
            )
            store.set_windows(each.key, windows)
        if count >= len(NAMES):
            store.set_cooldown(seats[3].key, Cooldown(until=now + 5400, reason="usage_limit", since=now - 700))
            store.update_account(seats[2].key, tags=("team",), priority=2)
            store.set_standing(seats[4].key, Standing.NEEDS_LOGIN, "token_revoked")
            store.update_account(seats[5].key, enabled=False)
        turns = list(history(seats[:4], now))
        told = [decision(each, attempts) for each, attempts in turns if each.when > now - 2 * DAY]
        paused = Event(at=now - 7000, kind="paused", key=seats[-1].key, detail="by the owner, on the page")
        store.record(*sorted([*told, paused], key=lambda each: each.at))
        for number in range(30):
            key = seats[number % min(4, count)].key
            store.save_affinity(Affinity(thread=thread(number), key=key, used_at=now - number * 300))
        store.flush()
    ledger = UsageDb(home / "usage.db")
    ledger.write([each for each, _ in turns])
    ledger.close()


class PoolState(NamedTuple):
    """What a test may change of a pool."""

    accounts: tuple[Account, ...]
    cooldowns: dict[str, Cooldown]
    chosen: str
    people: tuple[str, ...]


def state_of(store: Store) -> PoolState:
    people = tuple(each.name for each in store.people.all())
    return PoolState(tuple(store.accounts()), dict(store.cooldowns()), store.chosen_account(), people)


def put_right(store: Store, before: PoolState) -> None:
    """Have the pool as it was, whatever has become of it."""
    now = state_of(store)
    if now == before:
        return
    for each in before.accounts:
        kept = ("label", "enabled", "priority", "tags", "reserve_percent")
        store.update_account(each.key, **{name: getattr(each, name) for name in kept})
    for key in now.cooldowns:
        store.clear_cooldown(key)
    for key, rest in before.cooldowns.items():
        store.set_cooldown(key, rest)
    for name in set(now.people) - set(before.people):
        store.people.remove(name)
    store.choose_account(before.chosen).result()


def thread(number: int) -> str:
    return f"0199c0de-7a11-7000-8000-{number:012x}"


def history(seats: list[Account], now: float) -> Iterator[tuple[TurnRecord, list[dict[str, Any]]]]:
    """Turns of a week, more of them lately, every seventh with a rotation."""
    at, numbers = now - 7 * DAY, itertools.count()
    while at < now - 300:
        number = next(numbers)
        first, other = seats[number * 7 % len(seats)], seats[(number * 7 + 1) % len(seats)]
        seconds = 4.0 + number * 13 % 47
        attempts = [attempt(first.label, "the thread lives here", "ok", "", seconds)]
        if number % 7 == 3:
            kind, detail = REASONS[number // 7 % len(REASONS)]
            attempts = [
                attempt(first.label, "the thread lives here", kind, detail, 0.6),
                attempt(other.label, "it has the most left for the time until it resets", "ok", "", seconds),
            ]
        served = other if len(attempts) > 1 else first
        given = 9_000 + number * 7919 % 90_000
        yield (
            TurnRecord(
                when=at,
                person=PEOPLE[number % 4],
                account=served.label,
                account_key=served.key,
                project=PROJECTS[number * 3 % 5],
                thread=thread(number % 40),
                root=thread(number % 40),
                model=MODELS[number % 3],
                attempts=len(attempts),
                rotations=len(attempts) - 1,
                first_output=1.4,
                duration=seconds,
                tokens=TokenCount(input=given, cached=given * 4 // 5, output=900 + number * 31 % 4000, reasoning=300),
                cold=given if len(attempts) > 1 else 0,
            ),
            attempts,
        )
        at += 900 if at > now - 8 * HOUR else 3000 + number * 617 % 2400


def attempt(label: str, why: str, kind: str, detail: str, seconds: float) -> dict[str, Any]:
    return {"account": label, "why": why, "kind": kind, "detail": detail, "seconds": seconds}


def decision(turn: TurnRecord, attempts: list[dict[str, Any]]) -> Event:
    told = {
        "done": "delivered",
        "model": turn.model,
        "seconds": turn.duration,
        "attempts": attempts,
        "person": turn.person,
    }
    return Event(at=turn.when, kind=DECISION, thread=turn.thread, detail=json.dumps(told))


def turns(count: int, now: float) -> tuple[LiveTurn, ...]:
    """So many turns under way."""
    return tuple(
        LiveTurn(
            id=f"t{number}",
            began=now - 3 - number * 11 % 240,
            person=PEOPLE[number % 4],
            project=PROJECTS[number * 3 % 5],
            thread=thread(number % 40),
            model=MODELS[number % 3],
            account=NAMES[number % 4],
            transport="http" if number % 4 == 1 else "websocket",
            attempts=2 if number % 7 == 3 else 1,
            rotations=1 if number % 7 == 3 else 0,
            received=4096 * (number + 1),
            first_output=None if number % 6 == 5 else 0.8 + number % 3 * 0.7,
        )
        for number in range(count)
    )
