"""What came out, as tables: for the terminal, and for docs/benchmarks.md between its two marks. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks import trials
from benchmarks.cases import AGAIN, CASES, DIRECT, PLAIN
from benchmarks.stats import HELD, Book
from benchmarks.targets import judged
from benchmarks.works import WORKS, compared
from cli.ui.result import Table

BEGIN: Final = "<!-- results, written by `make bench` -->"
END: Final = "<!-- end of the results -->"
BUSY: Final = (
    "The machine was busy with other things: these numbers are preliminary, see how far `plain again` is from 1."
)
QUICK: Final = "A quick run with few turns: it shows that everything runs, and says nothing about speed."

CHANCES: Final = {"cpu_us": ("CPU of the proxy per turn", "µs"), "first_ms": ("First byte, median", "ms")}
"""Metrics that are compared with plain mitmdump, case by case."""
_SHORT: Final = {DIRECT: "direct", PLAIN: "plain"}


class NoPlace(Exception):
    """The page has no marks to write between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table with a heading and a word on how to read it."""

    title: str
    note: str
    table: Table


def sheets(book: Book) -> list[Sheet]:
    """Everything that was measured; sheets without a row are left out."""
    found = [_targets(book), *(_compared(book, metric) for metric in CHANCES), _rates(book), _streaming(book)]
    return [sheet for sheet in (*found, _memory(book), _alone(book)) if sheet.table.rows]


def _targets(book: Book) -> Sheet:
    rows = [
        (each.target.title, each.target.told(), each.measured(), each.verdict) for each in judged(book) if each.spread
    ]
    note = "Median of the rounds, and in brackets the quartiles. x: times plain mitmdump, in the same round."
    return Sheet(title="Targets", note=note, table=_table(("target", "limit", "measured", "held?"), rows))


def _compared(book: Book, metric: str) -> Sheet:
    """A row per work: plain in its unit, then every case as a multiple of what it is compared with."""
    title, unit = CHANCES[metric]
    cases = [case for case in CASES if case.name not in {DIRECT, PLAIN}]
    cases = [case for case in cases if any(book.ratios(w.name, case.name, case.base, metric) for w in WORKS)]
    rows = []
    for work in compared(metric):
        plain = book.spread(work.name, PLAIN, metric)
        if plain is not None:
            digits = 0 if unit == "µs" else 2
            shown = f"{plain.median:.{digits}f} ({plain.low:.{digits}f} to {plain.high:.{digits}f})"
            rows.append((work.name, shown, *(_ratio(book, work.name, case.name, case.base, metric) for case in cases)))
    note = f"Plain in {unit}, with the quartiles of the rounds; the others as multiples. `{AGAIN}` is the noise."
    return Sheet(title=title, note=note, table=_table(("work", f"plain, {unit}", *(c.name for c in cases)), rows))


def _ratio(book: Book, work: str, case: str, base: str, metric: str) -> str:
    from benchmarks.stats import Spread

    values = book.ratios(work, case, base, metric)
    return f"{Spread.of(values).median:.2f}" if values else ""


def _rates(book: Book) -> Sheet:
    return _by_case(
        book,
        "Turns per second",
        "As fast as the clients can, medians. `direct` is what load and upstream can do by themselves.",
        {"rate": lambda median: f"{median:,.0f}"},
        [work.name for work in WORKS if not work.order.gap],
    )


def _streaming(book: Book) -> Sheet:
    return _by_case(
        book,
        "Chunk delay while streaming",
        "Milliseconds from upstream's write to the client's read, half of all pieces of text and 99 of 100.",
        {"delay_ms": lambda median: f"{median:.2f}", "delay_p99_ms": lambda median: f"{median:.2f}"},
        [work.name for work in WORKS if work.order.gap],
    )


def _memory(book: Book) -> Sheet:
    shown = {"rss_mb": _megabytes, "growth_mb": _megabytes, "kb_per_stream": lambda median: f"{median:.0f} KB each"}
    note = "Resident memory, and how much of it came after the first tenth of the work; of an idle stream its share."
    return _by_case(book, "Memory", note, shown, [trials.MEMORY, trials.IDLE, trials.TURNS, trials.MESSAGES])


def _megabytes(median: float) -> str:
    return f"{median:.1f} MB"


def _by_case(
    book: Book, title: str, note: str, shown: Mapping[str, Callable[[float], str]], works: Iterable[str]
) -> Sheet:
    """A row per work, a column per case, with these metrics in a cell."""
    works = [work for work in works if work in book.rounds]
    cases = [case.name for case in CASES if any(case.name in book.rounds[work] for work in works)]

    def cell(work: str, case: str) -> str:
        found = ((book.spread(work, case, metric), text) for metric, text in shown.items())
        return ", ".join(text(spread.median) for spread, text in found if spread is not None)

    rows = [(work, *(cell(work, case) for case in cases)) for work in works]
    return Sheet(title=title, note=note, table=_table(("work", *cases), [row for row in rows if any(row[1:])]))


def _alone(book: Book) -> Sheet:
    rows = []
    for work, metric, unit, when in (
        (trials.SELECTION, "call_us", "µs", ""),
        (trials.SELECTION, "pause_us", "µs", ", after a pause"),
        (trials.STARTS, "seconds", "s", ""),
    ):
        for what in book.rounds.get(work, {}):
            spread = book.spread(work, what, metric)
            if spread is not None:
                shown = (
                    f"{each:.{1 if unit == 'µs' else 3}f} {unit}" for each in (spread.median, spread.low, spread.high)
                )
                rows.append((f"{work}: {what}{when}", *shown))
    return Sheet(title="Choosing and starting", note="", table=_table(("what", "median", "from", "to"), rows))


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(columns=columns, rows=tuple(rows))


def markdown(sheets: Iterable[Sheet], facts: Iterable[str]) -> str:
    """The part of the page that a run writes."""
    blocks = [f"{fact}\n" for fact in facts]
    for sheet in sheets:
        head = ["| " + " | ".join(sheet.table.columns) + " |", "|" + " --- |" * len(sheet.table.columns)]
        rows = ["| " + " | ".join(_strong(cell) for cell in row) + " |" for row in sheet.table.rows]
        blocks.append(
            "\n".join((f"### {sheet.title}\n", *((f"{sheet.note}\n",) if sheet.note else ()), *head, *rows, ""))
        )
    return "\n".join(blocks)


def _strong(cell: str) -> str:
    return cell if not cell.startswith(("failed",)) else f"**{cell}**"


def written_into(page: str, results: str) -> str:
    """The page with these results in the place of the earlier ones. Raises NoPlace."""
    before, begun, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise NoPlace(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{results}\n{END}{after}"


def summary(book: Book) -> str:
    """One line: how many targets hold."""
    found = [each.verdict for each in judged(book) if each.spread is not None]
    held = sum(verdict.startswith(HELD) for verdict in found)
    return f"{held} of {len(found)} targets that were measured are held."
