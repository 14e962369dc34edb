"""Only the first question about somebody in a period waits for the ledger's file."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from accounts.ledger.records import TokenCount
from addons.exchange.spent_behind import SpentBehind


class Ledger:
    """Each answer is larger than the one before; all but the first wait until they are let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = Future[None]()

    def spent(self, person: str, since: float) -> tuple[TokenCount, int]:
        self.asked += 1
        number = self.asked
        if number > 1:
            self.may_answer.result(timeout=30)
        return TokenCount(input=number), number


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def behind(ledger: Ledger) -> Iterator[SpentBehind]:
    behind = SpentBehind(ledger)
    yield behind
    if not ledger.may_answer.done():
        ledger.may_answer.set_result(None)
    behind.close()


def test_what_was_read_holds_while_it_is_read_anew(ledger: Ledger, behind: SpentBehind) -> None:
    assert [behind.spent("ann", 0.0)[1] for _ in range(3)] == [1, 1, 1]
    ledger.may_answer.set_result(None)
    behind._under_way["ann", 0.0].result(timeout=30)
    assert behind.spent("ann", 0.0)[1] == 2


def test_another_period_is_another_question(ledger: Ledger, behind: SpentBehind) -> None:
    ledger.may_answer.set_result(None)
    assert [behind.spent("ann", since)[1] for since in (0.0, 3600.0)] == [1, 2]
