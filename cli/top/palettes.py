"""How the parts of a screen look: palettes, and the accent in each of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cli.top.lines import Tone


class Palette(StrEnum):
    DARK = "dark"
    LIGHT = "light"
    CONTRAST = "contrast"
    TERMINAL = "terminal"
    """The colours that the terminal itself has."""


class Accent(StrEnum):
    BLUE = "blue"
    GREEN = "green"
    AMBER = "amber"
    PINK = "pink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Colours:
    """`back` and `text` of the whole screen, how each role looks on it, and the row that is selected. `native`: they
    are the terminal's own."""

    back: str
    text: str
    styles: Mapping[Tone, str]
    cursor: str
    native: bool = False


_OWN: Final[Mapping[Palette, Mapping[str, str]]] = {
    Palette.DARK: {
        "back": "#11151a",
        "text": "#d9dfe6",
        "dim": "#8f9ba8",
        "good": "#7fd08a",
        "warn": "#e6c15c",
        "bad": "#ff8f8f",
        "cursor": "#23303d",
    },
    Palette.LIGHT: {
        "back": "#fbfbfa",
        "text": "#1f2933",
        "dim": "#55606b",
        "good": "#14652c",
        "warn": "#7a4f00",
        "bad": "#a81d14",
        "cursor": "#dce8f6",
    },
    Palette.CONTRAST: {
        "back": "#000000",
        "text": "#ffffff",
        "dim": "#d0d0d0",
        "good": "#5dff8f",
        "warn": "#ffe14d",
        "bad": "#ff9c9c",
        "cursor": "#00264d",
    },
}
_ACCENTS: Final[Mapping[Palette, Mapping[Accent, str]]] = {
    Palette.DARK: {
        Accent.BLUE: "#7ab8ff",
        Accent.GREEN: "#79d6a3",
        Accent.AMBER: "#eec064",
        Accent.PINK: "#f3a5d5",
    },
    Palette.LIGHT: {
        Accent.BLUE: "#0a56ad",
        Accent.GREEN: "#0f6640",
        Accent.AMBER: "#7a4f00",
        Accent.PINK: "#96296f",
    },
    Palette.CONTRAST: {
        Accent.BLUE: "#9fd0ff",
        Accent.GREEN: "#8dffc2",
        Accent.AMBER: "#ffd75e",
        Accent.PINK: "#ffb8e6",
    },
    Palette.TERMINAL: {
        Accent.BLUE: "bright_blue",
        Accent.GREEN: "green",
        Accent.AMBER: "yellow",
        Accent.PINK: "magenta",
    },
}
DEFAULT: Final = "ansi_default"
NO_COLOURS: Final = Colours(
    back=DEFAULT,
    text=DEFAULT,
    styles={
        Tone.TEXT: "",
        Tone.DIM: "",
        Tone.STRONG: "bold",
        Tone.ACCENT: "bold",
        Tone.GOOD: "",
        Tone.WARN: "bold",
        Tone.BAD: "bold underline",
        Tone.CHOSEN: "reverse",
    },
    cursor="reverse",
    native=True,
)
"""Where there are none, or none are wanted."""


def colours(palette: Palette, accent: Accent) -> Colours:
    tint = _ACCENTS[palette][accent]
    if palette is Palette.TERMINAL:
        styles = {
            Tone.TEXT: "",
            Tone.DIM: "dim",
            Tone.STRONG: "bold",
            Tone.ACCENT: tint,
            Tone.GOOD: "green",
            Tone.WARN: "yellow",
            Tone.BAD: "red",
            Tone.CHOSEN: f"bold reverse {tint}",
        }
        return Colours(back=DEFAULT, text=DEFAULT, styles=styles, cursor="reverse", native=True)
    own = _OWN[palette]
    styles = {
        Tone.TEXT: own["text"],
        Tone.DIM: own["dim"],
        Tone.STRONG: f"bold {own['text']}",
        Tone.ACCENT: tint,
        Tone.GOOD: own["good"],
        Tone.WARN: own["warn"],
        Tone.BAD: own["bad"],
        Tone.CHOSEN: f"bold {own['back']} on {tint}",
    }
    return Colours(back=own["back"], text=own["text"], styles=styles, cursor=f"on {own['cursor']}")
