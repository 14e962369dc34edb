"""Lines fit, words stay whole, and what others have said cannot move a cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.ui.lines import fitted, plain, terminal_width, wrapped


def test_without_a_terminal_nothing_has_to_fit() -> None:
    assert terminal_width() == 0
    assert wrapped("head ", "a long text " * 30, 0) == ["head " + "a long text " * 30]


def test_further_lines_are_indented() -> None:
    assert wrapped("name  ", "one two three", 12, 6) == ["name  one", "      two", "      three"]


@pytest.mark.parametrize("head", ["", "Name  "])
def test_an_empty_text_leaves_its_head(head: str) -> None:
    assert wrapped(head, "", 20) == [head]


def test_gaps_within_a_line_stay_and_those_at_its_ends_go() -> None:
    """What is set in columns stays in columns."""
    assert wrapped("", "14:05  refreshed  ann", 30) == ["14:05  refreshed  ann"]
    assert wrapped("", "14:05  refreshed  ann", 18, 0) == ["14:05  refreshed", "ann"]


def test_letters_that_are_two_columns_wide_count_as_two() -> None:
    assert wrapped("", "日本語 日本語 日本語", 14, 0) == ["日本語 日本語", "日本語"]
    assert wrapped("日本語 ", "a b", 9, 0) == ["日本語 a", "b"]


@given(st.lists(st.text("ab-日…/", min_size=1, max_size=30), min_size=1), st.integers(1, 60), st.integers(0, 8))
def test_words_are_whole_whatever_they_are(words: list[str], columns: int, indent: int) -> None:
    """A line is longer than the terminal only if it is one word."""
    lines = wrapped("", " ".join(words), columns, indent)
    assert [word for line in lines for word in line.split()] == words
    assert all(cell_len(line) <= columns or len(line.split()) == 1 for line in lines)


def test_only_what_is_too_long_is_touched() -> None:
    """Further lines begin where the first one does; without a terminal everything stays as it is."""
    text = "short  line\n  an indented line that is too long\n\nlast"
    assert fitted(text, 20) == "short  line\n  an indented line\n  that is too long\n\nlast"
    assert fitted(text, 0) == text


@given(st.text())
def test_plain_is_one_printable_line(text: str) -> None:
    assert plain(text, 50).isprintable()
    assert len(plain(text, 50)) <= 50


def test_plain_takes_what_moves_a_cursor_out_and_leaves_words() -> None:
    assert plain("a\x1b[2Jb\r\nü → 漢\u202e") == "a [2Jb ü → 漢"
