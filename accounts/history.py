"""What the bounded history says of the requests that were served. Pure."""

import math
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from accounts.choice.decision_record import DECISION, Record, read_record
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


def tally(events: Iterable[Event]) -> RequestTally:
    """Of the history as the store gives it, the newest first. An account that was renamed meanwhile is another one."""
    known = list(events)
    found = decisions(known)
    last: dict[str, str] = {}
    rotations = 0
    for each in reversed(found):
        asked = [attempt.account for attempt in each.record.attempts]
        before = [last[each.thread]] if each.thread in last else []
        went = [*before, *asked]
        rotations += sum(one != other for one, other in pairwise(went))
        if each.thread and asked:
            last[each.thread] = asked[-1]
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
