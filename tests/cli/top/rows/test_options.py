"""Options as rows."""

from cli.top.lines import Pen, text_of
from cli.top.palettes import Accent, Palette
from cli.top.preferences import Preferences
from cli.top.rows.options import changed, listing
from tests.builders import NOW


def test_the_choice_in_force_is_marked() -> None:
    text = [text_of(line) for each in listing(Preferences()).items for line in each.draw(Pen(width=80, now=NOW))]
    assert ["[dark]" in text[0], "[blue]" in text[1], "[compact]" in text[2]] == [True, True, True]


def test_choices_go_round_in_both_directions() -> None:
    usual = Preferences()
    assert changed(usual, "palette", 1).palette is Palette.LIGHT
    assert changed(usual, "palette", -1).palette is Palette.TERMINAL
    assert changed(usual, "accent", -1).accent is Accent.PINK
    assert changed(usual, "rows", 1).detailed
    wanted = usual
    for _ in Palette:
        wanted = changed(wanted, "palette", 1)
    assert wanted == usual
