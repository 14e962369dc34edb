"""Lines of a screen: exactly as wide as it, whatever stands in them."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cli.top.lines import Cell, Pen, Tone, apart, changed_span, text_of
from tests.builders import NOW

TEXTS = st.text(max_size=30)


@given(st.lists(TEXTS, max_size=6), st.integers(1, 60), st.booleans())
def test_a_line_is_as_wide_as_the_pen(texts: list[str], width: int, in_ascii: bool) -> None:
    pen = Pen(width=width, now=NOW, in_ascii=in_ascii)
    assert cell_len(text_of(pen.fitted(map(Cell, texts)))) == width
    assert cell_len(text_of(pen.spread([*map(Cell, texts)], [*map(Cell, texts[:1])]))) == width


@given(TEXTS, st.integers(0, 40), st.booleans())
def test_a_column_is_as_wide_as_its_room(text: str, room: int, right: bool) -> None:
    assert cell_len(Pen(width=80, now=NOW).fit(text, room, right=right)) == room


def test_what_is_cut_says_so() -> None:
    assert Pen(width=80, now=NOW).fit("a long name", 6) == "a lon…"
    assert Pen(width=80, now=NOW, in_ascii=True).fit("a → b", 5) == "a ->~"
    assert Pen(width=80, now=NOW).fit("漢字漢字", 4) == "漢 …"


def test_nothing_moves_the_terminal() -> None:
    pen, text = Pen(width=30, now=NOW), "a\x1b[2Jb\rc\u200dd"
    lines = [pen.fitted([Cell(text)]), pen.spread([Cell(text)], [Cell(text)]), *pen.paragraph(text)]
    assert all(text_of(line).isprintable() for line in lines)
    assert pen.fit(text, 20).isprintable()


def test_columns_have_a_space_between_them_and_none_inside() -> None:
    parts = (Cell("bar", Tone.GOOD), Cell("9%"))
    assert text_of(tuple(apart([Cell("a"), parts, Cell("b")]))) == "a bar9% b"


def test_a_paragraph_is_broken_at_words_and_hangs() -> None:
    lines = Pen(width=12, now=NOW).paragraph("one two three four", Tone.DIM, 1, 3)
    assert [text_of(line).rstrip() for line in lines] == [" one two", "   three", "   four"]


def test_only_the_columns_that_differ_are_new() -> None:
    one = (Cell("work "), Cell("ready", Tone.GOOD), Cell("  5"))
    other = (Cell("work "), Cell("ready", Tone.GOOD), Cell(" 15"))
    assert changed_span(one, other) == (11, 12)
    assert changed_span(one, one) is None
    assert changed_span(one, (Cell("work ready"), Cell("  5"))) == (5, 10)
    assert changed_span((Cell("漢a"),), (Cell("漢b"),)) == (2, 3)
