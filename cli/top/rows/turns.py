"""The turns under way, as rows of the screen and each as a page. Pure."""

from typing import Final

from accounts.views.live_turns import LiveTurn
from cli.top.facts import ShownFacts
from cli.top.items import Item, Listing
from cli.top.lines import Cell, Line, Pen, Tone, apart
from cli.ui.lines import plain
from config.numbers import short
from config.times.local_time import clock_time

SLOW: Final = 20.0
"""Seconds without any output, after which a turn is worth a look."""
NO_PROXY: Final = "No proxy runs. `codex-rotate run codex` starts one by itself, `codex-rotate serve` one that stays."
NO_TURNS: Final = "No turn is under way."
OVER: Final = {"websocket": "WS", "http": "HTTP"}


def listing(facts: ShownFacts) -> Listing:
    """The oldest first: what hangs is on top."""
    turns = sorted(facts.proxies.turns, key=lambda each: each.began)
    empty = NO_TURNS if facts.proxies.urls else NO_PROXY
    return Listing(items=tuple(map(_item, turns)), head=_head, empty=empty)


def _item(turn: LiveTurn) -> Item:
    texts = (turn.person, turn.project, turn.model, turn.account, turn.transport, turn.thread)
    return Item(key=turn.id, draw=lambda pen: [_row(turn, pen)], found_by=" ".join(map(plain, texts)))


def _columns(width: int) -> tuple[int, int, int, int]:
    """Room for who, the project, the model and the account: what is left of the line, in parts."""
    left = max(24, width - (5 + 5 + 7 + 6 + 3 + 8))
    who = project = left * 2 // 10
    model = left * 3 // 10
    return who, project, model, left - who - project - model


def _head(pen: Pen) -> Line:
    who, project, model, account = _columns(pen.width)
    named = (("age", 5), ("who", who), ("project", project), ("model", model), ("account", account), ("over", 5))
    cells = [pen.cell(name, room, Tone.DIM, right=name == "age") for name, room in named]
    cells += [pen.cell(name, room, Tone.DIM, right=True) for name, room in (("first", 7), ("bytes", 6), ("rot", 3))]
    return pen.fitted(apart(cells))


def _row(turn: LiveTurn, pen: Pen) -> Line:
    who, project, model, account = _columns(pen.width)
    waits = turn.first_output is None and pen.now - turn.began >= SLOW
    first = f"{turn.first_output:.1f} s" if turn.first_output is not None else "waits"
    rotated = Tone.WARN if turn.rotations else Tone.DIM
    cells = [
        pen.cell(age(pen.now - turn.began), 5, Tone.STRONG, right=True),
        pen.cell(plain(turn.person) or "you", who, Tone.TEXT if turn.person else Tone.DIM),
        pen.cell(plain(turn.project), project),
        pen.cell(plain(turn.model), model, Tone.DIM),
        pen.cell(plain(turn.account) or "nobody yet", account, Tone.ACCENT if turn.account else Tone.DIM),
        pen.cell(OVER.get(turn.transport, plain(turn.transport)), 5, Tone.DIM),
        pen.cell(first, 7, Tone.WARN if waits else Tone.DIM, right=True),
        pen.cell(short(turn.received), 6, right=True),
        pen.cell(str(turn.rotations or ""), 3, rotated, right=True),
    ]
    return pen.fitted(apart(cells))


def age(seconds: float) -> str:
    """In four places, and so that it seldom changes once it is long."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m" if whole >= 600 else f"{whole // 60}m{whole % 60 // 10}0"
    return f"{whole // 3600}h"


def page(turn: LiveTurn, pen: Pen) -> list[Line]:
    """All that is known of a turn."""
    times = "once" if turn.attempts == 1 else f"{turn.attempts} times"
    facts = {
        "began": f"{clock_time(turn.began, pen.now)}, {age(pen.now - turn.began)} ago",
        "who": plain(turn.person) or "you",
        "project": plain(turn.project),
        "model": plain(turn.model),
        "account": plain(turn.account) or "nobody yet",
        "asked": f"{times}, {turn.rotations} {'rotation' if turn.rotations == 1 else 'rotations'}",
        "over": {"websocket": "a WebSocket", "http": "HTTP"}.get(turn.transport, plain(turn.transport)),
        "output": f"began after {turn.first_output:.1f} s" if turn.first_output is not None else "none yet",
        "received": f"{turn.received:,} bytes",
        "thread": plain(turn.thread),
    }
    lines = [
        pen.fitted([Cell(f" {plain(turn.model) or 'A turn'} on {facts['account']}", Tone.STRONG)]),
        pen.fitted([]),
    ]
    for name, text in facts.items():
        lines += pen.paragraph(f"{name:<12}{text}", Tone.TEXT, 2, 14) if text else []
    return lines
