"""Colours that can be read."""

from itertools import product

from rich.color import Color
from rich.style import Style

from cli.top.lines import Tone
from cli.top.palettes import NO_COLOURS, Accent, Palette, colours
from tests.rows import all_rows


def luminance(colour: Color) -> float:
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@all_rows(("palette", "accent"), [*product([Palette.DARK, Palette.LIGHT, Palette.CONTRAST], Accent)])
def test_everything_stands_out_on_the_screen_and_on_the_selected_row(palette: Palette, accent: Accent) -> None:
    """By the rule of WCAG for text; the high contrast by its higher one."""
    looks = colours(palette, accent)
    least = 7.0 if palette is Palette.CONTRAST else 4.5
    backs = [Color.parse(looks.back), Style.parse(looks.cursor).bgcolor]
    for back in backs:
        assert back is not None
        for role in set(Tone) - {Tone.CHOSEN}:
            ink = Style.parse(looks.styles[role]).color
            assert ink is not None
            assert contrast(ink, back) >= least, (role, back)
    chosen = Style.parse(looks.styles[Tone.CHOSEN])
    assert chosen.color is not None
    assert chosen.bgcolor is not None
    assert contrast(chosen.color, chosen.bgcolor) >= least


def test_every_role_looks_like_something_everywhere() -> None:
    for palette, accent in product(Palette, Accent):
        assert set(colours(palette, accent).styles) == set(Tone)
    assert set(NO_COLOURS.styles) == set(Tone)


def test_without_colours_there_is_none() -> None:
    for text in (*NO_COLOURS.styles.values(), NO_COLOURS.cursor):
        style = Style.parse(text)
        assert (style.color, style.bgcolor) == (None, None)


def test_the_terminals_own_are_named_and_not_made() -> None:
    for accent in Accent:
        looks = colours(Palette.TERMINAL, accent)
        assert looks.native
        inks = [Style.parse(text).color for text in looks.styles.values()]
        assert all(ink is None or ink.number is not None for ink in inks)
