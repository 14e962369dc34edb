"""Turns that are under way, as one process tells another of them."""

import json

import pytest

from accounts.views.live_turns import LiveTurn, as_json, from_json, live_turn_data
from tests.builders import NOW

FULL = LiveTurn(
    id="1",
    began=NOW,
    person="ann",
    project="owner/repo",
    thread="t",
    model="gpt",
    account="work",
    transport="websocket",
    attempts=2,
    rotations=1,
    received=4096,
    first_output=0.25,
)


def test_what_was_written_is_read() -> None:
    turns = (FULL, LiveTurn(id="2", began=NOW))
    assert from_json(as_json(turns)) == turns
    assert from_json(as_json(()).encode()) == ()


def test_another_version_may_say_more_or_less() -> None:
    told = {"id": "3", "began": NOW, "mood": "fine"}
    assert from_json(json.dumps([told])) == (LiveTurn(id="3", began=NOW),)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        "{}",
        "null",
        '{"product": "codex-rotate"}',
        "[1]",
        "[{}]",
        "[" * 100_000,
        json.dumps([{"id": 1, "began": NOW}]),
        json.dumps([{"id": "1", "began": "now"}]),
        json.dumps([{"id": "1", "began": True}]),
        '[{"id": "1", "began": NaN}]',
        '[{"id": "1", "began": ' + "1" * 400 + "}]",
        json.dumps([live_turn_data(FULL) | {"received": 1.5}]),
        json.dumps([live_turn_data(FULL) | {"first_output": "soon"}]),
        json.dumps([live_turn_data(FULL) | {"thread": None}]),
    ],
)
def test_what_nobody_of_ours_has_written_is_none(text: str | bytes) -> None:
    assert from_json(text) is None


def test_no_turn_is_younger_than_none() -> None:
    assert FULL.age(NOW + 2) == 2
    assert FULL.age(NOW - 2) == 0
