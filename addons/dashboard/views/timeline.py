"""The last hours: when each account served, and every rotation with its reason. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from accounts.views.timeline import AccountTimeline, Rotation, ServingSpan, Timeline
from addons.dashboard.views import charts
from addons.dashboard.views.charts import Lane, Spot, Stretch
from addons.dashboard.views.frame import chip, empty, facts, section
from addons.dashboard.views.html import Child, Html, joined, tag
from addons.dashboard.views.words import span, time_of
from config.numbers import short
from config.times.local_time import clock_time

CHOICES: Final = (1, 6, 24, 72)
"""Hours that can be chosen."""
MOST_ROTATIONS: Final = 200
MOST_LANES: Final = 40
MOST_MARKS: Final = 150
_DECISIONS: Final[Mapping[str, str]] = {
    "paused": "off",
    "resumed": "good",
    "chosen": "strong",
    "choice_ended": "strong",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSeen:
    """What has happened; handles of accounts by their labels. `first` is when the history begins."""

    told: Timeline
    handles: Mapping[str, str] = field(default_factory=dict)
    first: float | None = None


def timeline_view(seen: TimelineSeen, hours: float) -> Html:
    """A lane for each account with its rotations on it, and below what each rotation was about."""
    told = seen.told
    choice = tag(
        "nav",
        [
            tag("a", f"{each} h", href=f"/timeline?hours={each}", aria_current="true" if each == hours else None)
            for each in CHOICES
        ],
        class_="choice",
        aria_label="How far back",
    )
    names = {id(each): f"r{number}" for number, each in enumerate(told.rotations)}
    busy = [each for each in told.accounts if each.spans or each.rotations or each.marks]
    idle = len(told.accounts) - len(busy)
    colds = [each.cold for each in told.rotations if each.cold is not None]
    known = {
        "Rotations": tag("strong", len(told.rotations)),
        "Accounts that served": str(sum(bool(each.spans) for each in told.accounts)),
        "Turns": str(sum(part.turns for each in told.accounts for part in each.spans)),
        "Input that was not cached for them": f"{short(sum(colds))} tokens" if colds else "",
    }
    parts: list[Child] = [choice, facts(known)]
    if seen.first is not None and seen.first > told.since:
        parts.append(tag("p", f"The history begins at {clock_time(seen.first, told.until)}.", class_="faint"))
    if not busy:
        return joined([*parts, empty("Nothing was served in this time.")])
    shown = [_lane(each, seen, names) for each in busy[:MOST_LANES]]
    parts.append(charts.lanes(shown, told.since, told.until, label="When each account served"))
    if idle > 0:
        parts.append(tag("p", f"{idle} more account{'' if idle == 1 else 's'} served nobody.", class_="faint"))
    parts.append(section("Rotations", _rotations(told.rotations, told.until, names)))
    return joined(parts)


def _lane(each: AccountTimeline, seen: TimelineSeen, names: Mapping[int, str]) -> Lane:
    now, handle = seen.told.until, seen.handles.get(each.account)
    spans = [Stretch(since=one.began, until=one.ended, kind="good", words=_span_words(one, now)) for one in each.spans]
    marks = [
        Spot(at=one.at, kind=_DECISIONS.get(one.kind, "plain"), words=_mark_words(one.at, one.kind, one.detail, now))
        for one in each.marks
        if one.kind in _DECISIONS
    ]
    marks += [
        Spot(at=one.at, kind="bad" if one.kind else "low", words=_rotation_words(one, now), href=f"#{names[id(one)]}")
        for one in each.rotations[-MOST_MARKS:]
    ]
    name = tag("a", each.account, href=f"/account/{handle}") if handle else each.account
    return Lane(name=name, said=each.account, spans=spans, marks=marks)


def _span_words(one: ServingSpan, now: float) -> str:
    turns = f"{one.turns} turn{'' if one.turns == 1 else 's'}"
    return f"{clock_time(one.began, now)} to {clock_time(one.ended, now)}: {turns}"


def _mark_words(at: float, kind: str, detail: str, now: float) -> str:
    return f"{clock_time(at, now)}: {kind.replace('_', ' ')}{f' ({detail})' if detail else ''}"


def _rotation_words(one: Rotation, now: float) -> str:
    return f"{clock_time(one.at, now)}: from {one.left} to {one.taken}, {one.reason}"


def _rotations(found: Sequence[Rotation], now: float, names: Mapping[int, str]) -> Html:
    if not found:
        return empty("No turn went to another account.")
    items = [_rotation(each, now, names[id(each)]) for each in reversed(found[-MOST_ROTATIONS:])]
    more = len(found) - len(items)
    return joined([tag("div", items, class_="rotations"), empty(f"{more} more are not shown.") if more else None])


def _rotation(each: Rotation, now: float, name: str) -> Html:
    arrow = tag("span", "→", class_="faint", aria_hidden="true")
    head = tag(
        "summary",
        time_of(each.at, now),
        tag("span", each.left, arrow, tag("span", " to ", class_="unseen"), each.taken, class_="way"),
        chip(each.reason, "low" if each.kind else ""),
        tag("span", each.person or "owner", class_="faint"),
    )
    asked = [
        tag("li", tag("strong", row.account), f", because {row.why}: {row.kind.replace('_', ' ')}",
            f" ({row.detail})" if row.detail else "", f" after {span(row.seconds)}")
        for row in each.asked
    ]  # fmt: skip
    costs = [f"{span(each.seconds)} until that was known"] if each.seconds else []
    if each.cold:
        costs.append(f"{short(each.cold)} tokens of input that were not cached")
    known = {
        "Upstream said": each.said or each.kind.replace("_", " ") or "nothing: it was left between two turns",
        "Taken instead because": each.why,
        "Who was asked": tag("ol", asked, class_="asked") if asked else "",
        "What it cost": ", ".join(costs) or "nothing that is known",
        "In the end": each.done,
        "Model": each.model,
        "Thread": tag("a", each.thread, href=f"/decisions?thread={each.thread}") if each.thread else "",
    }
    return tag(
        "details", head, facts(known), class_="rotation", id=name, data_key=f"{each.at:.3f}{each.thread}{each.taken}"
    )
