"""What the bounded history says of the requests that were served. Pure."""

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from accounts.choice.decision_record import DECISION, AttemptRow, Record, read_record
from accounts.model import Event


class Decision(NamedTuple):
    """A request of the history. `at` is when it was over (seconds since the epoch), `thread` its thread ("": none)."""

    at: float
    thread: str
    record: Record


class RequestTally(NamedTuple):
    """How many requests the history holds, and how often one, or the next one of its thread, went to another account
    than before. `since` is when the oldest event of the history happened, None when there is none."""

    requests: int = 0
    rotations: int = 0
    since: float | None = None


def decisions(events: Iterable[Event]) -> list[Decision]:
    """The requests among these events, in the same order."""
    return [
        Decision(at=event.at, thread=event.thread, record=_record(event)) for event in events if event.kind == DECISION
    ]


def from_where(found: Iterable[Decision]) -> Iterator[tuple[Decision, AttemptRow | None]]:
    """Each of these, the oldest first, with the last attempt of its thread's request before it: None for a thread that
    has none, and for what belongs to no thread."""
    last: dict[str, AttemptRow] = {}
    for each in found:
        yield each, last.get(each.thread)
        if each.thread and each.record.attempts:
            last[each.thread] = each.record.attempts[-1]


def tally(events: Iterable[Event]) -> RequestTally:
    """Of the history as the store gives it, the newest first. An account that was renamed meanwhile is another one."""
    known = list(events)
    found = decisions(known)
    rotations = 0
    for each, before in from_where(reversed(found)):
        went = [attempt.account for attempt in (*((before,) if before else ()), *each.record.attempts)]
        rotations += sum(one != other for one, other in pairwise(went))
    return RequestTally(requests=len(found), rotations=rotations, since=known[-1].at if known else None)


def _record(event: Event) -> Record:
    """As accounts.choice.turn reads it, and with times that can be shown."""
    try:
        told = read_record(event)
    except (OverflowError, RecursionError):
        return Record(done=read_record(Event(at=event.at, kind=event.kind)).done)
    if not all(map(math.isfinite, (told.seconds, *(each.seconds for each in told.attempts)))):
        return Record(done=read_record(Event(at=event.at, kind=event.kind)).done)
    return told
