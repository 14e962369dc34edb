"""A test over a table tries every row, and says which ones are wrong."""

import pytest

from tests.rows import all_rows

TRIED: list[tuple[int, str]] = []


@all_rows("number", [1, pytest.param(2, id="two")])
@all_rows(("word", "more"), [("a", "x"), ("b", "y")])
def test_rows_of_two_tables_are_tried_with_each_other(number: int, word: str, more: str, tmp_path: object) -> None:
    assert tmp_path
    TRIED.append((number, word + more))


def test_that_was_each_of_them() -> None:
    assert TRIED == [(1, "ax"), (1, "by"), (2, "ax"), (2, "by")]


def test_one_row_that_is_wrong_is_named() -> None:
    @all_rows("number", [1, 2])
    def small(number: int) -> None:
        assert number < 2

    with pytest.raises(AssertionError) as failed:
        small()
    assert failed.value.__notes__[-1] == "for {'number': 2}"


def test_all_rows_that_are_wrong_are_named() -> None:
    @all_rows("number", range(4))
    def small(number: int) -> None:
        assert number < 2

    with pytest.raises(ExceptionGroup, match="2 of 4 rows") as failed:
        small()
    assert [each.__notes__[-1] for each in failed.value.exceptions] == ["for {'number': 2}", "for {'number': 3}"]
