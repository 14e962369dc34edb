"""Requests and rotations are counted from what the history holds, whatever is in it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from accounts.choice.decision_record import DECISION
from accounts.history import decisions, tally
from accounts.model import Event
from tests.rows import all_rows


def decision(at: float, *accounts: str, thread: str = "", **changes: Any) -> Event:
    tries = [{"account": a, "why": "w", "kind": "ok", "detail": "", "seconds": 1} for a in accounts]
    told = {"done": "delivered", "model": "m", "seconds": 2, "attempts": tries, **changes}
    return Event(at=at, kind=DECISION, thread=thread, detail=json.dumps(told))


def rotations(*events: Event) -> int:
    """Of these, the oldest first."""
    return tally(reversed(events)).rotations


def test_nothing_has_happened() -> None:
    assert (tally([]).requests, tally([]).rotations, tally([]).since) == (0, 0, None)


def test_since_is_when_the_oldest_event_happened_whatever_its_kind() -> None:
    found = tally([decision(30, "a"), decision(20, "a"), Event(at=10, kind="imported")])
    assert (found.requests, found.since) == (2, 10)


def test_each_change_of_account_within_a_request_is_a_rotation() -> None:
    assert rotations(decision(1, "a", "b", "b", "a")) == 2


def test_a_thread_that_goes_on_elsewhere_has_rotated() -> None:
    assert rotations(decision(1, "a", thread="t"), decision(2, "b", thread="t")) == 1


def test_other_threads_and_requests_without_one_are_not_compared() -> None:
    assert (
        rotations(decision(1, "a", thread="t"), decision(2, "b", thread="u"), decision(3, "c"), decision(4, "a")) == 0
    )


def test_a_request_that_nobody_was_asked_for_leaves_its_thread_where_it_was() -> None:
    turns = (decision(1, "a", thread="t"), decision(2, thread="t"), decision(3, "a", thread="t"))
    assert rotations(*turns) == 0


BROKEN = [
    "", "null", "[]", "7", '"x"', "{", "{}", '{"attempts": null}', '{"attempts": "abc"}', '{"attempts": [1]}',
    '{"attempts": [], "done": 1}', "[" * 100_000,
    '{"done": "d", "model": "m", "seconds": 1e999, "attempts": []}',
    '{"done": "d", "model": "m", "seconds": NaN, "attempts": []}',
    '{"done": "d", "model": "m", "seconds": 1' + "0" * 400 + ', "attempts": []}',
    '{"done": 0, "model": 1, "seconds": 1,"attempts": [{"account":1,"why":2,"kind":0,"detail":4,"seconds":NaN}]}',
]  # fmt: skip


@all_rows("detail", BROKEN)
def test_a_record_that_cannot_be_read_still_counts(detail: str) -> None:
    """It was a request; what became of it another version knows. What comes out is JSON."""
    (found,) = decisions([Event(at=1, kind=DECISION, detail=detail)])
    assert (found.record.done, found.record.attempts) == ("told in words of another version", ())
    assert tally([Event(at=1, kind=DECISION, detail=detail)]).requests == 1


@given(st.lists(st.tuples(st.sampled_from([DECISION, "refreshed", ""]), st.text(), st.text()), max_size=20))
def test_nothing_in_a_history_stops_the_counting(told: list[tuple[str, str, str]]) -> None:
    events = [
        Event(at=float(at), kind=kind, thread=thread, detail=text) for at, (kind, thread, text) in enumerate(told)
    ]
    assert tally(events).requests == sum(kind == DECISION for kind, _, _ in told)
