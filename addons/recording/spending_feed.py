"""Hands on what turns took to the counts by which people's budgets are judged."""

from collections.abc import Callable

from accounts.ledger.records import TurnRecord
from addons.startup import Startup


class SpendingFeed:
    """An addon, and a TurnLedger (accounts/ledger/ports.py) that keeps nothing itself. `news` brings what is over and
    was not told yet."""

    def __init__(self, startup: Startup, news: Callable[[], object] = tuple) -> None:
        self.startup = startup
        self.news = news

    def running(self) -> None:
        if self.startup.service is not None:
            self.startup.service.people.spending.news = self.news

    def add(self, record: TurnRecord) -> None:
        if self.startup.service is not None:
            self.startup.service.people.spending.add(record)
