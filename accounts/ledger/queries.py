"""Sums of the ledger: by person, account, project, model, thread, day or hour. SQLite adds up, the rest is pure.

What is older than the rows that are kept comes from the sums by the hour: of that the threads are not known any more.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from accounts.ledger.records import NO_TOKENS, TokenCount, Transport, TurnKind, TurnOutcome, TurnRecord
from accounts.ledger.usage_db import HOUR, TURN, open_to_read

QUARTER: Final = 900
"""Seconds to which times are rounded where they are grouped: borders of days lie on quarters of UTC's hours."""


class Grouping(StrEnum):
    """What is summed up together."""

    PERSON = "person"
    ACCOUNT = "account"
    PROJECT = "project"
    MODEL = "model"
    THREAD = "thread"
    DAY = "day"
    HOUR = "hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageQuery:
    """Which turns: those that ended since `since` and before `until` (epoch seconds). `person` is a person's name, or
    a client key's where the key is no person's; `account` the key or the label of an account. "": all."""

    by: Grouping = Grouping.DAY
    since: float = 0.0
    until: float = 1e12
    person: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCell:
    """Turns that are alike: of one group, model, kind, outcome and rule. `group` is a name, a key, or a moment in epoch
    seconds; `shown` what people call it, as it was last; `seconds` how long they took in all; `floors` how many of them
    have not said all that they took; `last` when the last of them ended, in epoch seconds."""

    group: str | float
    shown: str = ""
    model: str = ""
    kind: str = TurnKind.TURN
    outcome: str = TurnOutcome.SERVED
    rule: str = ""
    turns: int = 0
    attempts: int = 0
    rotations: int = 0
    seconds: float = 0.0
    tokens: TokenCount = NO_TOKENS
    floors: int = 0
    cold: int = 0
    last: float = 0.0


class LostTurns(NamedTuple):
    """Turns that are not in the ledger, as they could not be written; `reason` is the last one."""

    turns: int = 0
    reason: str = ""


_WHO: Final = "CASE WHEN person <> '' THEN person ELSE client_key END"
_GROUPS: Final = {
    Grouping.PERSON: (_WHO, _WHO),
    Grouping.ACCOUNT: ("account_key", "account_key"),
    Grouping.PROJECT: ("project", "project"),
    Grouping.MODEL: ("model", "model"),
    Grouping.THREAD: ("root", "''"),
    Grouping.DAY: (f"CAST(at / {QUARTER} AS INTEGER) * {QUARTER}", f"hour * {HOUR}"),
    Grouping.HOUR: (f"CAST(at / {QUARTER} AS INTEGER) * {QUARTER}", f"hour * {HOUR}"),
}
"""What makes a group, of the rows of turns and of the sums by the hour."""
_ALIKE: Final = "model, kind, outcome, rule"
_ADDED: Final = "sum(attempts), sum(rotations), sum(duration), sum(input), sum(cached), sum(output), sum(reasoning)"


class UsageReader:
    """The ledger's file, opened to be read. One that is not there yet is empty. Raises sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._db = open_to_read(path)

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def cells(self, query: UsageQuery) -> list[UsageCell]:
        """What the ledger has of these turns."""
        if self._db is None:
            return []
        self._db.execute("BEGIN")  # of one moment, whatever is let go of meanwhile
        try:
            rows = self._rows(self._db, query)
        finally:
            self._db.execute("ROLLBACK")
        return [_cell(row, query.by) for row in rows]

    def _rows(self, db: sqlite3.Connection, query: UsageQuery) -> list[tuple[object, ...]]:
        kept = float(db.execute("SELECT since FROM kept").fetchone()[0])
        of_turns, of_hours = _GROUPS[query.by]
        who, values = _filters(query)
        turns = (
            f"SELECT {of_turns} AS g, account, {_ALIKE}, count(*), {_ADDED}, sum(floor), sum(cold), max(at)"  # noqa: S608
            f" FROM turns WHERE at >= ? AND at < ? {who} GROUP BY g, {_ALIKE}"
        )
        hours = (
            f"SELECT {of_hours} AS g, account, {_ALIKE}, sum(turns), {_ADDED}, sum(floors), sum(cold),"  # noqa: S608
            f" max(hour) * {HOUR} FROM hours WHERE hour >= ? AND hour < ? {who} GROUP BY g, {_ALIKE}"
        )
        rows = db.execute(turns, (max(query.since, kept), query.until, *values)).fetchall()
        if query.since < kept:
            until = min(kept, query.until)
            rows += db.execute(hours, (query.since // HOUR, -(-until // HOUR), *values)).fetchall()
        return rows

    def over_time(self, query: UsageQuery) -> list[tuple[float, str, int]]:
        """The tokens of each group in each quarter of an hour: when it began (epoch seconds), the group, how many. Of
        what is older than the rows that are kept, by the hour."""
        if self._db is None:
            return []
        kept = float(self._db.execute("SELECT since FROM kept").fetchone()[0])
        (of_turns, of_hours), (quarter, hour) = _GROUPS[query.by], _GROUPS[Grouping.HOUR]
        who, values = _filters(query)
        added = "sum(input) + sum(output)"
        turns = f"SELECT {quarter}, {of_turns}, {added} FROM turns WHERE at >= ? AND at < ? {who} GROUP BY 1, 2"  # noqa: S608
        hours = f"SELECT {hour}, {of_hours}, {added} FROM hours WHERE hour >= ? AND hour < ? {who} GROUP BY 1, 2"  # noqa: S608
        rows = self._db.execute(turns, (max(query.since, kept), query.until, *values)).fetchall()
        if query.since < kept:
            until = min(kept, query.until)
            rows += self._db.execute(hours, (query.since // HOUR, -(-until // HOUR), *values)).fetchall()
        return [(float(at), str(group), int(tokens or 0)) for at, group, tokens in rows]

    def lost(self, since: float = 0.0) -> LostTurns:
        """What could not be written since then."""
        if self._db is None:
            return LostTurns()
        row = self._db.execute("SELECT sum(turns), reason, max(at) FROM lost WHERE at >= ?", (since,)).fetchone()
        return LostTurns(row[0] or 0, row[1] or "")

    def people(self) -> list[str]:
        """Everybody who has asked: names of people, and of keys that are nobody's."""
        if self._db is None:
            return []
        rows = self._db.execute(f"SELECT DISTINCT {_WHO} AS who FROM hours ORDER BY who").fetchall()  # noqa: S608
        return [str(who) for (who,) in rows if who]

    def accounts(self) -> dict[str, str]:
        """The labels of all accounts that were asked, as they were last, by their keys."""
        if self._db is None:
            return {}
        rows = self._db.execute("SELECT account_key, account, max(hour) FROM hours GROUP BY account_key").fetchall()
        return {str(key): str(label) for key, label, _ in rows if key}

    def spent(self, person: str, since: float) -> tuple[TokenCount, int]:
        """What this person's turns have taken since then, "" for everybody's, and how many there were: those that
        somebody wanted, and that were not refused."""
        if self._db is None:
            return NO_TOKENS, 0
        border = int(-(-since // HOUR))
        who, values = ("AND person = ?", (person,)) if person else ("", ())
        added = "sum(input), sum(cached), sum(output), sum(reasoning)"
        wanted = f"kind = '{TurnKind.TURN}' AND outcome NOT IN ('{TurnOutcome.REFUSED}', '{TurnOutcome.RECONNECTED}')"
        whole = f"SELECT {added}, sum(turns * ({wanted})) FROM hours WHERE hour >= ? {who}"  # noqa: S608
        rest = f"SELECT {added}, sum({wanted}) FROM turns WHERE at >= ? AND at < ? {who}"  # noqa: S608
        rows = [
            self._db.execute(whole, (border, *values)).fetchone(),
            self._db.execute(rest, (since, border * HOUR, *values)).fetchone(),
        ]
        given, cached, made, reasoning, turns = (
            sum(each or 0 for each in column) for column in zip(*rows, strict=True)
        )
        return TokenCount(input=given, cached=cached, output=made, reasoning=reasoning), turns

    def turn(self, thread: str, when: float) -> TurnRecord | None:
        """The turn of this thread that ended then; None if the ledger does not have it."""
        if self._db is None:
            return None
        row = self._db.execute(
            f"SELECT {', '.join(TURN)} FROM turns WHERE at = ? AND thread = ?",  # noqa: S608
            (when, thread),
        ).fetchone()
        return _record(row) if row else None

    def turns(self, since: float = 0.0) -> Iterator[TurnRecord]:
        """All that are kept, the oldest first."""
        if self._db is not None:
            select = f"SELECT {', '.join(TURN)} FROM turns WHERE at >= ? ORDER BY at, id"  # noqa: S608
            yield from (_record(row) for row in self._db.execute(select, (since,)))


class LedgerSpending:
    """What people have used, for whoever judges their budgets: a file that cannot be read tells nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def spent(self, person: str, since: float) -> tuple[TokenCount, int]:
        """As UsageReader.spent. Never raises."""
        try:
            return read_usage(self.path, lambda reader: reader.spent(person, since))
        except (sqlite3.Error, OSError):
            return NO_TOKENS, 0


def read_usage[T](path: Path, ask: Callable[[UsageReader], T]) -> T:
    """What the file answers to one question. Raises sqlite3.Error."""
    with closing(UsageReader(path)) as reader:
        return ask(reader)


def turns_of(path: Path, ends: Iterable[tuple[str, float]]) -> list[TurnRecord | None]:
    """The turns of these threads that ended then (epoch seconds); None for what is not there. A file that cannot be
    read has nothing."""
    known = list(ends)
    try:
        return read_usage(path, lambda reader: [reader.turn(thread, at) for thread, at in known])
    except (sqlite3.Error, OSError):
        return [None] * len(known)


def by_local_time(cells: Iterable[UsageCell], by: Grouping, zone: tzinfo) -> list[UsageCell]:
    """Cells by day or hour with the name of the day or the hour in this zone as their group; others as they are."""
    if by not in {Grouping.DAY, Grouping.HOUR}:
        return list(cells)
    form = "%Y-%m-%d" if by is Grouping.DAY else "%Y-%m-%d %H:00"
    named = ((each, datetime.fromtimestamp(float(each.group), zone).strftime(form)) for each in cells)
    return [replace(each, group=name, shown=name) for each, name in named]


def _filters(query: UsageQuery) -> tuple[str, tuple[str, ...]]:
    who, values = "", tuple[str, ...]()
    if query.person:
        who, values = f"AND {_WHO} = ?", (query.person,)
    if query.account:
        who, values = f"{who} AND (account_key = ? OR account = ?)", (*values, query.account, query.account)
    return who, values


def _cell(row: tuple[object, ...], by: Grouping) -> UsageCell:
    group, account, model, kind, outcome, rule, turns, attempts, rotations, seconds, *rest = row
    given, cached, made, reasoning, floors, cold, last = (float(str(each)) for each in rest)
    tokens = TokenCount(
        input=int(given), cached=int(cached), output=int(made), reasoning=int(reasoning), floor=floors > 0
    )
    is_time = by in {Grouping.DAY, Grouping.HOUR}
    return UsageCell(
        group=float(str(group)) if is_time else str(group),
        shown=str(account if by is Grouping.ACCOUNT else group),
        model=str(model),
        kind=str(kind),
        outcome=str(outcome),
        rule=str(rule),
        turns=int(str(turns)),
        attempts=int(str(attempts)),
        rotations=int(str(rotations)),
        seconds=float(str(seconds)),
        tokens=tokens,
        floors=int(floors),
        cold=int(cold),
        last=last,
    )


def _record(row: Iterable[object]) -> TurnRecord:
    told = dict(zip(TURN, row, strict=True))
    numbers = {name: int(str(told[name])) for name in ("input", "cached", "output", "reasoning")}
    first = told["first_output"]
    names = ("person", "client_key", "account", "account_key", "project", "thread", "parent", "root", "model", "tier")
    texts: dict[str, Any] = {name: str(told[name]) for name in (*names, "rule")}
    return TurnRecord(
        when=float(str(told["at"])),
        **texts,
        transport=Transport(str(told["transport"])),
        kind=TurnKind(str(told["kind"])),
        outcome=TurnOutcome(str(told["outcome"])),
        attempts=int(str(told["attempts"])),
        rotations=int(str(told["rotations"])),
        first_output=None if first is None else float(str(first)),
        duration=float(str(told["duration"])),
        tokens=TokenCount(**numbers, floor=bool(told["floor"])),
        cold=int(str(told["cold"])),
    )
