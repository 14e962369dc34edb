"""Which events there are, and each for programs."""

import json

import pytest

from accounts.choice.decision_record import DECISION
from accounts.choice.outcomes import Kind
from accounts.model import Event
from accounts.views.events import KINDS, UnknownEventKind, checked_kinds, event_data, wanted_events
from scripts.reference_words import EVENTS
from tests.builders import NOW

PAUSED = Event(at=NOW, kind="paused", key="k")


def test_every_kind_of_the_reference_can_be_asked_for() -> None:
    assert set(KINDS) == {*EVENTS, *map(str, Kind)}
    assert len(KINDS) == len(set(KINDS))


def test_kinds_are_found_as_people_type_them() -> None:
    assert checked_kinds(["Usage-Limit", "paused"]) == {"usage_limit", "paused"}
    with pytest.raises(UnknownEventKind, match="Did you mean paused"):
        checked_kinds(["pausd"])
    with pytest.raises(UnknownEventKind, match="Some are decision"):
        checked_kinds(["?"])


def test_events_are_chosen_by_kind_and_time() -> None:
    old = Event(at=NOW - 9, kind="resumed")
    assert wanted_events([PAUSED, old], (), 0) == [PAUSED, old]
    assert wanted_events([PAUSED, old], {"resumed"}, 0) == [old]
    assert wanted_events([PAUSED, old], (), NOW) == [PAUSED]


def test_an_event_for_programs() -> None:
    assert event_data(PAUSED, {"k": "work"}) == {
        "at": NOW, "kind": "paused", "account": "work", "thread": "", "detail": "", "request": None,
    }  # fmt: skip
    attempt = {"account": "work", "why": "w", "kind": "ok", "detail": "", "seconds": 0.5}
    record = json.dumps({"done": "delivered", "model": "gpt", "seconds": 1.0, "attempts": [attempt]})
    told = event_data(Event(at=NOW, kind=DECISION, thread="t", detail=record), {})
    assert told["detail"] == ""
    assert isinstance(told["request"], dict)
    assert told["request"]["attempts"][0]["outcome"] == "ok"
