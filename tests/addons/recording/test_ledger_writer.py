"""The ledger is written behind the answers, whatever the disk does."""

import logging
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from accounts.ledger.queries import UsageReader
from accounts.ledger.records import TurnRecord
from accounts.ledger.usage_db import UsageDb
from addons.recording import ledger_writer
from addons.recording.ledger_writer import LedgerWriter
from tests.builders import DAY, NOW
from tests.cli.machines import mount
from tests.harness import eventually


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "usage.db"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_writer, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr(ledger_writer, "RETRY_SECONDS", 0.01)


def written(file: Path) -> list[float]:
    with closing(UsageReader(file)) as reader:
        return [each.when for each in reader.turns()]


def writer(file: Path, days: int = 90) -> LedgerWriter:
    made = LedgerWriter(lambda: file, lambda: days, lambda: NOW)
    made.running()
    return made


def test_turns_are_written_soon(file: Path) -> None:
    ledger = writer(file)
    for number in range(3):
        ledger.add(TurnRecord(when=NOW + number))
    assert eventually(lambda: written(file) == [NOW, NOW + 1, NOW + 2])
    ledger.add(TurnRecord(when=NOW + 3))
    assert eventually(lambda: written(file)[-1:] == [NOW + 3])
    ledger.done()


def test_at_the_end_of_the_proxy_nothing_is_left(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_writer, "WRITE_SECONDS", 60.0)
    ledger = writer(file)
    ledger.add(TurnRecord(when=NOW))
    ledger.done()
    assert written(file) == [NOW]


def test_a_proxy_without_turns_makes_no_file(file: Path) -> None:
    writer(file).done()
    assert not file.exists()


def test_what_cannot_be_written_is_tried_again_and_said_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.mkdir()
    ledger = writer(file)
    ledger.add(TurnRecord(when=NOW))
    assert eventually(lambda: "cannot be written" in caplog.text)
    ledger.add(TurnRecord(when=NOW + 1))
    file.rmdir()
    assert eventually(lambda: file.is_file() and written(file) == [NOW, NOW + 1])
    ledger.done()
    told = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert ["cannot be written" in each for each in told] == [True, False]
    assert "written to the ledger again; 0 are missing" in told[1]


def test_on_a_full_disk_turns_go_on_and_are_written_once_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with ExitStack() as cleaning:
        mount(disk, cleaning)
        ledger = writer(disk / "usage.db")
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        ledger.add(TurnRecord(when=NOW))
        assert eventually(lambda: "cannot be written" in caplog.text)
        ledger.add(TurnRecord(when=NOW + 1))
        (disk / "filler").unlink()
        assert eventually(lambda: (disk / "usage.db").is_file() and written(disk / "usage.db") == [NOW, NOW + 1])
        ledger.done()


def test_what_is_too_much_is_lost_and_counted(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ledger_writer, "MOST_KEPT", 2)
    file.mkdir()
    ledger = writer(file)
    ledger.add(TurnRecord(when=NOW))
    assert eventually(lambda: "cannot be written" in caplog.text)
    for number in range(1, 5):
        ledger.add(TurnRecord(when=NOW + number))
    file.rmdir()
    assert eventually(lambda: file.is_file() and written(file) == [NOW + 3, NOW + 4])
    ledger.done()
    with closing(UsageReader(file)) as reader:
        assert reader.lost().turns == 3
        assert reader.lost().reason


def test_what_is_lost_at_the_end_is_said(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.mkdir()
    ledger = writer(file)
    ledger.add(TurnRecord(when=NOW))
    ledger.done()
    assert "1 turns are missing" in caplog.text


def test_rows_go_after_the_days_that_were_set(file: Path) -> None:
    db = UsageDb(file)
    db.write([TurnRecord(when=NOW - 40 * DAY), TurnRecord(when=NOW - 20 * DAY)])
    db.close()
    ledger = writer(file, days=30)
    ledger.add(TurnRecord(when=NOW))
    assert eventually(lambda: written(file) == [NOW - 20 * DAY, NOW])
    ledger.done()
