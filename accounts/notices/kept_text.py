"""Occurrences as the text of a file, and back. What cannot be read is left out. Pure."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from accounts.notices.conditions import Condition, ConditionName
from accounts.notices.occurrences import MOST_KEPT, Occurrence, Occurrences
from config.notify import NoticeKind


def as_text(known: Iterable[Occurrence]) -> str:
    """One JSON value."""
    rows = []
    for each in known:
        row = asdict(each)
        row["condition"]["name"] = [str(each.name.kind), each.name.subject]
        rows.append(row)
    return json.dumps({"occurrences": rows}, ensure_ascii=False)


def from_text(text: str | bytes) -> Occurrences:
    """Never raises: of a file that is damaged nothing is known."""
    try:
        rows = json.loads(text)["occurrences"]
        found = [_occurrence(row) for row in rows[:MOST_KEPT]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()
    return tuple(each for each in found if each is not None)


def _occurrence(row: Any) -> Occurrence | None:
    try:
        told = row["condition"]
        percent = told["percent"]
        condition = Condition(
            name=ConditionName(NoticeKind(told["name"][0]), str(told["name"][1])),
            text=str(told["text"]),
            account=str(told["account"]),
            person=str(told["person"]),
            percent=None if percent is None else int(percent),
            until=_moment(told["until"]),
        )
        since = _moment(row["since"])
        if since is None:
            return None
        return Occurrence(
            condition=condition,
            since=since,
            gone=_moment(row["gone"]),
            settled=row["settled"] is True,
            reached=tuple(str(each) for each in row["reached"]),
            tries=max(0, int(row["tries"])),
            next_at=_moment(row["next_at"]) or 0.0,
            claimed_until=_moment(row["claimed_until"]) or 0.0,
        )
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None


def _moment(value: Any) -> float | None:
    if value is None:
        return None
    moment = float(value)
    if not math.isfinite(moment):
        raise ValueError("not a moment")
    return moment
