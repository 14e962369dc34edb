"""A mitmproxy script for our proxy: no turn is recorded.

What the ledger and the budgets cost is the difference.
"""

from accounts.ledger.records import TurnRecord
from addons import chain


class Unrecorded:
    """Stands in the place of what makes a record of a turn."""

    def of(self, *_: object) -> TurnRecord | None:
        return None


def running() -> None:
    chain.turns.records = Unrecorded()  # type: ignore[assignment]
