"""Lines fit, words stay whole, and what others have said cannot move a cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.lines import plain, terminal_width, wrapped


def test_without_a_terminal_nothing_has_to_fit() -> None:
    assert terminal_width() == 0
    assert wrapped("head ", "a long text " * 30, 0) == ["head " + "a long text " * 30]


def test_further_lines_are_indented() -> None:
    assert wrapped("name  ", "one two three", 12, 6) == ["name  one", "      two", "      three"]


@pytest.mark.parametrize("head", ["", "Name  "])
def test_an_empty_text_leaves_its_head(head: str) -> None:
    assert wrapped(head, "", 20) == [head]


@given(st.text())
def test_plain_is_one_printable_line(text: str) -> None:
    assert plain(text, 50).isprintable()
    assert len(plain(text, 50)) <= 50


def test_plain_takes_what_moves_a_cursor_out_and_leaves_words() -> None:
    assert plain("a\x1b[2Jb\r\nü → 漢\u202e") == "a [2Jb ü → 漢"
