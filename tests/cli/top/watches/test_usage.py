"""Summing up today's turns, only when there are new ones."""

from pathlib import Path

import pytest

from accounts.ledger.queries import Grouping
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.ledger.usage_db import UsageDb
from cli.top.watches.usage import UsageWatch
from cli.ui.ledger import UnreadableLedger
from config import paths
from config.errors import ConfigError
from tests.builders import DAY, NOW


def write(file: Path, *when: float) -> None:
    ledger = UsageDb(file)
    ledger.write([TurnRecord(when=at, account="ann", tokens=TokenCount(input=5)) for at in when])
    ledger.close()


@pytest.fixture
def file(home: Path) -> Path:
    paths.make_private_folder(home)
    return home / "usage.db"


def test_only_today_counts_and_nothing_is_read_twice(file: Path) -> None:
    watch = UsageWatch(file, prices=lambda: None)
    assert watch.look(Grouping.ACCOUNT, NOW).groups == ()
    write(file, NOW, NOW - 2 * DAY)
    first = watch.look(Grouping.ACCOUNT, NOW + 1)
    assert first.total.turns == 1
    assert watch.look(Grouping.ACCOUNT, NOW + 2) is first
    write(file, NOW + 2)
    assert watch.look(Grouping.ACCOUNT, NOW + 3).total.turns == 2
    assert watch.look(Grouping.MODEL, NOW + 3).query.by is Grouping.MODEL


def test_a_new_day_begins_with_nothing(file: Path) -> None:
    write(file, NOW)
    watch = UsageWatch(file, prices=lambda: None)
    assert watch.look(Grouping.ACCOUNT, NOW).total.turns == 1
    assert watch.look(Grouping.ACCOUNT, NOW + DAY).total.turns == 0


def test_settings_that_cannot_be_used_cost_only_the_prices(file: Path) -> None:
    def broken() -> None:
        raise ConfigError("no")

    write(file, NOW)
    assert UsageWatch(file, prices=broken).look(Grouping.ACCOUNT, NOW).sources is None


def test_a_file_that_is_no_ledger_is_an_error(file: Path) -> None:
    file.write_bytes(b"no database " * 100)
    with pytest.raises(UnreadableLedger):
        UsageWatch(file, prices=lambda: None).look(Grouping.ACCOUNT, NOW)
