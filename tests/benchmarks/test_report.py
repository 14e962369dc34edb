"""Tables show what was measured, and the page is changed between its marks only."""

import pytest

from benchmarks import report
from benchmarks.cases import DIRECT, OURS, PLAIN, SAVED
from benchmarks.stats import Book

WORK = "short turns, HTTP/1.1, 16 clients"


@pytest.fixture
def book():
    made = Book()
    for cpu in (100.0, 200.0):
        made.add(WORK, DIRECT, {"first_ms": 0.2, "rate": 9000.0})
        made.add(WORK, PLAIN, {"cpu_us": cpu, "first_ms": 2.0, "rate": 400.0})
        made.add(WORK, OURS, {"cpu_us": 1.5 * cpu, "first_ms": 2.2, "rate": 350.0})
        made.add(WORK, SAVED, {"cpu_us": 3 * cpu, "first_ms": 2.2, "rate": 350.0})
    return made


def test_nothing_measured_is_no_table():
    assert report.sheets(Book()) == []


def test_cases_are_multiples_of_what_they_are_compared_with(book):
    """A case whose base was not measured has nothing to be compared with."""
    [sheet] = [sheet for sheet in report.sheets(book) if sheet.title == "CPU of the proxy per turn"]
    assert sheet.table.columns == ("work", "plain, µs", "ours")
    assert sheet.table.rows == ((WORK, "150 (125 to 175)", "1.50"),)


def test_every_row_has_a_cell_for_every_column(book):
    for sheet in report.sheets(book):
        assert {len(row) for row in sheet.table.rows} == {len(sheet.table.columns)}


def test_what_failed_stands_out(book):
    text = report.markdown(report.sheets(book), ["Measured."])
    assert text.startswith("Measured.\n\n### Targets\n")
    assert f"| CPU, {WORK} | ≤ 1.1 x | 1.50 x (1.50 to 1.50) | **failed** |" in text
    assert report.summary(book) == "2 of 3 targets that were measured are held."


def test_only_what_is_between_the_marks_is_replaced():
    page = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    written = report.written_into(page, "new\n")
    assert written == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    assert report.written_into(written, "new\n") == written


@pytest.mark.parametrize("page", ["", report.BEGIN, report.END, f"{report.END} {report.BEGIN}"])
def test_a_page_without_marks_is_left_alone(page):
    with pytest.raises(report.NoPlace):
        report.written_into(page, "new")
