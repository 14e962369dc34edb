"""What happened last, as rows of the screen: requests with each account that was asked, and what was changed. Pure.

A request that went from one account to another, or whose thread was elsewhere before, is a rotation.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from accounts.choice.decision_record import DECISION, AttemptRow
from accounts.choice.outcomes import Kind
from accounts.history import Decision, decisions, from_where
from accounts.ledger.records import TurnRecord
from accounts.model import Event
from accounts.views.account_list import SERVED
from cli.top.facts import ShownFacts
from cli.top.items import Item, Listing
from cli.top.lines import Cell, Line, Pen, Tone, apart
from cli.ui.lines import plain
from config.numbers import short
from config.times.local_time import clock_time, short_time

NOTHING: Final = "Nothing has happened yet. Start a client with `codex-rotate run codex`."
NO_ROTATION: Final = "No turn went from one account to another. f shows everything."
AT: Final = 10
TOOK: Final = 7
_OF_ATTEMPTS: Final = frozenset(map(str, Kind))


class ToldEvent(NamedTuple):
    """Something of the history. `decision` is None for what is no request; `before` is the account that served the
    thread before another one did, "" where that stayed."""

    event: Event
    decision: Decision | None = None
    before: str = ""

    @property
    def key(self) -> str:
        return f"{self.event.at}:{self.event.kind}:{self.event.key}:{self.event.thread}"

    @property
    def rotated(self) -> bool:
        """Whether somebody else was asked than before."""
        return self.decision is not None and bool(self.before or len(went(self.decision)) > 1)


def told(events: Sequence[Event]) -> list[ToldEvent]:
    """The history as it is shown, the newest first. What one account said to a request stands in its decision."""
    found = list[ToldEvent]()
    told = from_where(reversed(decisions(events)))
    for event in reversed(events):
        if event.kind == DECISION:
            decision, before = next(told)
            moved = before is not None and decision.record.attempts[:1] and before.account != went(decision)[0]
            found.append(ToldEvent(event, decision, before.account if before is not None and moved else ""))
        elif event.kind not in _OF_ATTEMPTS:
            found.append(ToldEvent(event))
    return found[::-1]


def went(decision: Decision) -> list[str]:
    """The accounts that were asked, each once for as long as it was the same."""
    asked = [each.account for each in decision.record.attempts]
    return [*asked[:1], *(after for before, after in pairwise(asked) if before != after)]


def listing(facts: ShownFacts, *, detailed: bool, only_rotations: bool) -> Listing:
    labels = facts.pool.labels
    found = [each for each in told(facts.pool.events) if each.rotated or not only_rotations]
    items = tuple(_item(each, labels, detailed=detailed) for each in found)
    return Listing(items=items, head=_head, empty=NO_ROTATION if only_rotations else NOTHING)


def _item(each: ToldEvent, labels: Mapping[str, str], *, detailed: bool) -> Item:
    attempts = each.decision.record.attempts if each.decision is not None and detailed else ()

    def draw(pen: Pen) -> Sequence[Line]:
        if each.decision is None:
            return [_change(each.event, labels, pen)]
        return [_request(each, each.decision, pen), *(_attempt(n, row, pen) for n, row in enumerate(attempts, 1))]

    return Item(key=each.key, draw=draw, height=1 + len(attempts), found_by=_found_by(each, labels))


def _found_by(each: ToldEvent, labels: Mapping[str, str]) -> str:
    event = each.event
    if each.decision is None:
        return " ".join((event.kind.replace("_", " "), plain(labels.get(event.key, "")), plain(event.detail)))
    record = each.decision.record
    parts = (
        record.model,
        record.done,
        record.person,
        event.thread,
        *(f"{a.account} {a.kind}" for a in record.attempts),
    )
    return " ".join(plain(part.replace("_", " ")) for part in parts) + (" rotation" if each.rotated else "")


def _head(pen: Pen) -> Line:
    cells = [pen.cell(" when", AT, Tone.DIM), pen.cell("what", max(4, pen.width - AT - TOOK - 2), Tone.DIM)]
    return pen.fitted(apart([*cells, pen.cell("took", TOOK, Tone.DIM, right=True)]))


def _change(event: Event, labels: Mapping[str, str], pen: Pen) -> Line:
    words = " ".join(filter(None, (event.kind.replace("_", " "), plain(labels.get(event.key, "")))))
    cells = [pen.cell(f" {short_time(event.at, pen.now)}", AT, Tone.DIM), Cell(words, Tone.DIM)]
    return pen.fitted([*apart(cells), Cell(f"  {plain(event.detail)}" if event.detail else "", Tone.DIM)])


def _request(each: ToldEvent, decision: Decision, pen: Pen) -> Line:
    record = decision.record
    room = max(8, pen.width - AT - TOOK - 2)
    words: list[Cell] = [Cell(f"{plain(each.before)} → ", Tone.WARN)] if each.before else []
    for number, attempt in enumerate(record.attempts):
        served = attempt.kind in SERVED
        words += [Cell(" → ", Tone.WARN)] if number else []
        words.append(Cell(plain(attempt.account), Tone.ACCENT if served else Tone.WARN))
        words += [] if served else [Cell(f" {attempt.kind.replace('_', ' ')}", Tone.WARN)]
    words += [] if record.attempts else [Cell("nobody was asked", Tone.BAD)]
    done = "" if record.done == "delivered" else f"; {plain(record.done)}{_ruled(record.rule)}"
    asked = "  ".join(filter(None, (plain(record.person), plain(record.model))))
    words.append(Cell(f"{done}  {asked}", Tone.DIM))
    middle = Pen(width=room, now=pen.now, in_ascii=pen.in_ascii).fitted(words)
    took = pen.cell(f"{record.seconds:.1f} s", TOOK, Tone.DIM, right=True)
    return pen.fitted(apart([pen.cell(f" {short_time(decision.at, pen.now)}", AT, Tone.DIM), middle, took]))


def _attempt(number: int, each: AttemptRow, pen: Pen) -> Line:
    return pen.fitted([Cell(f"{'':<{AT}}  {_attempt_words(number, each)}", Tone.DIM)])


def _attempt_words(number: int, each: AttemptRow) -> str:
    said = f" ({plain(each.detail)})" if each.detail else ""
    outcome = f"{each.kind.replace('_', ' ')}{said} after {each.seconds:.1f} s"
    return f"{number}  {plain(each.account)}, because {plain(each.why)}: {outcome}"


def _ruled(rule: str) -> str:
    """The rule of the pool's owner that has refused a request, in words."""
    return f" ({plain(rule.replace('_', ' '))})" if rule else ""


def page(each: ToldEvent, turn: TurnRecord | None, labels: Mapping[str, str], pen: Pen) -> list[Line]:
    """A request with each account that was asked, why, what it said, and what that cost, as far as the ledger has it;
    of anything else all its words."""
    event, blank = each.event, pen.fitted([])
    if each.decision is None:
        title = f" {event.kind.replace('_', ' ')} {plain(labels.get(event.key, ''))}"
        facts = {"when": clock_time(event.at, pen.now), "detail": plain(event.detail), "thread": plain(event.thread)}
        return [pen.fitted([Cell(title, Tone.STRONG)]), blank, *_facts(facts, pen)]
    record = each.decision.record
    ended = f"{plain(record.done)}{_ruled(record.rule)} after {record.seconds:.1f} s"
    facts = {
        "when": clock_time(event.at, pen.now),
        "ended": ended,
        "model": plain(record.model),
        "who": plain(record.person),
        "thread": plain(event.thread),
        "before": f"{plain(each.before)} served this thread" if each.before else "",
        **_cost(turn),
    }
    lines = [pen.fitted([Cell(f" {ended}", Tone.STRONG)]), blank, *_facts(facts, pen), blank]
    for number, attempt in enumerate(record.attempts, 1):
        role = Tone.GOOD if attempt.kind in SERVED else Tone.WARN
        lines += pen.paragraph(_attempt_words(number, attempt), role, 2, 5)
    return lines


def _cost(turn: TurnRecord | None) -> dict[str, str]:
    if turn is None:
        return {}
    tokens = turn.tokens
    cold = f", {short(turn.cold)} of it cold, as the account had changed" if turn.cold else ""
    return {
        "project": plain(turn.project),
        "tokens": f"{short(tokens.input)} in ({short(tokens.cached)} cached{cold}), {short(tokens.output)} out",
    }


def _facts(facts: Mapping[str, str], pen: Pen) -> list[Line]:
    return [
        line for name, text in facts.items() if text for line in pen.paragraph(f"{name:<9}{text}", Tone.TEXT, 2, 11)
    ]
