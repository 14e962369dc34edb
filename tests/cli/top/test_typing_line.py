"""A line that somebody types."""

from cli.top.lines import Pen, Tone, text_of
from cli.top.typing_line import TypingLine
from tests.builders import NOW


def typed(line: TypingLine, *keys: str) -> TypingLine:
    for key in keys:
        line.press(key, key if len(key) == 1 else None)
    return line


def test_letters_come_where_the_mark_is() -> None:
    assert typed(TypingLine(), *"abc", "left", "left", "x").text == "axbc"
    assert typed(TypingLine(), *"abc", "home", "delete", "end", "backspace").text == "b"
    assert typed(TypingLine(), *"abc", "left", "ctrl+u", "x").text == "xc"
    assert typed(TypingLine(), "backspace", "delete", "left", "right").text == ""


def test_what_is_offered_gives_way_to_the_first_letter_and_can_be_gone_on_with() -> None:
    assert typed(TypingLine.beginning("old"), *"new").text == "new"
    assert typed(TypingLine.beginning("old"), "end", "!").text == "old!"


def test_it_says_whether_the_text_is_another_one() -> None:
    line = TypingLine()
    assert line.press("a", "a")
    assert not line.press("left", None)
    assert not line.press("f5", None)
    assert not line.press("escape", "\x1b")


def test_what_is_pasted_is_one_line_without_anything_that_moves_a_terminal() -> None:
    line = TypingLine()
    line.insert("a\nb\x1b[2J")
    assert line.text == "a b [2J"


def test_the_mark_is_seen_whatever_the_width() -> None:
    pen = Pen(width=10, now=NOW)
    drawn = typed(TypingLine(), *"abcdefghijklmnop").line(pen)
    assert len(text_of(drawn)) == 10
    assert [cell.text for cell in drawn if cell.role is Tone.CHOSEN] == [" "]
    assert [cell.text for cell in TypingLine.beginning("old").line(pen) if cell.role is Tone.CHOSEN] == ["old"]
