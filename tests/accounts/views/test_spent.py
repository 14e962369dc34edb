"""What somebody has used of each budget, in the owner's time zone."""

from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from accounts.ledger.records import TokenCount, TurnRecord
from accounts.ledger.usage_db import UsageDb
from accounts.people.budgets import Budgets, Measure, Sums, read_limits
from accounts.people.people import Person
from accounts.store.store import Store
from accounts.views.spent import stored_use, use_data, use_words
from tests.builders import HOUR, NOW, key_of, window

ZONE = ZoneInfo("Asia/Kolkata")
"""NOW is 13:30 there."""
ANN = Person(
    name="ann",
    budgets=Budgets(limits=read_limits(Measure.TOKENS, "2k/day, 1M/month") + read_limits(Measure.TURNS, "4/hour")),
    added_at=NOW - 30 * HOUR,
)


def ledger(folder: Path, *hours_ago: float) -> Path:
    """Ann's turns so long ago, of 600 tokens each, and one of bob's."""
    took = TokenCount(input=500, output=100)
    turns = [TurnRecord(when=NOW - each * HOUR, person="ann", tokens=took) for each in hours_ago]
    db = UsageDb(folder / "usage.db")
    db.write([*turns, TurnRecord(when=NOW, person="bob", tokens=TokenCount(input=9_000))])
    db.close()
    return db.path


def test_each_budget_is_told_with_its_use_and_its_end(store: Store, tmp_path: Path) -> None:
    use = stored_use(store, ANN, ledger(tmp_path, 0.1, 2, 14), ZONE, NOW)
    assert use.today == Sums(1_200, 2)  # the third was before midnight there
    assert [(each.used, each.percent) for each in use.budgets] == [(1_200, 60), (1_800, 0), (1, 25)]
    assert use_words(ANN, use, NOW, ZONE) == [
        "Today so far: 2 turns, 1,200 tokens. The next day begins at 00:00 Asia/Kolkata.",
        "1,200 of 2k tokens today (60 %); anew at 00:00 Asia/Kolkata.",
        "1,800 of 1M tokens this month (0 %); anew on 2027-02-01 00:00 Asia/Kolkata.",
        "1 of 4 turns this hour (25 %); anew at 14:00 Asia/Kolkata.",
    ]
    told = use_data(use)
    assert told["today"] == {"tokens": 1_200, "turns": 2}
    assert told["share"] is None


def test_what_an_earlier_one_of_that_name_has_used_does_not_count(store: Store, tmp_path: Path) -> None:
    new = replace(ANN, added_at=NOW - HOUR)
    assert stored_use(store, new, ledger(tmp_path, 0.1, 2), ZONE, NOW).today == Sums(600, 1)


def test_a_share_is_told_of_the_scarcest_window(store: Store, tmp_path: Path) -> None:
    store.set_windows(key_of("ann"), (window(40),)).result()
    person = Person(name="ann", budgets=Budgets(share=30), added_at=0)
    use = stored_use(store, person, ledger(tmp_path, 0.1), ZONE, NOW)
    assert use.share is not None
    assert (round(use.share.percent, 1), use.share.minutes) == (2.5, 300)
    assert use_words(person, use, NOW, ZONE)[1].startswith("2 of 30 % of the pool's scarcest window; anew at ")


def test_without_a_ledger_nothing_was_used(store: Store, tmp_path: Path) -> None:
    use = stored_use(store, Person(name="ann"), tmp_path / "none.db", ZONE, NOW)
    assert use_words(Person(name="ann"), use, NOW, ZONE) == [
        "Today so far: 0 turns, 0 tokens. The next day begins at 00:00 Asia/Kolkata."
    ]
