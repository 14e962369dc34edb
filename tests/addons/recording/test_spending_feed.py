"""What turns took reaches the counts of the proxy that runs; before there is one it is nobody's."""

import json
from pathlib import Path

from mitmproxy.test import tflow

from accounts.choice.decision_record import DECISION, Decided, Done, read_record
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.model import Event
from accounts.people.budgets import Period, Sums
from addons.exchange.service import PoolService
from addons.recording.ended_turn import EndedTurn
from addons.recording.spending_feed import SpendingFeed
from addons.recording.turn_log import TurnLog
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


async def test_what_is_over_counts_before_anybody_looks(tmp_path: Path) -> None:
    """Turns are told many at a time; a budget is judged at the next one."""
    startup = Startup()
    feed = SpendingFeed(startup)
    turns = TurnLog(lambda _: "", feed)
    feed.news = turns.tell_now
    feed.running()  # without a pool
    startup.service = PoolService(tmp_path / "pool.db", Clock())
    try:
        feed.running()
        flow = tflow.tflow()
        turns.request_over(flow, EndedTurn(decided(Done.DELIVERED)))
        assert startup.service.people.spending.sums("", Period.DAY, NOW) == Sums(0, 1)
        turns.request_over(flow, EndedTurn(decided(Done.DELIVERED)))
        assert startup.service.people.spending.lately("", 300, NOW) == Sums(0, 2)
    finally:
        startup.service.close()


def decided(done: str) -> Decided:
    event = Event(at=NOW, kind=DECISION, key="", thread="thread", detail=json.dumps({"done": done, "seconds": 1.0}))
    return Decided(read_record(event), event)
