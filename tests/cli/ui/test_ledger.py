"""The ledger for whoever shows it: errors and words."""

from pathlib import Path

import pytest

from accounts.ledger.queries import Grouping
from accounts.ledger.records import TokenCount
from accounts.people.keys import LOCAL
from accounts.views.usage import UsageSum
from cli.ui.ledger import UnreadableLedger, dollars, group_name, opened, own_prices, percent


def test_what_goes_wrong_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "usage.db"
    file.write_bytes(b"no database " * 100)
    with pytest.raises(UnreadableLedger, match="cannot be read as the ledger"), opened(file) as reader:
        reader.people()


def test_a_ledger_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    with opened(tmp_path / "usage.db") as reader:
        assert reader.people() == []


def test_groups_without_a_name_have_words() -> None:
    assert group_name(Grouping.PERSON, UsageSum(group=LOCAL)) == "the owner"
    assert group_name(Grouping.MODEL, UsageSum()) == "no model named"
    assert group_name(Grouping.MODEL, UsageSum(group="m", shown="gpt\n5")) == "gpt 5"


def test_numbers_that_are_not_known_are_not_made_up() -> None:
    assert percent(UsageSum()) == ""
    assert percent(UsageSum(tokens=TokenCount(input=3, cached=1))) == "33 %"
    assert [dollars(UsageSum()), dollars(UsageSum(cost=0.0, unpriced={"m": 1}))] == ["", "unknown"]
    assert dollars(UsageSum(cost=1.5, unpriced={"m": 1})) == "$1.50 +"


def test_prices_are_the_owners_to_switch_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_prices() is not None
    monkeypatch.setenv("CODEX_ROTATE_SHOW_PRICES", "false")
    assert own_prices() is None
