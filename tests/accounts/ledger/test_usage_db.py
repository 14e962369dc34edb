"""The ledger's own file: written in batches by several proxies, rows for a while, sums for ever."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from accounts.ledger.queries import LostTurns, UsageQuery, UsageReader, read_usage
from accounts.ledger.records import TokenCount, TurnKind, TurnOutcome, TurnRecord
from accounts.ledger.usage_db import UsageDb, UsageTooNew, damage_of_usage
from tests.builders import DAY, NOW

TOKENS = TokenCount(input=100, cached=60, output=10, reasoning=4)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "usage.db"


def record(when: float = NOW, **changes: object) -> TurnRecord:
    known: dict[str, object] = {"account": "a", "account_key": "acct:a", "thread": "t", "root": "t", "model": "gpt-5"}
    return TurnRecord(when=when, tokens=TOKENS, attempts=1, duration=2.0, **(known | changes))  # type: ignore[arg-type]


def written(file: Path, *records: TurnRecord) -> UsageDb:
    db = UsageDb(file)
    db.write(records)
    return db


def test_a_turn_comes_back_as_it_was(file: Path) -> None:
    told = record(
        **{name: f"its {name}" for name in ("person", "client_key", "project", "parent", "rule", "tier")},
        kind=TurnKind.COMPACTION,
        outcome=TurnOutcome.CONTINUED,
        first_output=0.5,
        rotations=2,
        cold=40,
    )
    written(file, told).close()
    assert read_usage(file, lambda reader: list(reader.turns())) == [told]
    assert read_usage(file, lambda reader: reader.turn("t", NOW)) == told
    assert read_usage(file, lambda reader: reader.turn("another", NOW)) is None


def test_only_its_owner_can_read_it(file: Path) -> None:
    db = written(file, record())
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    db.close()


def test_several_proxies_add_to_the_same_sums(file: Path) -> None:
    one, other = written(file, record()), written(file, record(NOW + 1))
    one.write([record(NOW + 2), record(NOW + 3)])
    for each in (one, other):
        each.close()
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT sum(turns), sum(input), count(*) FROM hours").fetchone() == (4, 400, 1)


def test_a_batch_is_written_whole_or_not_at_all(file: Path) -> None:
    db = written(file, record())
    with pytest.raises(sqlite3.Error):
        db.write([record(NOW + 1), record(NOW + 2, first_output="soon")])
    db.write([record(NOW + 3)])
    db.close()
    with closing(UsageReader(file)) as reader:
        assert [each.when for each in reader.turns()] == [NOW, NOW + 3]
        assert sum(cell.turns for cell in reader.cells(UsageQuery())) == 2


def test_rows_go_after_a_while_and_sums_stay(file: Path) -> None:
    db = written(file, record(NOW - 100 * DAY), record(NOW - 99 * DAY), record())
    db.forget_before(NOW - 90 * DAY)
    db.close()
    with closing(UsageReader(file)) as reader:
        assert [each.when for each in reader.turns()] == [NOW]
        assert sum(cell.tokens.input for cell in reader.cells(UsageQuery())) == 300
        recent = reader.cells(UsageQuery(since=NOW - 90 * DAY))
        assert sum(cell.turns for cell in recent) == 1


def test_a_turn_that_is_written_late_counts_once(file: Path) -> None:
    db = written(file, record(NOW - 100 * DAY), record())
    db.forget_before(NOW - 90 * DAY)
    db.write([record(NOW - 100 * DAY)])
    db.close()
    assert read_usage(file, lambda reader: sum(cell.turns for cell in reader.cells(UsageQuery()))) == 3


def test_what_could_not_be_written_is_counted(file: Path) -> None:
    db = UsageDb(file)
    db.write([record()], lost=7, reason="the disk is full")
    db.close()
    with closing(UsageReader(file)) as reader:
        assert reader.lost() == LostTurns(7, "the disk is full")
        assert reader.lost(since=NOW + 1) == LostTurns()


def test_a_file_that_was_moved_away_is_made_anew(file: Path) -> None:
    db = written(file, record())
    file.rename(file.with_name("elsewhere.db"))
    db.write([record(NOW + 1)])
    db.close()
    assert read_usage(file, lambda reader: [each.when for each in reader.turns()]) == [NOW + 1]


def test_a_damaged_file_raises_and_is_named_as_such(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"this is no database, and long enough to be looked at as one" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        UsageDb(file).write([record()])
    assert "not a database" in damage_of_usage(file)
    assert file.read_bytes().startswith(b"this is no database")


def test_a_full_disk_leaves_what_is_written(file: Path) -> None:
    db = written(file, record())
    held = db._opened()
    pages = held.execute("PRAGMA page_count").fetchone()[0]
    held.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        db.write([record(NOW + number) for number in range(1, 500)])
    held.execute("PRAGMA max_page_count = 1000000")
    db.write([record(NOW + 1)])
    db.close()
    assert read_usage(file, lambda reader: [each.when for each in reader.turns()]) == [NOW, NOW + 1]


def test_a_file_of_a_newer_version_is_left_alone(file: Path) -> None:
    written(file, record()).close()
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UsageTooNew):
        UsageDb(file).write([record()])
    with pytest.raises(UsageTooNew):
        UsageReader(file)


def test_nothing_is_wrong_with_a_file_that_is_whole_or_not_there(file: Path) -> None:
    assert damage_of_usage(file) == ""
    written(file, record()).close()
    assert damage_of_usage(file) == ""
