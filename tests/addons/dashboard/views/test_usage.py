"""Sums of the ledger; read from a real one in tests/addons/dashboard/test_contents.py."""

from accounts.ledger.queries import Grouping, UsageCell, UsageQuery
from accounts.ledger.records import TokenCount
from accounts.views.usage import NONE_LOST, UsageView, group_name, usage_view
from addons.dashboard.views import usage
from addons.dashboard.views.usage import MOST_COLOURS, OTHERS, UsageSeen


def view(by: Grouping, *groups: str) -> UsageView:
    cells = [UsageCell(group=each, turns=1, tokens=TokenCount(input=100 - at)) for at, each in enumerate(groups)]
    return usage_view(cells, UsageQuery(by=by), None, "UTC", NONE_LOST)


def seen(*groups: str, by: Grouping = Grouping.PERSON) -> UsageSeen:
    over_time = [("Mon", dict.fromkeys(groups, 10.0)), ("Tue", {})]
    return UsageSeen(views={by: view(by, *groups)}, by=by, span="7d", over_time=over_time)


def test_a_time_without_turns() -> None:
    assert "has no turns of that time" in usage.usage_view(seen())


def test_the_owner_is_named_so() -> None:
    assert group_name(Grouping.PERSON, "") == group_name(Grouping.PERSON, "local") == "the owner"
    assert group_name(Grouping.ACCOUNT, "acct:user", "work") == "work"
    assert group_name(Grouping.PROJECT, "") == "no project"


def test_of_many_groups_the_small_ones_are_one() -> None:
    text = usage.usage_view(seen(*(f"p{number}" for number in range(MOST_COLOURS + 3))))
    assert f"Mon, {OTHERS}: 30" in text
    assert "Mon, p0: 10" in text
    assert f"Mon, p{MOST_COLOURS}: 10" not in text


def test_trouble_is_said_in_the_place_of_numbers() -> None:
    told = UsageSeen(views={}, by=Grouping.PERSON, span="7d", over_time=(), trouble="It cannot be read.")
    assert "It cannot be read." in usage.usage_view(told)
