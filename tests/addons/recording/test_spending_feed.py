"""What turns took reaches the counts of the proxy that runs; before there is one it is nobody's."""

from pathlib import Path

from accounts.ledger.records import TokenCount, TurnRecord
from accounts.people.budgets import Period, Sums
from addons.exchange.service import PoolService
from addons.recording.spending_feed import SpendingFeed
from addons.startup import Startup
from tests.builders import NOW, Clock

TURN = TurnRecord(when=NOW, person="ann", tokens=TokenCount(input=40, output=2))


def test_a_turn_counts_for_its_person(tmp_path: Path) -> None:
    startup = Startup()
    feed = SpendingFeed(startup)
    feed.add(TURN)
    startup.service = PoolService(tmp_path / "pool.db", Clock())
    try:
        feed.add(TURN)
        assert startup.service.people.spending.sums("ann", Period.DAY, NOW) == Sums(42, 1)
    finally:
        startup.service.close()
