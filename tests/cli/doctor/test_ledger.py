"""The ledger of turns: one that cannot be used is no reason to stop, but one to say so."""

from pathlib import Path

from accounts.ledger.queries import LostTurns
from accounts.ledger.records import TurnRecord
from accounts.ledger.usage_db import UsageDb
from cli.doctor.ledger import LedgerFacts, gather, ledger
from tests.builders import DAY, NOW
from tests.cli.doctors import OK, WARNING, only, private, short

FILE = Path("/h/usage.db")


def test_a_ledger_that_is_not_there_is_no_news(home: Path) -> None:
    facts = gather({"CODEX_ROTATE_HOME": str(home)}, NOW)
    assert short(ledger(facts)) == []
    assert not home.exists()


def test_a_damaged_ledger_is_moved_away(home: Path) -> None:
    home.mkdir(mode=0o700)
    private(home / "usage.db", "this is no database, and long enough to be looked at as one " * 50)
    found = only(ledger(gather({"CODEX_ROTATE_HOME": str(home)}, NOW)))
    assert (found.state, "not a database" in found.what, "Move that file away" in found.remedy) == (WARNING, True, True)


def test_turns_that_were_lost_of_late_are_told(home: Path) -> None:
    db = UsageDb(home / "usage.db")
    db.write([TurnRecord(when=NOW)], lost=3, reason="database or disk is full")
    db.close()
    environ = {"CODEX_ROTATE_HOME": str(home)}
    found = only(ledger(gather(environ, NOW + DAY)))
    assert found.what == "3 turns of the last week could not be written to the ledger (database or disk is full)."
    assert short(ledger(gather(environ, NOW + 8 * DAY))) == [("storage.ledger", OK)]


def test_one_turn_and_an_unknown_reason() -> None:
    found = only(ledger(LedgerFacts(file=FILE, lost=LostTurns(1))))
    assert (found.state, found.what.startswith("1 turn of")) == (WARNING, True)
