"""The pictures are drawn from whatever there is."""

import xml.etree.ElementTree as ET
from typing import Any

from benchmarks import trials
from benchmarks.cases import OURS, PLAIN
from benchmarks.stats import Book


def draw(*given: Any, **more: Any) -> Any:
    from benchmarks import plot  # late: matplotlib, which every process that looks for tests would import

    return plot.draw(*given, **more)


def texts(file):
    return {element.text for element in ET.parse(file).iter() if element.text}


def test_the_pictures_show_works_cases_and_targets(tmp_path):
    book, work = Book(), "short turns, HTTP/1.1, 16 clients"
    for cpu in (100.0, 110.0):
        book.add(work, PLAIN, {"cpu_us": 100.0, "first_ms": 2.0})
        book.add(work, OURS, {"cpu_us": cpu, "first_ms": 2.1})
    book.draw(trials.TURNS, OURS, [(500, 90.0), (1000, 91.0)])
    draw(book, tmp_path / "ratios.svg", tmp_path / "memory.svg")
    assert {work, OURS, "target for short turns, 1.10 x"} <= texts(tmp_path / "ratios.svg")
    assert {trials.TURNS, OURS} <= texts(tmp_path / "memory.svg")


def test_without_numbers_there_are_pictures_too_and_always_the_same(tmp_path):
    for name in "ab":
        draw(Book(), tmp_path / f"{name}.svg", tmp_path / f"{name}-memory.svg")
        assert (tmp_path / f"{name}-memory.svg").stat().st_size
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
