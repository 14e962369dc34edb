"""What the ledger knows is read behind whoever asks, and told once it is read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.ledger.queries import LedgerSpending
from accounts.ledger.records import NO_TOKENS, TokenCount, TurnRecord
from accounts.ledger.usage_db import UsageDb
from addons.exchange.spent_behind import SpentBehind
from tests.builders import NOW
from tests.harness import eventually


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[SpentBehind]:
    """Of a ledger in which ann has had a turn."""
    db = UsageDb(tmp_path / "usage.db")
    db.write([TurnRecord(when=NOW, person="ann", tokens=TokenCount(input=40, output=2))])
    db.close()
    behind = SpentBehind(LedgerSpending(tmp_path / "usage.db"))
    yield behind
    behind.close()


def told(behind: SpentBehind, person: str, since: float) -> tuple[TokenCount, int]:
    found: list[tuple[TokenCount, int]] = []

    def asked() -> bool:
        spent = behind.spent(person, since)
        found.extend([spent] if spent is not None else [])
        return bool(found)

    assert eventually(asked)
    return found[0]


def test_nobody_waits_for_the_file(behind: SpentBehind) -> None:
    assert behind.spent("ann", 0.0) is None
    tokens, turns = told(behind, "ann", 0.0)
    assert (tokens.total, turns) == (42, 1)


def test_what_was_told_is_read_anew(behind: SpentBehind) -> None:
    told(behind, "ann", 0.0)
    assert behind.spent("ann", 0.0) is None


def test_another_period_and_another_person_are_questions_of_their_own(behind: SpentBehind) -> None:
    assert told(behind, "ann", NOW + 3600) == (NO_TOKENS, 0)
    assert told(behind, "bob", 0.0) == (NO_TOKENS, 0)


def test_answers_that_nobody_came_back_for_are_let_go_of(behind: SpentBehind) -> None:
    for number in range(20):
        behind.spent("ann", float(number))
    told(behind, "ann", 99.0)  # one after another: all are read now
    behind.spent("ann", 100.0)
    assert len(behind._reading) <= 1
