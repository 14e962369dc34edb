"""Sums of the ledger."""

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from accounts.ledger.queries import (
    Grouping,
    LedgerSpending,
    LostTurns,
    UsageCell,
    UsageQuery,
    UsageReader,
    by_local_time,
    read_usage,
)
from accounts.ledger.records import TokenCount, TurnKind, TurnOutcome, TurnRecord
from accounts.ledger.usage_db import UsageDb
from tests.builders import DAY, HOUR, NOW


def record(when: float, given: int, **changes: object) -> TurnRecord:
    return TurnRecord(when=when, tokens=TokenCount(input=given), **changes)  # type: ignore[arg-type]


TURNS = (
    record(NOW - 2 * DAY, 1, person="ann", client_key="ann-1", account="work", account_key="A", model="m", root="x"),
    record(NOW - HOUR, 2, client_key="bob", account="spare", account_key="B", model="n", root="y", project="o/r"),
    record(NOW, 4, person="ann", client_key="ann-2", account="renamed", account_key="A", model="n", root="x"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    db = UsageDb(tmp_path / "usage.db")
    db.write(TURNS)
    db.close()
    return tmp_path / "usage.db"


def tokens(cells: Iterable[UsageCell]) -> dict[object, int]:
    found: dict[object, int] = {}
    for each in cells:
        found[each.group] = found.get(each.group, 0) + each.tokens.input
    return found


def asked(file: Path, **query: object) -> list[UsageCell]:
    return read_usage(file, lambda reader: reader.cells(UsageQuery(**query)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("by", "sums"),
    [
        (Grouping.PERSON, {"ann": 5, "bob": 2}),
        (Grouping.ACCOUNT, {"A": 5, "B": 2}),
        (Grouping.PROJECT, {"": 5, "o/r": 2}),
        (Grouping.MODEL, {"m": 1, "n": 6}),
        (Grouping.THREAD, {"x": 5, "y": 2}),
    ],
)
def test_turns_are_summed_up_by_what_was_asked_for(file: Path, by: Grouping, sums: dict[str, int]) -> None:
    assert tokens(asked(file, by=by)) == sums


def test_a_key_of_nobody_s_stands_for_its_person(file: Path) -> None:
    assert tokens(asked(file, by=Grouping.MODEL, person="bob")) == {"n": 2}


def test_an_account_is_found_by_its_key_and_by_its_label(file: Path) -> None:
    assert tokens(asked(file, by=Grouping.MODEL, account="A")) == {"m": 1, "n": 4}
    assert tokens(asked(file, by=Grouping.MODEL, account="renamed")) == {"n": 4}


def test_a_span_takes_its_beginning_and_not_its_end(file: Path) -> None:
    assert tokens(asked(file, by=Grouping.THREAD, since=NOW - HOUR, until=NOW)) == {"y": 2}


def test_days_are_those_of_the_place_where_one_is(file: Path) -> None:
    """Also where the clock is half an hour off."""
    cells = asked(file, by=Grouping.DAY)
    for zone in (UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-9, minutes=-30))):
        expected: dict[object, int] = {}
        for each in TURNS:
            day = datetime.fromtimestamp(each.when, zone).strftime("%Y-%m-%d")
            expected[day] = expected.get(day, 0) + each.tokens.input
        named = by_local_time(cells, Grouping.DAY, zone)
        assert tokens(named) == expected


def test_hours_have_a_name_each(file: Path) -> None:
    cells = by_local_time(asked(file, by=Grouping.HOUR), Grouping.HOUR, UTC)
    assert len({each.group for each in cells}) == 3
    assert all(str(each.group).endswith(":00") for each in cells)


def test_other_groups_are_left_as_they_are(file: Path) -> None:
    cells = asked(file, by=Grouping.MODEL)
    assert by_local_time(cells, Grouping.MODEL, UTC) == cells


def test_what_a_person_has_spent(file: Path) -> None:
    db = UsageDb(file)
    db.write(
        [
            record(NOW, 8, person="ann", kind=TurnKind.WARM_UP),
            record(NOW, 0, person="ann", outcome=TurnOutcome.REFUSED),
        ]
    )
    db.close()
    spent = LedgerSpending(file).spent
    assert spent("ann", NOW - 3 * DAY) == (TokenCount(input=13), 2)
    assert spent("ann", NOW - HOUR) == (TokenCount(input=12), 1)
    assert spent("ann", NOW - 2 * DAY + 1) == (TokenCount(input=12), 1)
    assert spent("", NOW - 1.5 * HOUR) == (TokenCount(input=14), 2)
    assert spent("nobody", 0.0) == (TokenCount(), 0)


def test_a_file_that_cannot_be_read_has_seen_nobody_spend(tmp_path: Path) -> None:
    assert LedgerSpending(tmp_path / "none.db").spent("ann", 0.0) == (TokenCount(), 0)
    (tmp_path / "bad.db").write_bytes(b"no database" * 1000)
    assert LedgerSpending(tmp_path / "bad.db").spent("ann", 0.0) == (TokenCount(), 0)


def test_a_file_that_is_not_there_is_empty_and_stays_so(tmp_path: Path) -> None:
    with closing(UsageReader(tmp_path / "none.db")) as reader:
        assert reader.cells(UsageQuery()) == []
        assert reader.lost() == LostTurns()
        assert reader.turn("t", NOW) is None
        assert list(reader.turns()) == []
    assert not list(tmp_path.iterdir())
