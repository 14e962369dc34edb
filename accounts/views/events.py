"""What has happened, one by one: what kinds there are, which of them are asked for, and each for programs. Pure."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from accounts.choice.decision_record import DECISION
from accounts.choice.outcomes import Kind
from accounts.errors import UsageError
from accounts.history import decisions
from accounts.model import Event
from accounts.views.decisions import decision_data

KINDS: Final = (
    DECISION,
    *("imported", "kept", "renewed", "refreshed", "renewal_ended", "login_ended", "verified", "recovered", "pushed"),
    *("unsealed", "removed", "logged_out", "restored", "rest_ended", "rest_restored", "chosen", "choice_ended"),
    *("person_added", "person_changed", "person_removed", "key_shared", "paused", "resumed"),
    *("relabelled", "tags_changed", "priority_changed", "reserve_changed"),
    *(str(kind) for kind in Kind),
)
"""Every kind of event: those with a name of their own, and what an account said to a request."""


class UnknownEventKind(UsageError):
    def __init__(self, name: str) -> None:
        near = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.5)
        advice = f"Did you mean {near[0]}?" if near else f"Some are {', '.join(KINDS[:6])}."
        super().__init__(f"There is no kind of event called {name!r}. {advice}")


def checked_kinds(names: Iterable[str]) -> frozenset[str]:
    """The kinds of these names, as `usage_limit` or `usage-limit`. Raises UnknownEventKind."""
    found = set()
    for name in names:
        kind = name.strip().casefold().replace("-", "_").replace(" ", "_")
        if kind not in KINDS:
            raise UnknownEventKind(name)
        found.add(kind)
    return frozenset(found)


def wanted_events(events: Iterable[Event], kinds: Collection[str], since: float) -> list[Event]:
    """Those that happened since then (seconds since the epoch), of these kinds (none: all), in the same order."""
    return [each for each in events if each.at >= since and (not kinds or each.kind in kinds)]


def event_data(event: Event, labels: Mapping[str, str]) -> dict[str, object]:
    """For programs; `labels` are by the keys of accounts. A decision record is a value, and no text."""
    asked = [decision_data(each) for each in decisions([event])]
    return {
        "at": event.at,
        "kind": event.kind,
        "account": labels.get(event.key),
        "thread": event.thread,
        "detail": "" if asked else event.detail,
        "request": asked[0] if asked else None,
    }
