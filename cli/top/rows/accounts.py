"""Accounts as rows of the screen, a line each. Pure.

What an account is doing is told by accounts/states.py; here it is only given its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from accounts.choice.quota import MAIN, Window
from accounts.states import named
from accounts.views.account_list import AccountRow, window_label
from cli.top.facts import ShownFacts
from cli.top.items import Item, Listing
from cli.top.lines import Cell, Line, Pen, Tone, apart
from cli.top.rows.account_details import DETAILED, detailed_head, in_detail
from cli.top.rows.account_parts import PERCENT, ROLES, ShownLoad, meter, name_role, number_cell, resets, state_in
from cli.ui.lines import plain
from cli.ui.words.states import ago

SHOWN_WINDOWS: Final = 2
DAY_MINUTES: Final = 1440
NOW: Final = 3
HOME: Final = 4
USED: Final = 8
LEAST_LABEL: Final = 10
MOST_LABEL: Final = 30
LEAST_STATE: Final = 12
USUAL_STATE: Final = 19
"""`resting until 14:05`."""
ROOMY_STATE: Final = 34
MOST_STATE: Final = 60
"""With the end and the reason; what goes beyond that gets only what nobody else wants."""
LEAST_BAR: Final = 4
MOST_BAR: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """How wide each column is; 0 leaves it out. `windows` are a label each, with the room for its reset time."""

    number: int
    label: int
    state: int
    bar: int
    windows: tuple[tuple[str, int], ...] = ()
    now: int = 0
    home: int = 0
    used: int = 0


def listing(facts: ShownFacts, *, detailed: bool) -> Listing:
    """The accounts in the order of `list`; in detail all that is known of each, in three lines."""
    rows = facts.pool.rows
    in_flight = facts.proxies.in_flight
    wanted = WantedRows(
        digits=len(str(len(rows))),
        label=max((len(plain(each.account.label)) for each in rows), default=0),
        windows=_window_labels(rows),
    )

    def item(row: AccountRow) -> Item:
        load = ShownLoad(in_flight[row.account.label], facts.pool.homes.get(row.account.key, 0))

        def draw(pen: Pen) -> Sequence[Line]:
            return in_detail(row, load, pen) if detailed else [_compact(row, load, columns(pen.width, wanted), pen)]

        return Item(
            key=row.account.key,
            draw=draw,
            height=DETAILED if detailed else 1,
            found_by=" ".join(map(plain, _texts(row))),
        )

    def head(pen: Pen) -> Line:
        return detailed_head(pen) if detailed else _head(columns(pen.width, wanted), pen)

    return Listing(items=tuple(map(item, rows)), head=head, empty="\n".join(facts.pool.hints))


def _texts(row: AccountRow) -> tuple[str, ...]:
    """What a search finds an account by."""
    account = row.account
    return (account.label, account.email, account.plan, named(row.told.state), *(f"#{tag}" for tag in account.tags))


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRows:
    """What the columns would need: digits of the numbers, the longest label, the windows that there are."""

    digits: int
    label: int
    windows: tuple[tuple[str, int], ...]


def _window_labels(rows: Sequence[AccountRow]) -> tuple[tuple[str, int], ...]:
    """The windows of the accounts' own limit, the shortest first."""
    found = {each.minutes: window_label(each) for row in rows for each in row.windows if each.family == MAIN}
    return tuple((found[minutes], 5 if minutes < DAY_MINUTES else 9) for minutes in sorted(found)[:SHOWN_WINDOWS])


@lru_cache(64)
def columns(width: int, wanted: WantedRows) -> Columns:
    """What fits. What is least needed is left out first; room that is left goes to names, states and bars."""
    number = max(2, wanted.digits) + 1
    windows, now, home = wanted.windows, NOW, HOME

    def spare() -> int:
        """What labels and states can have."""
        fixed = number + sum(1 + LEAST_BAR + 1 + PERCENT + (1 + reset if reset else 0) for _, reset in windows)
        fixed += sum(1 + each for each in (now, home) if each)
        return width - fixed - 2

    for less in ("home", "resets", "now", "windows", "windows"):
        if spare() >= LEAST_LABEL + LEAST_STATE:
            break
        match less:
            case "home":
                home = 0
            case "now":
                now = 0
            case "resets":
                windows = tuple((label, 0) for label, _ in windows)
            case _:
                windows = windows[1:]
    room = max(spare(), 8)
    label = min(max(LEAST_LABEL, room - USUAL_STATE), max(LEAST_LABEL, min(wanted.label, MOST_LABEL)), room - 4)
    state = min(room - label, ROOMY_STATE)
    left = room - label - state
    used = USED if left > USED + 1 else 0
    left -= used + 1 if used else 0
    wide = LEAST_BAR + min(MOST_BAR - LEAST_BAR, left // len(windows)) if windows else 0
    left -= (wide - LEAST_BAR) * len(windows) if windows else 0
    state = min(state + left, MOST_STATE)
    return Columns(number=number, label=label, state=state, bar=wide, windows=windows, now=now, home=home, used=used)


def _head(shape: Columns, pen: Pen) -> Line:
    def cell(text: str, room: int, *, right: bool = False) -> Cell:
        return pen.cell(text, room, Tone.DIM, right=right)

    windows = [
        cell(f"{label} used{', resets' if reset else ''}", _window_room(shape, reset)) for label, reset in shape.windows
    ]
    cells = [cell("#", shape.number, right=True), cell("account", shape.label), cell("state", shape.state), *windows]
    cells += [cell("now", shape.now, right=True)] if shape.now else []
    cells += [cell("home", shape.home, right=True)] if shape.home else []
    cells += [cell("used", shape.used, right=True)] if shape.used else []
    return pen.fitted(apart(cells))


def _compact(row: AccountRow, load: ShownLoad, shape: Columns, pen: Pen) -> Line:
    used = {window_label(each): each for each in row.windows if each.family == MAIN}
    cells: list[Cell | Line] = [
        number_cell(row, shape.number),
        pen.cell(plain(row.account.label), shape.label, name_role(row)),
        pen.cell(state_in(row.told, shape.state, pen.now), shape.state, ROLES.get(row.told.state, Tone.DIM)),
    ]
    for label, reset in shape.windows:
        cells.append(_window(used.get(label), shape, reset, pen))
    cells += [pen.cell(str(load.busy or ""), shape.now, Tone.ACCENT, right=True)] if shape.now else []
    cells += [pen.cell(str(load.homes or ""), shape.home, Tone.DIM, right=True)] if shape.home else []
    if shape.used:
        when = "" if row.last_used is None else ago(row.last_used, pen.now).replace("just now", "now")
        cells.append(pen.cell(when, shape.used, Tone.DIM, right=True))
    return pen.fitted(apart(cells))


def _window_room(shape: Columns, reset: int) -> int:
    return shape.bar + 1 + PERCENT + (1 + reset if reset else 0)


def _window(window: Window | None, shape: Columns, reset: int, pen: Pen) -> Cell | Line:
    """A bar, how much that is, and when it begins anew, as one column."""
    if window is None:
        return pen.cell("", _window_room(shape, reset))
    drawn = meter(window, shape.bar)
    return (*drawn, pen.cell(f" {resets(window, pen.now)}", reset + 1, Tone.DIM)) if reset else drawn
