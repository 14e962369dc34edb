"""Hands on what turns took to the counts by which people's budgets are judged."""

from accounts.ledger.records import TurnRecord
from addons.startup import Startup


class SpendingFeed:
    """A TurnLedger (accounts/ledger/ports.py) that keeps nothing itself."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup

    def add(self, record: TurnRecord) -> None:
        if self.startup.service is not None:
            self.startup.service.people.spending.add(record)
