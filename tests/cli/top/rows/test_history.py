"""The history: requests with their rotations, and changes."""

import json

from accounts.choice.decision_record import DECISION
from accounts.ledger.records import TokenCount, TurnRecord
from accounts.model import Event
from cli.top.facts import ShownFacts, ShownPool
from cli.top.lines import Pen, text_of
from cli.top.rows.history import NO_ROTATION, listing, page, told
from tests.builders import NOW, key_of

PEN = Pen(width=80, now=NOW)


def request(at: float, *attempts: tuple[str, str], thread: str = "t") -> Event:
    rows = [
        {"account": account, "why": "most is left", "kind": kind, "detail": "5h", "seconds": 0.5}
        for account, kind in attempts
    ]
    record = {"done": "delivered", "model": "gpt-5", "seconds": 2.0, "attempts": rows, "person": "eve"}
    return Event(at=at, kind=DECISION, thread=thread, detail=json.dumps(record))


def lines(*events: Event, detailed: bool = False, only_rotations: bool = False) -> list[str]:
    """As the store gives events, the newest first."""
    facts = ShownFacts(pool=ShownPool(events=events))
    items = listing(facts, detailed=detailed, only_rotations=only_rotations).items
    return [text_of(line).rstrip() for each in items for line in each.draw(PEN)]


def test_a_request_shows_who_was_asked_and_who_served() -> None:
    (line,) = lines(request(NOW, ("ann", "usage_limit"), ("bob", "ok")))
    assert "ann usage limit → bob  eve  gpt-5" in line
    assert line.endswith("2.0 s")


def test_a_thread_that_was_elsewhere_before_has_rotated() -> None:
    events = [request(NOW, ("bob", "ok")), request(NOW - 9, ("ann", "ok")), request(NOW - 20, ("ann", "ok"))]
    assert [each.rotated for each in told(events)] == [True, False, False]
    assert lines(*events, only_rotations=True) == [lines(*events)[0]]
    assert "ann → bob" in lines(*events)[0]


def test_another_thread_is_none_of_its_business() -> None:
    events = [request(NOW, ("bob", "ok"), thread="u"), request(NOW - 9, ("ann", "ok"))]
    assert not any(each.rotated for each in told(events))
    assert listing(ShownFacts(), detailed=False, only_rotations=True).empty == NO_ROTATION


def test_changes_are_told_and_single_outcomes_stand_in_their_request_only() -> None:
    events = [Event(at=NOW, kind="relabelled", detail="was x"), Event(at=NOW - 1, kind="usage_limit", key="k")]
    (line,) = lines(*events)
    assert line.endswith("relabelled  was x")


def test_in_detail_each_attempt_has_its_reason() -> None:
    found = lines(request(NOW, ("ann", "usage_limit"), ("bob", "ok")), detailed=True)
    assert found[1].strip() == "1  ann, because most is left: usage limit (5h) after 0.5 s"
    assert len(found) == 3


def test_a_record_of_another_version_is_shown_all_the_same() -> None:
    (line,) = lines(Event(at=NOW, kind=DECISION, detail="?"))
    assert "nobody was asked; told in words of another version" in line


def test_a_page_says_what_a_rotation_cost() -> None:
    each = told([request(NOW, ("ann", "usage_limit"), ("bob", "ok"))])[0]
    turn = TurnRecord(when=NOW, project="shop", tokens=TokenCount(input=9000, cached=100, output=50), cold=8000)
    text = "\n".join(text_of(line) for line in page(each, turn, {}, PEN))
    assert "9k in (100 cached, 8k of it cold" in text
    assert "shop" in text
    assert "eve" in text
    assert "2  bob, because most is left: ok (5h) after 0.5 s" in text


def test_a_page_of_a_change_has_its_words() -> None:
    each = told([Event(at=NOW, kind="relabelled", key=key_of("ann"), detail="was x")])[0]
    text = "\n".join(text_of(line) for line in page(each, None, {key_of("ann"): "ann"}, PEN))
    assert "relabelled ann" in text
    assert "was x" in text
