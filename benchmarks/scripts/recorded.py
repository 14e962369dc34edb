"""A mitmproxy script for our proxy: whether turns are recorded is told by a signal. They are, until one comes.

What the ledger and the budgets cost is the difference.
"""

import logging
import signal
from typing import Final

from accounts.ledger.records import TurnRecord
from addons import chain

ON: Final = "SIGUSR1"
OFF: Final = "SIGUSR2"
SAYS: Final = "signals tell whether turns are recorded"
"""In the log, when they do."""


class Unrecorded:
    """Stands in the place of what makes a record of a turn."""

    def of(self, *_: object) -> TurnRecord | None:
        return None


def running() -> None:
    recorded, unrecorded = chain.turns.records, Unrecorded()

    def tell(number: int, _: object) -> None:
        chain.turns.tell_now()  # what was over before
        chain.turns.records = recorded if number == signal.Signals[ON] else unrecorded  # type: ignore[assignment]

    for name in (ON, OFF):
        signal.signal(signal.Signals[name], tell)
    logging.getLogger(__name__).warning(SAYS)
