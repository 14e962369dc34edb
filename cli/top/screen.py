"""What the screen shows, without a terminal: the view, what is searched for, the rows of it, and the lines around them.
Pure."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.ledger.queries import Grouping
from accounts.states import counted
from cli.top.facts import NOTHING_YET, ShownFacts
from cli.top.items import Listing, text
from cli.top.keys import MAIN, View, hints
from cli.top.lines import Cell, Line, Pen, Tone
from cli.top.preferences import Preferences
from cli.top.rows import accounts, history, options, turns, usage
from cli.ui.lines import plain
from config.times.local_time import clock_time

GAP: Final = "  "
LESS: Final = ("search", "why", "open", "rotations", "reserve", "tags", "detail", "any", "options")
"""Keys that the last line leaves out where there is no room, the last of these first."""
WIDE: Final = 110
"""Columns from which on the states are counted too."""

type Draw = Callable[[Pen], Sequence[Line]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is said in the last lines, until a moment: what was done, or could not be."""

    text: str = ""
    role: Tone = Tone.TEXT
    until: float = math.inf


@dataclass(slots=True, kw_only=True)
class ScreenState:
    """What somebody looks at. `beneath` is the view that a page was opened from, `page` the content of one that is a
    text. `before` are the options as they were before somebody began to change them."""

    facts: ShownFacts = NOTHING_YET
    wanted: Preferences = field(default_factory=Preferences)
    view: View = View.ACCOUNTS
    beneath: View = View.ACCOUNTS
    search: str = ""
    only_rotations: bool = False
    by: Grouping = Grouping.ACCOUNT
    page: Draw | None = None
    before: Preferences | None = None
    notice: Notice = Notice()

    def listing(self, pen: Pen) -> Listing:
        """The rows of the view, those that the search has found; of a page its lines."""
        match self.view:
            case View.ACCOUNTS:
                found = accounts.listing(self.facts, detailed=self.wanted.detailed)
            case View.TURNS:
                found = turns.listing(self.facts)
            case View.HISTORY:
                detailed = self.wanted.detailed
                found = history.listing(self.facts, detailed=detailed, only_rotations=self.only_rotations)
            case View.USAGE:
                found = usage.listing(self.facts)
            case View.OPTIONS:
                return options.listing(self.wanted)
            case _:
                return text(self.page(pen) if self.page else ())
        return found.searched(self.search)

    def show(self, view: View, page: Draw | None = None) -> None:
        """Another view; from a page one comes back to where one was."""
        if view in MAIN:
            self.search = ""
        elif self.view in MAIN:
            self.beneath = self.view
        self.view, self.page, self.notice = view, page, Notice()

    def back(self) -> None:
        """Leave a page, or end a search. What was changed of the options and not kept is as before."""
        if self.view in MAIN:
            self.search = ""
            return
        if self.before is not None:
            self.wanted, self.before = self.before, None
        self.view = self.beneath


def title(state: ScreenState, pen: Pen) -> Line:
    """The pool in a few words, and the time."""
    pool, proxies = state.facts.pool, state.facts.proxies
    serving = sum(row.told.serves for row in pool.rows)
    able = f"{serving} of {len(pool.rows)} can serve" if pool.rows else "no accounts"
    states = counted(Counter(row.told.state for row in pool.rows)) if pen.width >= WIDE else ""
    chosen = next((row.account.label for row in pool.rows if row.chosen), "")
    proxy = " ".join(each.removeprefix("http://") for each in proxies.urls)
    left = [Cell(" codex-rotate", Tone.ACCENT), Cell(f"{GAP}{able}", Tone.STRONG if serving else Tone.BAD)]
    left += [Cell(f" ({states})", Tone.DIM)] if states else []
    left += [Cell(f"{GAP}everybody uses {plain(chosen)}", Tone.WARN)] if chosen else []
    left += [Cell(f"{GAP}proxy {proxy}" if proxy else f"{GAP}no proxy runs", Tone.DIM)]
    return pen.spread(left, [Cell(f" {clock_time(pen.now, pen.now)} ", Tone.DIM)])


def tabs(state: ScreenState, shown: Sequence[int], pen: Pen) -> Line:
    """The four views, that which is shown marked; at the end which rows are seen: the first, the last, of how many."""
    facts = state.facts
    counts = {View.ACCOUNTS: len(facts.pool.rows), View.TURNS: len(facts.proxies.turns)}
    line = [Cell(" ")]
    for each in MAIN:
        count = f" {counts[each]}" if each in counts else ""
        named = f"[{each}{count}]" if each is state.view else f" {each}{count} "
        line.append(Cell(named, Tone.CHOSEN if each is state.view else Tone.DIM))
    line += [Cell(f"[{state.view}]", Tone.CHOSEN)] if state.view not in MAIN else []
    line += [Cell(f"{GAP}only rotations", Tone.WARN)] if state.view is View.HISTORY and state.only_rotations else []
    line += [Cell(f"{GAP}/{plain(state.search)}", Tone.WARN)] if state.search else []
    first, last, total = shown
    return pen.spread(
        line, [Cell(f"{first}-{last} of {total} ", Tone.DIM)] if total and last - first + 1 < total else []
    )


def notice(state: ScreenState, pen: Pen) -> list[Line]:
    """What is wrong goes before what was said last; else what to do about accounts."""
    facts = state.facts
    wrong = facts.trouble or (facts.ledger if state.view is View.USAGE else "")
    if wrong:
        return pen.paragraph(f"{wrong} What is shown is what was known before.", Tone.BAD, 1, 1)
    if state.notice.text and pen.now < state.notice.until:
        return pen.paragraph(state.notice.text, state.notice.role, 1, 1)
    if state.view is View.ACCOUNTS and facts.pool.rows and facts.pool.hints:
        return pen.paragraph(facts.pool.hints[0], Tone.WARN, 1, 1)
    return [pen.fitted([])]


def key_line(state: ScreenState, pen: Pen) -> Line:
    """As many keys as there is room for; how to get help and how to leave are always there."""
    every = hints(state.view)
    last = [each for each in every if each[1] in {"help", "quit", "back"}]
    others = [each for each in every if each not in last]
    while others and _length([*others, *last]) > pen.width:
        others.remove(max(others, key=lambda each: LESS.index(each[1]) if each[1] in LESS else -1))
    cells = list[Cell]()
    for shown, about in [*others, *last]:
        cells += [Cell(GAP if cells else " "), Cell(shown, Tone.ACCENT), Cell(f" {about}", Tone.DIM)]
    return pen.fitted(cells)


def _length(found: Sequence[tuple[str, str]]) -> int:
    return 1 + sum(len(shown) + 1 + len(about) + len(GAP) for shown, about in found) - len(GAP)
