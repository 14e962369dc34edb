"""What has happened, as a line each: the same words wherever it is told."""

from collections.abc import Mapping

from accounts.history import Decision, decisions
from accounts.model import Event
from cli.ui.lines import plain
from config.times.local_time import clock_time


def event_line(event: Event, labels: Mapping[str, str], now: float) -> str:
    """Of any event; `labels` are by the keys of accounts."""
    for each in decisions([event]):
        return decision_line(each, now)
    parts = (clock_time(event.at, now), event.kind.replace("_", " "), labels.get(event.key, ""), event.detail)
    return "  ".join(filter(None, map(plain, parts)))


def decision_line(decision: Decision, now: float) -> str:
    """How a request was served, from account to account."""
    told = decision.record
    went = " → ".join(f"{each.account} {each.kind.replace('_', ' ')}" for each in told.attempts) or "nobody was asked"
    model = f"{told.model}: " if told.model else ""
    return f"{clock_time(decision.at, now)}  {plain(f'{model}{went}; {told.done} after {told.seconds:.1f} s')}"
