"""`make bench`: everything side by side in one run, as tables and pictures. See docs/benchmarks.md."""

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from benchmarks import measure, report
from benchmarks.cases import DIRECT, OURS, PLAIN, ROTATING
from benchmarks.rig import ROOT, rigged
from benchmarks.rounds import Plan, chosen, run
from benchmarks.stats import Book
from benchmarks.works import quickly
from cli.ui.render import render, say
from cli.ui.result import Result

PAGE: Final = ROOT / "docs" / "benchmarks.md"
ROUNDS: Final = 5
QUICK_SHARE: Final = 0.01
QUIET: Final = 0.5
"""A load average up to this, before anything is started, is a quiet machine."""
QUICK_CASES: Final = frozenset({DIRECT, PLAIN, OURS, ROTATING})


def parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the proxy against mitmdump.")
    parser.add_argument("--quick", action="store_true", help="few turns, one round, few cases: whether it runs")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only what has this in its name")
    parser.add_argument("--rounds", type=int, default=0, help=f"default {ROUNDS}, with --quick 1")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers of every round there")
    parser.add_argument("--read", type=Path, metavar="FILE", help="measure nothing: show the numbers in this file")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, metavar="PAGE", help=f"into {PAGE.name}, with pictures"
    )
    parser.add_argument("--list", action="store_true", help="name the works and trials")
    return parser.parse_args(argv)


async def measured(plan: Plan) -> Book:
    async with rigged() as rig:
        return await run(plan, rig, say)


def facts_of(machine: dict[str, str], rounds: int, *, quick: bool) -> list[str]:
    """What a reader has to know about a run, in sentences."""
    told = (
        f"Measured on {machine['processor']} with Python {machine['python']} and mitmproxy {machine['mitmproxy']}, in "
        f"{rounds} round{'' if rounds == 1 else 's'}. Load average before: {machine['load']}, after: "
        f"{machine['load_after']}."
    )
    busy = float(machine["load"]) > QUIET
    return [told, *([report.BUSY] if busy else []), *([report.QUICK] if quick else [])]


def ended(number: int, _: object) -> None:
    """What was started is ended on the way out, which nothing shall interrupt."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def main(argv: list[str]) -> int:
    asked = parsed(argv)
    works, trials = chosen(asked.only)
    if asked.list or not (works or trials):
        say(
            "\n".join([each.name for each in works] + [each.name for each in trials])
            or "Nothing has such a name; --list tells the names."
        )
        return 0 if asked.list else 2
    if sys.platform != "linux" and asked.read is None:
        say("What a process costs is asked of the Linux kernel; on another system only --read works.")
        return 1
    if asked.read is not None:
        kept = json.loads(asked.read.read_text("utf-8"))
        book, facts = Book(**kept["book"]), kept["facts"]
    else:
        plan = Plan(rounds=asked.rounds or (1 if asked.quick else ROUNDS), works=works, trials=trials)
        if asked.quick:
            works = tuple(map(quickly, works))
            plan = replace(plan, works=works, share=QUICK_SHARE, cases=QUICK_CASES)
        machine = measure.machine()
        book = asyncio.run(measured(plan))
        machine["load_after"] = measure.machine()["load"]
        facts = facts_of(machine, plan.rounds, quick=asked.quick)
    show(book, facts)
    if asked.json is not None:
        asked.json.write_text(json.dumps({"facts": facts, "book": asdict(book)}, indent=1), "utf-8")
    if asked.write is not None:
        write(asked.write, book, facts)
    return 0


def show(book: Book, facts: list[str]) -> None:
    for sheet in report.sheets(book):
        render(Result(f"{sheet.note}\n", table=sheet.table), as_json=False)
    render(Result("\n".join((*facts, report.summary(book)))), as_json=False)


def write(page: Path, book: Book, facts: list[str]) -> None:
    """The results into the page, and the pictures beside it."""
    from benchmarks import plot  # late: only this needs matplotlib

    text = report.written_into(page.read_text("utf-8"), report.markdown(report.sheets(book), facts))
    page.write_text(text, "utf-8")
    plot.draw(book, page.with_name(f"{page.stem}.svg"), page.with_name(f"{page.stem}-memory.svg"))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, ended)
    sys.exit(main(sys.argv[1:]))
