"""Trials note what they are asked for. Those with programs run in test_bench.py."""

from benchmarks import trials
from benchmarks.stats import Book
from benchmarks.trials import TRIALS


def test_names_are_unique():
    assert len({trial.name for trial in TRIALS}) == len(TRIALS)


async def test_a_short_selection_leaves_the_largest_pool_out():
    book = Book()
    await trials.selection(None, book, 0.01)
    assert book.rounds[trials.SELECTION].keys() == {"10 accounts", "1,000 accounts"}
    assert all(found.keys() == {"call_us", "pause_us"} for found in book.rounds[trials.SELECTION].values())


def test_growth_is_what_comes_after_the_first_tenth():
    book = Book()
    trials._grown(book, "turns", "ours", [(n, 100 + n) for n in range(20)])
    assert book.values("turns", "ours", "growth_mb") == [17]
    assert book.values("turns", "ours", "rss_mb") == [119]
    assert len(book.lines["turns"]["ours"]) == 20
