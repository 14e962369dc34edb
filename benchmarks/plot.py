"""The pictures of docs/benchmarks.md: ratios to plain mitmdump, and memory over time. As SVG, or by name as PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from benchmarks import trials
from benchmarks.cases import AGAIN, LEAN, OURS, PLAIN, SCRIPT, TEN, THOUSAND
from benchmarks.stats import Book, Spread
from benchmarks.works import WORKS, compared

SHOWN: Final = {
    AGAIN: ("#9a9a9a", "D"),
    LEAN: ("#56b4e9", "P"),
    OURS: ("#0072b2", "o"),
    TEN: ("#009e73", "s"),
    THOUSAND: ("#d55e00", "^"),
    SCRIPT: ("#cc79a7", "v"),
}
"""Colours that most people can tell apart, and marks for those who cannot."""
PANELS: Final = {"cpu_us": ("CPU of the proxy per turn", 1.10), "first_ms": ("first byte, median", 1.10)}
TICKS: Final = (0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30)
STYLE: Final = {
    "svg.fonttype": "none",
    "svg.hashsalt": "codex-rotate",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


def draw(book: Book, ratios: Path, memory: Path) -> None:
    """Write both pictures."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        _save(_ratios(book), ratios)
        _save(_memory(book), memory)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)


def _ratios(book: Book) -> Figure:
    works = [work.name for work in WORKS if any(book.ratios(work.name, OURS, PLAIN, metric) for metric in PANELS)]
    figure = Figure(figsize=(10, 1.7 + 0.36 * len(works)), layout="constrained")
    panels = figure.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
    for axes, (metric, (title, limit)) in zip(panels, PANELS.items(), strict=True):
        _panel(axes, book, works, metric)
        axes.axvline(1, color="#444444", linewidth=0.8)
        axes.axvline(
            limit, color="#444444", linewidth=0.8, linestyle=(0, (4, 3)), label=f"target for short turns, {limit:.2f} x"
        )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("times plain mitmdump in the same round")
    panels[0].set_yticks(range(len(works)), works)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure


def _panel(axes: Axes, book: Book, works: Sequence[str], metric: str) -> None:
    names = {work.name for work in compared(metric)}
    step = 0.7 / len(SHOWN)
    for place, (case, (colour, mark)) in enumerate(SHOWN.items()):
        found = [(at, book.ratios(work, case, PLAIN, metric)) for at, work in enumerate(works) if work in names]
        spreads = [(at, Spread.of(values)) for at, values in found if values]
        heights = [at + step * (place - (len(SHOWN) - 1) / 2) for at, _ in spreads]
        medians = [spread.median for _, spread in spreads]
        whiskers = [[s.median - s.low for _, s in spreads], [s.high - s.median for _, s in spreads]]
        axes.errorbar(
            medians, heights, xerr=whiskers, fmt=mark, color=colour, markersize=4.5, elinewidth=1.2, label=case
        )
    for at in range(0, len(works), 2):
        axes.axhspan(at - 0.5, at + 0.5, color="#f3f3f3", zorder=0)
    axes.set_ylim(-0.5, max(1, len(works)) - 0.5)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _memory(book: Book) -> Figure:
    figure = Figure(figsize=(10, 3), layout="constrained")
    whats = {trials.TURNS: "turns", trials.MESSAGES: "messages"}
    for axes, (work, unit) in zip(figure.subplots(1, 2), whats.items(), strict=True):
        for case, colour in ((PLAIN, "#9a9a9a"), (OURS, "#0072b2")):
            line = book.lines.get(work, {}).get(case, [])
            axes.plot([x for x, _ in line], [y for _, y in line], color=colour, marker="o", markersize=3, label=case)
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.set_title(work, fontsize=10)
        axes.set_xlabel(unit)
        axes.set_ylabel("resident memory, MB")
        axes.legend(frameon=False, loc="lower right")
    return figure
