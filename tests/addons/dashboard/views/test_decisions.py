"""Turns of the history; with a real one in tests/addons/dashboard/test_contents.py."""

from accounts.choice.decision_record import AttemptRow, Record
from accounts.history import Decision
from addons.dashboard.views.decisions import ON_A_PAGE, DecisionsSeen, decisions_view
from tests.builders import NOW


def decision(**more: object) -> Decision:
    attempts = (AttemptRow("ann", "its turn", "usage_limit", "429", 0.5), AttemptRow("bob", "next", "ok", "", 2.0))
    values = {"done": "delivered", "model": "gpt-5", "seconds": 2.5, "attempts": attempts, "person": "kim"}
    return Decision(at=NOW, thread="x", record=Record(**(values | more)))  # type: ignore[arg-type]


def seen(*found: Decision, **more: object) -> DecisionsSeen:
    values = {"found": [(each, None) for each in found], "count": len(found), "page": 1, "now": NOW}
    return DecisionsSeen(**(values | more))  # type: ignore[arg-type]


def test_no_history_says_so() -> None:
    assert "The history has no such turn." in decisions_view(seen())


def test_a_rule_that_has_refused_is_named() -> None:
    text = decisions_view(seen(decision(done="answered by the proxy", attempts=(), rule="over_budget")))
    assert "answered by the proxy (over budget)" in text


def test_there_is_a_way_to_older_ones() -> None:
    text = decisions_view(seen(decision(), count=3 * ON_A_PAGE, page=2))
    assert 'href="/decisions?page=1"' in text
    assert 'href="/decisions?page=3"' in text
    assert "page 2 of 3" in text


def test_a_person_is_told_of_no_account() -> None:
    text = decisions_view(seen(decision(), person="kim"))
    assert "ann" not in text
    assert "bob" not in text
    assert "delivered" in text
