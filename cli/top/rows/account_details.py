"""An account with all that is known of it: as a row of three lines, and as a page of its own. Pure."""

from collections.abc import Sequence
from typing import Final

from accounts.choice.quota import Window
from accounts.states import in_words
from accounts.views.account_list import AccountRow, set_by_owner, window_label
from accounts.views.live_turns import LiveTurn
from accounts.views.timeline import HOURS, Rotation
from cli.top.lines import Cell, Line, Pen, Tone, apart
from cli.top.rows.account_parts import ROLES, ShownLoad, meter, name_role, number_cell, resets
from cli.ui.lines import plain
from cli.ui.words.states import ago
from config.times.local_time import clock_time, short_time

DETAILED: Final = 3
"""Lines."""
NUMBER: Final = 5
BAR: Final = 10
MOST_TURNS: Final = 20
MOST_LEFT: Final = 50


def detailed_head(pen: Pen) -> Line:
    return pen.fitted([Cell(f"{'#':>{NUMBER}} account and state; plan, e-mail and what you set; windows", Tone.DIM)])


def in_detail(row: AccountRow, load: ShownLoad, pen: Pen) -> Sequence[Line]:
    """Name, state and load; what it is and what its owner has set; its windows."""
    indent = Cell(" " * (NUMBER + 1))
    state = Cell(in_words(row.told, pen.now), ROLES.get(row.told.state, Tone.DIM))
    name = [number_cell(row, NUMBER), Cell(plain(row.account.label), name_role(row)), state]
    about = ", ".join(filter(None, (*_about(row), set_by_owner(row.account), plain(row.account.note))))
    windows = [cell for each in row.windows for cell in (*_window(each, pen.now), Cell("   "))]
    return (
        pen.spread(apart(name), [Cell(f" {_load(load, row, pen.now)}", Tone.DIM)]),
        pen.fitted([indent, Cell(about, Tone.DIM)]),
        pen.fitted([indent, *(windows or [Cell("nothing is known of its windows yet", Tone.DIM)])]),
    )


def _about(row: AccountRow) -> tuple[str, ...]:
    return plain(row.account.plan), plain(row.account.email)


def _window(window: Window, now: float) -> list[Cell]:
    return [Cell(f"{window_label(window)} "), *meter(window, BAR), Cell(f" {resets(window, now)}", Tone.DIM)]


def _load(load: ShownLoad, row: AccountRow, now: float) -> str:
    used = "" if row.last_used is None else f"used {ago(row.last_used, now)}"
    turns = f"{load.busy} now" if load.busy else ""
    homes = f"{load.homes} live here" if load.homes else ""
    return ", ".join(filter(None, (turns, homes, used)))


def page(row: AccountRow, load: ShownLoad, turns: Sequence[LiveTurn], left: Sequence[Rotation], pen: Pen) -> list[Line]:
    """All of it below each other: with the turns under way on it, and the turns that have `left` it with the reason."""
    account = row.account
    facts = {
        "state": in_words(row.told, pen.now),
        "serves": "everybody uses it" if row.chosen else "it served last" if row.active else "",
        "plan": plain(account.plan),
        "e-mail": plain(account.email),
        "you set": set_by_owner(account),
        "note": plain(account.note),
        "threads": f"{load.homes} live here" if load.homes else "none lives here",
        "last used": ago(row.last_used, pen.now) if row.last_used is not None else "",
        "added": clock_time(account.added_at, pen.now) if account.added_at else "",
        "id": account.account_id,
    }
    lines = [pen.fitted([number_cell(row, 3), Cell(f" {plain(account.label)}", Tone.STRONG)]), pen.fitted([])]
    for name, text in facts.items():
        role = ROLES.get(row.told.state, Tone.TEXT) if name == "state" else Tone.TEXT
        lines += pen.paragraph(f"{name:<12}{text}", role, 2, 14) if text else []
    lines += [pen.fitted([])]
    lines += [pen.fitted([Cell("  "), *_window(each, pen.now)]) for each in row.windows]
    mine = [each for each in turns if each.account == account.label]
    for turn in mine[:MOST_TURNS]:
        lines.append(pen.fitted([Cell(f"  now: {plain(turn.model)} {plain(turn.project)} {plain(turn.person)}")]))
    if left:
        lines += [pen.fitted([]), pen.fitted([Cell(f"  left for another account, {HOURS:.0f} hours", Tone.STRONG)])]
    for each in reversed(left[-MOST_LEFT:]):
        lines += pen.paragraph(_left(each, pen.now), Tone.TEXT, 2, 14)
    return lines


def _left(each: Rotation, now: float) -> str:
    said = f" ({plain(each.said)})" if each.said else ""
    return f"{short_time(each.at, now):<12}to {plain(each.taken)}: {plain(each.reason)}{said}"
