"""What people have used is counted in memory, and a clock that jumps gives nobody more or less."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from accounts.ledger.records import TokenCount, TurnKind, TurnOutcome, TurnRecord
from accounts.people.budgets import Period, Sums
from accounts.people.spending import EVERYBODY, KEPT, Spending
from tests.builders import DAY, HOUR, NOW

UTC = ZoneInfo("UTC")


@dataclass
class Ledger:
    """What it says to anybody, and who was asked for since when."""

    says: Sums | None
    asked: list[tuple[str, float]] = field(default_factory=list)

    def spent(self, person: str, since: float) -> tuple[TokenCount, int] | None:
        self.asked.append((person, since))
        return (TokenCount(input=self.says.tokens), self.says.turns) if self.says is not None else None


def record(when: float = NOW, person: str = "ann", tokens: int = 100, **more: object) -> TurnRecord:
    count = TokenCount(input=tokens - 10, cached=50, output=10, reasoning=5)
    return TurnRecord(when=when, person=person, tokens=count, **more)  # type: ignore[arg-type]


def test_a_turn_counts_in_each_period_for_its_person_and_for_everybody() -> None:
    spending = Spending(UTC)
    spending.add(record())
    spending.add(record(person="bob", tokens=30))
    for period in Period:
        assert spending.sums("ann", period, NOW) == Sums(100, 1)
        assert spending.sums(EVERYBODY, period, NOW) == Sums(130, 2)
    assert spending.sums("eve", Period.DAY, NOW) == Sums()


def test_what_was_refused_and_what_nobody_wanted_is_no_turn() -> None:
    spending = Spending(UTC)
    for kind in (TurnKind.WARM_UP, TurnKind.COMPACTION):
        spending.add(record(kind=kind))
    for outcome in (TurnOutcome.REFUSED, TurnOutcome.RECONNECTED):
        spending.add(record(tokens=10, outcome=outcome))
    spending.add(record(outcome=TurnOutcome.FAILED))
    assert spending.sums("ann", Period.DAY, NOW) == Sums(320, 1)


def test_a_new_period_begins_with_nothing() -> None:
    spending = Spending(UTC)
    spending.add(record())
    assert spending.sums("ann", Period.DAY, NOW + DAY) == Sums()
    assert spending.sums("ann", Period.MONTH, NOW + DAY) == Sums(100, 1)


def test_a_clock_that_jumps_over_midnight_and_back_finds_what_was_used() -> None:
    """Neither a fresh budget on the way back, nor one that never ends."""
    spending = Spending(UTC)
    spending.add(record(tokens=100))
    spending.add(record(NOW + DAY, tokens=20))
    assert spending.sums("ann", Period.DAY, NOW + DAY) == Sums(20, 1)
    assert spending.sums("ann", Period.DAY, NOW) == Sums(100, 1)
    spending.add(record(tokens=10))
    assert spending.sums("ann", Period.DAY, NOW) == Sums(110, 2)
    assert spending.sums("ann", Period.DAY, NOW + DAY) == Sums(20, 1)


def test_only_so_many_periods_are_kept() -> None:
    spending = Spending(UTC)
    for hour in range(500):
        spending.add(record(NOW + hour * HOUR))
    kept = spending._of("ann").periods
    assert {period: len(each) for period, each in kept.items()} == KEPT


def test_lately_counts_whole_hours_or_days() -> None:
    spending = Spending(UTC)
    for hours in (0, 2, 4, 30):
        spending.add(record(NOW - hours * HOUR))
    assert spending.lately("ann", 300, NOW).turns == 3
    assert spending.lately("ann", 10_080, NOW).turns == 4
    assert spending.lately("ann", 300, NOW + 8 * HOUR) == Sums()


def test_what_the_ledger_knows_beyond_that_counts_as_well() -> None:
    """From before the start, and of other proxies; it is asked once a minute."""
    ledger = Ledger(Sums(500, 5))
    spending = Spending(UTC, ledger)
    assert spending.sums("ann", Period.DAY, NOW) == Sums(500, 5)
    spending.add(record())
    assert spending.sums("ann", Period.DAY, NOW + 1) == Sums(500, 5)
    ledger.says = Sums(50, 6)
    assert spending.sums("ann", Period.DAY, NOW + 61) == Sums(100, 6)
    assert ledger.asked == [("ann", NOW - NOW % DAY)] * 2
    assert spending.sums("ann", Period.DAY, NOW - 10) == Sums(100, 6), "the clock went back: it is asked anew"
    assert len(ledger.asked) == 3


def test_what_is_not_known_yet_counts_for_nothing_and_is_asked_for_again() -> None:
    ledger = Ledger(None)
    spending = Spending(UTC, ledger)
    assert spending.sums("ann", Period.DAY, NOW) == Sums()
    ledger.says = Sums(500, 5)
    assert spending.sums("ann", Period.DAY, NOW + 1) == Sums(500, 5)
    ledger.says = None
    assert spending.sums("ann", Period.DAY, NOW + 61) == Sums(500, 5), "what was known before holds"


def test_what_the_ledger_knows_of_an_earlier_one_of_that_name_does_not_count() -> None:
    ledger = Ledger(Sums())
    Spending(UTC, ledger).sums("ann", Period.DAY, NOW, added_at=NOW - 10)
    Spending(UTC, ledger).sums("ann", Period.DAY, NOW, added_at=NOW - 3 * DAY)
    assert ledger.asked == [("ann", NOW - 10), ("ann", NOW - NOW % DAY)]


def test_somebody_who_is_gone_is_forgotten() -> None:
    spending = Spending(UTC)
    spending.add(record())
    spending.forget("ann")
    assert spending.sums("ann", Period.DAY, NOW) == Sums()


def test_what_a_minute_brings_belongs_to_the_periods_of_its_moment() -> None:
    """The last turn before midnight, and the first one after it."""
    spending = Spending(UTC)
    midnight = NOW // 86_400 * 86_400 + 86_400
    for when in (midnight - 0.5, midnight - 0.25, midnight, midnight + 0.5, midnight - 0.125):
        spending.add(record(when=when))
    assert spending.sums("ann", Period.DAY, midnight - 1) == Sums(300, 3)
    assert spending.sums("ann", Period.DAY, midnight) == Sums(200, 2)


def test_somebody_who_is_gone_leaves_nothing_uncounted() -> None:
    spending = Spending(UTC)
    spending.add(record())
    spending.forget("ann")
    assert spending.sums("ann", Period.DAY, NOW) == Sums()
