import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.continuing.numbers import Renumbering, last_in


@given(st.integers(0, 10**6), st.lists(st.integers(0, 3), min_size=1), st.text())
def test_numbers_of_a_further_part_rise_on_and_nothing_else_changes(last: int, steps: list[int], text: str) -> None:
    renumbering, number, before = Renumbering(last), 0, last
    for step in steps:
        number += step + 1
        event = {"delta": text + '"sequence_number":5,"', "sequence_number": number}
        passed = json.loads(renumbering.passing(json.dumps(event).encode()))
        assert passed["sequence_number"] > before
        assert passed["delta"] == event["delta"]
        before = passed["sequence_number"]


@pytest.mark.parametrize("last", [None, 3])
def test_what_has_no_number_gets_none(last: int | None) -> None:
    event = b'{"type":"response.created"}'
    assert Renumbering(last).passing(event) is event


def test_a_part_whose_numbers_begin_higher_keeps_them() -> None:
    assert Renumbering(3).passing(b'{"sequence_number": 9}') == b'{"sequence_number": 9}'


def test_without_numbers_in_the_first_part_the_second_keeps_its_own() -> None:
    event = b'{"sequence_number":0}'
    assert Renumbering(None).passing(event) is event


def test_the_last_number_of_several_events_counts() -> None:
    assert last_in(b'data: {"sequence_number":3}\n\ndata: {"type":"x", "sequence_number" : 4}\n\n') == 4
    assert last_in(b"data: {}\n\n") is None
