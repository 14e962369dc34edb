"""The table of works is sound, and turns become the right numbers."""

import pytest

from benchmarks.cases import CASES, DIRECT, PLAIN
from benchmarks.load import CLIENTS, Turn
from benchmarks.works import KEPT, NEW, WORKS, body_of, numbers, quickly


def test_names_are_unique():
    assert len({work.name for work in WORKS}) == len(WORKS)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_row_can_be_done(work):
    assert work.client in CLIENTS
    assert set(work.cases) <= {case.name for case in CASES}
    assert work.turns >= work.clients >= 1
    assert not (work.order.gap and work.client == "WebSocket"), "a socket answers at once"


def test_what_a_connection_takes_without_us_is_measured():
    works = {work.name: work for work in WORKS}
    assert {DIRECT, PLAIN} <= set(works[KEPT].cases)
    assert PLAIN in works[NEW].cases


@pytest.mark.parametrize("size", [70_000, 5_000_000])
def test_bodies_have_their_size(size):
    assert size * 0.95 < len(body_of(size)) < size * 1.15
    assert not body_of(size).startswith(b"{")


def test_turns_become_numbers():
    turns = [Turn(began=1.0, first=1.0 + 0.001 * n, ended=1.2, delays=[0.001 * n]) for n in (1, 2, 3)]
    found = numbers(turns, seconds=2.0, cpu=0.006)
    assert found["first_ms"] == pytest.approx(2)
    assert found["whole_ms"] == pytest.approx(200)
    assert found["rate"] == 1.5
    assert found["cpu_us"] == pytest.approx(2000)
    assert found["delay_ms"] == pytest.approx(2)
    assert found["delay_p99_ms"] == pytest.approx(2.98)


def test_what_there_is_not_is_no_number():
    """No process, no CPU time; no stamps, no delays."""
    assert numbers([Turn(1.0, 1.1, 1.2)], 1.0, 0.0).keys().isdisjoint({"cpu_us", "delay_ms", "delay_p99_ms"})


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_quick_work_is_the_same_with_less(work):
    less = quickly(work)
    assert (less.name, less.client, less.fresh, less.body) == (work.name, work.client, work.fresh, work.body)
    assert less.turns <= min(8, work.turns)
    assert less.order.messages <= work.order.messages
