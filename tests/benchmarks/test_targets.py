"""Targets are compared with what they are about; the issue's limits are all there."""

import pytest

from benchmarks import cases, trials
from benchmarks.stats import Book
from benchmarks.targets import TARGETS, judged
from benchmarks.works import KEPT, NEW, NO_MOVE, NO_ROTATION, ONE_MOVE, ONE_ROTATION, THREE_ROTATIONS, WORKS


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.title)
def test_a_target_is_about_something_that_is_measured(target):
    works = {work.name: work for work in WORKS}
    if target.work in works:
        assert target.case in works[target.work].cases
    else:
        about = {trials.MEMORY, trials.IDLE, trials.TURNS, trials.MESSAGES, trials.SELECTION, trials.STARTS}
        assert target.work in about


def judgement(book, title):
    [found] = [each for each in judged(book) if each.target.title == title]
    return found


def test_nothing_measured_is_not_held():
    assert {each.verdict for each in judged(Book())} == {"not measured"}


def test_a_ratio_is_to_plain():
    book, work = Book(), "short turns, HTTP/1.1, 16 clients"
    for ours in (105.0, 108.0, 130.0):
        book.add(work, cases.PLAIN, {"cpu_us": 100.0})
        book.add(work, cases.OURS, {"cpu_us": ours})
    found = judgement(book, f"CPU, {work}")
    assert (found.measured(), found.verdict) == ("1.08 x (1.06 to 1.19)", "held, within noise")


def test_a_rotation_costs_what_is_left_without_its_connection():
    book = Book()
    for work, case, took in ((KEPT, cases.DIRECT, 0.5), (KEPT, cases.PLAIN, 3.0), (NEW, cases.PLAIN, 4.5)):
        book.add(work, case, {"first_ms": took})
    book.add(NO_MOVE, cases.ROTATING, {"first_ms": 3.0})
    book.add(ONE_MOVE, cases.ROTATING, {"first_ms": 9.0})
    book.add(NO_ROTATION, cases.ROTATING, {"first_ms": 3.0})
    book.add(ONE_ROTATION, cases.ROTATING, {"first_ms": 9.0})
    book.add(THREE_ROTATIONS, cases.ROTATING, {"first_ms": 27.0})
    assert judgement(book, f"{ONE_ROTATION}: each, beside its connection").spread.median == 4
    assert judgement(book, f"{THREE_ROTATIONS}: each, beside its connection").spread.median == 6
    assert judgement(book, f"{ONE_MOVE}: each, beside its connection").spread.median == 3.5


def test_the_load_is_compared_with_the_fastest_single_proxy():
    book, work = Book(), "short turns, HTTP/2, 16 clients"
    for case, rate in ((cases.DIRECT, 1000.0), (cases.PLAIN, 100.0), (cases.OURS, 250.0), (cases.TWO, 400.0)):
        book.add(work, case, {"rate": rate})
    found = judgement(book, f"load without a proxy, {work}")
    assert (found.spread.median, found.verdict) == (4, "failed")
