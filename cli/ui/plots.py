"""Draws sums of the ledger as a picture. matplotlib is an extra, and imported only when somebody asks for one."""

import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple

from accounts.errors import FileThere, UsageError
from config.errors import RotateError
from config.files import write_private
from config.numbers import short

KINDS: Final = (".svg", ".png")
MOST_BARS: Final = 60
"""So many groups can be told apart."""
COLOURS: Final = {"cached input": "#9ecae1", "other input": "#3182bd", "output": "#e6550d"}


class NothingDraws(RotateError):
    def __init__(self) -> None:
        super().__init__(
            "A picture needs matplotlib, which is not installed here. Run, in the clone, `uv tool install "
            "--with-executables-from mitmproxy '.[plot]'`, or `pipx inject codex-rotate matplotlib`, or `pip install "
            "'.[plot]'`, as codex-rotate was installed."
        )


class Bar(NamedTuple):
    """One group: its name, and its tokens."""

    name: str
    cached: int
    fresh: int
    output: int


class Drawing(NamedTuple):
    """What is drawn. `upright`: bars stand next to each other, as for time; else they lie below each other."""

    title: str
    bars: Sequence[Bar]
    upright: bool


def checked_place(place: Path, *, force: bool) -> Path:
    """Where a picture may go. Raises UsageError."""
    if place.suffix.lower() not in KINDS:
        raise UsageError(f"{place} has to end with .svg or .png, which says what is drawn. Choose another name.")
    if not place.parent.is_dir():
        raise UsageError(f"There is no folder {place.parent} for the picture. Make it first.")
    if place.exists() and not force:
        raise FileThere(place)
    return place


def draw(drawing: Drawing, place: Path) -> int:
    """Write the picture, for its owner only; how many groups had no room. Raises NothingDraws and OSError."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise NothingDraws from None
    bars = list(drawing.bars[-MOST_BARS:] if drawing.upright else drawing.bars[:MOST_BARS])
    longest = max((len(each.name) for each in bars), default=0)
    size = (max(7.0, 2 + 0.28 * len(bars)), 4.5) if drawing.upright else (9.0, max(2.6, 1.6 + 0.3 * len(bars)))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    _stack(axes, bars, upright=drawing.upright)
    axes.set_title(drawing.title, loc="left", fontsize=11)
    along = axes.yaxis if drawing.upright else axes.xaxis
    along.set_major_formatter(lambda value, _: short(round(value)))
    along.set_label_text("tokens")
    axes.grid(visible=True, axis="y" if drawing.upright else "x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if drawing.upright and longest * len(bars) > 60:
        axes.tick_params(axis="x", labelrotation=90)
    if bars:
        figure.legend(loc="outside lower center", ncols=len(COLOURS), frameon=False, fontsize=9)
    picture = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a letter that its font lacks is drawn as a box
        figure.savefig(picture, format=place.suffix.lower().removeprefix("."), dpi=150)
    write_private(place, picture.getvalue())
    return len(drawing.bars) - len(bars)


def _stack(axes: Any, bars: Sequence[Bar], *, upright: bool) -> None:
    places = list(range(len(bars)))
    ground = [0] * len(bars)
    parts = zip(
        COLOURS.items(), ([b.cached for b in bars], [b.fresh for b in bars], [b.output for b in bars]), strict=True
    )
    for (label, colour), values in parts:
        if upright:
            axes.bar(places, values, bottom=ground, color=colour, label=label, width=0.8)
        else:
            axes.barh(places, values, left=ground, color=colour, label=label, height=0.7)
        ground = [below + value for below, value in zip(ground, values, strict=True)]
    names = [each.name if len(each.name) <= 40 else f"{each.name[:39]}…" for each in bars]
    if upright:
        axes.set_xticks(places, names, parse_math=False)
    else:
        axes.set_yticks(places, names, parse_math=False)
        axes.invert_yaxis()
