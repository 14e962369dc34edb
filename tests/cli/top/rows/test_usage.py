"""What today took."""

from accounts.ledger.queries import Grouping, UsageCell, UsageQuery
from accounts.ledger.records import TokenCount, TurnOutcome
from accounts.views.usage import usage_view
from cli.top.facts import ShownFacts
from cli.top.lines import Pen, text_of
from cli.top.rows.usage import READING, listing
from tests.builders import NOW

CELLS = [
    UsageCell(group=name, shown=name, turns=2, tokens=TokenCount(input=size, cached=size // 2, output=10), cold=5)
    for name, size in (("ann", 9000), ("bob", 1000))
]


def lines(width: int, *cells: UsageCell) -> list[str]:
    view = usage_view(
        cells, UsageQuery(by=Grouping.PERSON), None, "UTC", usage_view([], UsageQuery(), None, "", _lost()).lost
    )
    items = listing(ShownFacts(usage=view)).items
    return [text_of(line) for each in items for line in each.draw(Pen(width=width, now=NOW))]


def _lost():  # type: ignore[no-untyped-def]
    from accounts.ledger.queries import LostTurns

    return LostTurns()


def test_who_took_most_comes_first_and_all_together_last() -> None:
    found = lines(80, *CELLS)
    assert [line.split()[0] for line in found] == ["ann", "bob", "together"]
    assert found[2].split()[1:3] == ["4", "10k"]
    assert found[0].count("█") > found[1].count("█") > 0
    assert all(len(line) == 80 for line in found)


def test_one_group_needs_no_sum() -> None:
    assert len(lines(80, CELLS[0])) == 1


def test_what_was_refused_is_counted() -> None:
    refused = UsageCell(group="eve", shown="eve", turns=3, outcome=TurnOutcome.REFUSED, rule="budget")
    assert lines(80, refused)[0].split()[-1] == "3"


def test_before_it_is_read_that_is_said() -> None:
    assert listing(ShownFacts()).empty == READING
    assert listing(ShownFacts(ledger="It is damaged.")).empty == "It is damaged."


def test_a_narrow_screen_loses_the_bar() -> None:
    found = lines(50, *CELLS)
    assert all(len(line) == 50 for line in found)
    assert "█" not in found[0]
