"""The turns that are under way. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.views.live_turns import LiveTurn
from addons.dashboard.views.frame import chip, empty, facts, table
from addons.dashboard.views.html import Html, joined, tag
from addons.dashboard.views.words import size_of, span

MOST: Final = 300
"""So many are shown; more are counted."""
OWNER_COLUMNS: Final = {
    "Since": "num",
    "Person": "",
    "Project": "",
    "Model": "",
    "Account": "",
    "First output": "num",
    "Received": "num",
    "Thread": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsSeen:
    """The turns at a moment, as far as `person` ("": the owner) may see them; handles of accounts by their labels."""

    turns: Sequence[LiveTurn]
    now: float
    person: str = ""
    handles: Mapping[str, str] = field(default_factory=dict)


def turns_view(seen: TurnsSeen) -> Html:
    """How many there are, and a row for each, the oldest first."""
    mine = sorted(seen.turns, key=lambda each: (each.began, each.id))
    rotated = sum(each.rotations > 0 for each in mine)
    waiting = sum(each.first_output is None for each in mine)
    known = {
        "Under way": tag("strong", len(mine)),
        "Before the first word": str(waiting),
        "Went to another account": str(rotated),
    }
    if not mine:
        return joined(
            [facts({"Under way": tag("strong", 0)}), empty("No turn is under way. They appear here by themselves.")]
        )
    rows = [_row(each, seen) for each in mine[:MOST]]
    more = len(mine) - MOST
    columns = {name: kind for name, kind in OWNER_COLUMNS.items() if name not in _left_out(seen)}
    return joined(
        [
            facts(known),
            table(columns, rows, label="Turns under way", kind="stacks"),
            empty(f"{more} more are not shown.") if more > 0 else None,
        ]
    )


def _left_out(seen: TurnsSeen) -> set[str]:
    return {"Person", "Account"} if seen.person else set()


def _row(turn: LiveTurn, seen: TurnsSeen) -> Html:
    rotated = f"{turn.rotations} rotation{'' if turn.rotations == 1 else 's'}" if turn.rotations else ""
    tries = f"{turn.attempts} attempts" if turn.attempts > 1 and not rotated else ""
    account = turn.account or "not yet"
    handle = seen.handles.get(turn.account)
    first = "waiting" if turn.first_output is None else span(turn.first_output)
    cells = {
        "Since": tag("span", span(max(0.0, seen.now - turn.began)), data_since=f"{turn.began:.1f}"),
        "Person": turn.person or "owner",
        "Project": turn.project or tag("span", "none", class_="faint"),
        "Model": joined([turn.model or "?", " ", chip("socket" if turn.transport == "websocket" else "http")]),
        "Account": joined(
            [
                tag("a", account, href=f"/account/{handle}") if handle else account,
                " ",
                chip(rotated, "low") if rotated else chip(tries) if tries else None,
            ]
        ),
        "First output": tag("span", first, class_="faint" if turn.first_output is None else None),
        "Received": size_of(turn.received),
        "Thread": tag("a", _short(turn.thread), href=f"/decisions?thread={turn.thread}") if turn.thread else "",
    }
    left_out = _left_out(seen)
    return tag(
        "tr",
        [
            tag("td", tag("div", value), data_name=name, class_=OWNER_COLUMNS[name] or None)
            for name, value in cells.items()
            if name not in left_out
        ],
        data_key=turn.id,
    )


def _short(thread: str) -> str:
    """The end of a thread's name: they begin alike."""
    return thread if len(thread) <= 14 else f"…{thread[-12:]}"
