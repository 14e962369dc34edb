"""Lists, and what a search leaves of them."""

from cli.top.items import Item, Listing, text
from cli.top.lines import Cell, Line, Pen, text_of
from tests.builders import NOW

PEN = Pen(width=10, now=NOW)


def item(key: str, found_by: str) -> Item:
    def draw(pen: Pen) -> list[Line]:
        return [pen.fitted([Cell(key)])]

    return Item(key=key, draw=draw, found_by=found_by)


def test_a_search_wants_every_word_in_any_case() -> None:
    listing = Listing(items=(item("1", "Work plus #team"), item("2", "home plus")))
    assert [each.key for each in listing.searched("PLUS").items] == ["1", "2"]
    assert [each.key for each in listing.searched("team wor").items] == ["1"]
    assert listing.searched("  ") is listing
    assert listing.searched("nobody").empty == "Nothing here has 'nobody' in it."


def test_a_text_is_as_many_rows_as_it_has_lines() -> None:
    found = text([PEN.fitted([Cell("one")]), PEN.fitted([Cell("two")])])
    assert found.plain
    narrow = Pen(width=4, now=NOW)
    assert [text_of(line) for each in found.items for line in each.draw(narrow)] == ["one ", "two "]
