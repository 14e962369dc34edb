"""What an owner types: tags, and a part that is kept."""

import pytest

from accounts.errors import UsageError
from accounts.owner.values import read_percent, read_tags
from tests.rows import all_rows


@all_rows("word", ["+", "-", "", "a b", "a,b", "#a", "++a", "+-a", "\x1b[2J", "x" * 31, "--nope"])
def test_words_that_cannot_be_tags(word: str) -> None:
    with pytest.raises(UsageError):
        read_tags([word], [])


def test_a_tag_cannot_come_and_go_at_once() -> None:
    with pytest.raises(UsageError, match="a: to be added and taken away"):
        read_tags(["+a", "-A"], [])
    assert read_tags(["+a", "b", "-c"], ["d"]) == (("a", "b"), ("c", "d"))


@all_rows(("text", "percent"), [("0", 0), ("20", 20), ("20 %", 20), (" 100% ", 100)])
def test_percentages(text: str, percent: int) -> None:
    assert read_percent(text) == percent


@all_rows("text", ["", "-1", "101", "20.5", "a lot", "٣", "999999999"])
def test_percentages_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="whole number from 0 to 100"):
        read_percent(text)
