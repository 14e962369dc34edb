"""Who hears of turns that are over."""

from typing import Protocol

from accounts.ledger.records import TurnRecord


class TurnLedger(Protocol):
    """Gets each turn once, behind its answer, on the proxy's event loop: it returns at once and never raises."""

    def add(self, record: TurnRecord) -> None: ...
