"""What rows and pages that show an account have in common: its state, its name, its windows. Pure.

What an account is doing is told by accounts/states.py; here it is only given its place.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from accounts.choice.quota import Window
from accounts.states import AccountState, State, in_words, named
from accounts.views.account_list import AccountRow
from cli.top.lines import Cell, Line, Tone
from cli.ui.bars import MARK, bar, in_percent
from config.times.local_time import clock_time, short_time

PERCENT: Final = 4
"""`100%`."""
WARNS: Final = 80.0
ALARMS: Final = 95.0
"""Percent of a window from which on it is drawn so."""
ROLES: Final[Mapping[State, Tone]] = {
    State.READY: Tone.GOOD,
    State.NEARLY_SPENT: Tone.WARN,
    State.SPENT: Tone.WARN,
    State.RESTING: Tone.WARN,
    State.RESERVED: Tone.WARN,
    State.LOGIN_ENDED: Tone.BAD,
    State.NO_LOGIN: Tone.BAD,
    State.NEEDS_LOGIN: Tone.BAD,
    State.CLOSED: Tone.BAD,
}
"""How states look that are not dim."""


class ShownLoad(NamedTuple):
    """How many turns an account has now, and how many threads live on it."""

    busy: int = 0
    homes: int = 0


def state_in(told: AccountState, room: int, now: float) -> str:
    """As much of the state as there is room for: with its end and its reason, with its end, alone."""
    until = f" until {clock_time(told.until, now)}" if told.until is not None else ""
    ways = (in_words(told, now), f"{named(told.state)}{until}", named(told.state))
    return next((each for each in ways if len(each) <= room), ways[-1])


def number_cell(row: AccountRow, room: int) -> Cell:
    mark = MARK if row.active else " "
    return Cell(f"{mark}{row.number:>{room - 1}}", Tone.ACCENT if row.active else Tone.DIM)


def name_role(row: AccountRow) -> Tone:
    return Tone.STRONG if row.active else Tone.TEXT if row.account.enabled else Tone.DIM


def meter(window: Window, cells: int) -> Line:
    """How much of a window is used: a bar and a number."""
    percent, role = window.used_percent, used_role(window.used_percent)
    drawn = bar(percent, cells)
    full = drawn.rstrip(drawn[-1]) if 0 < percent < 100 else drawn if percent >= 100 else ""
    number = in_percent(percent).replace(" %", "%").rjust(PERCENT + 1)
    return (
        Cell(full, role),
        Cell(drawn[len(full) :], Tone.DIM),
        Cell(number, role if percent >= WARNS else Tone.TEXT),
    )


def resets(window: Window, now: float) -> str:
    if window.resets_at is not None:
        return short_time(window.resets_at, now)
    return "" if window.used_percent else "free"


def used_role(percent: float) -> Tone:
    return Tone.BAD if percent >= ALARMS else Tone.WARN if percent >= WARNS else Tone.GOOD
