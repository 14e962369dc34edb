"""Pictures of numbers, as SVG made here. Places are percentages, and what has a size of its own is as large as letters
are: they keep it on any screen, and nothing needs a style of its own. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from accounts.forecast import Forecast, Outlook, Prospect
from accounts.states import in_words
from addons.dashboard.views.html import Child, Html, tag
from config.numbers import short
from config.times.local_time import clock_time

HOUR: Final = 3600.0
STEPS: Final = tuple(HOUR * each for each in (0.25, 0.5, 1, 2, 3, 6, 12, 24, 48, 168, 336, 720))
MOST_TICKS: Final = 6
ROOM: Final = 8.0
"""Percent of a chart's height above its largest bar."""
COLOURS: Final = 8
MOST_LANES: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a lane, from one moment to another; `kind` is its colour, `words` what it is."""

    since: float
    until: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Something that happened on a lane. `href` leads to what is known of it."""

    at: float
    kind: str
    words: str
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """`said` is the name without anything around it."""

    name: Child
    said: str = ""
    spans: Sequence[Stretch] = ()
    marks: Sequence[Spot] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bar: what it is called, and the parts it is made of by their names."""

    name: str
    parts: Mapping[str, float] = field(default_factory=dict)


def lanes(found: Iterable[Lane], since: float, until: float, *, label: str) -> Html:
    """Lanes below each other over one axis of time."""
    rows = [
        tag(
            "div",
            tag("div", each.name, class_="lane-name"),
            tag(
                "svg",
                _grid(since, until),
                _inside(each, since, until),
                class_="lane",
                role="group",
                aria_label=_said(each),
            ),
            class_=f"lane-row {each.kind}".strip(),
        )
        for each in found
    ]
    names = tag("svg", _ticks(since, until), class_="axis", aria_hidden="true")
    axis = tag("div", tag("div"), names, class_="lane-row")
    return tag("div", rows, axis, class_="lanes", role="group", aria_label=label)


def _said(lane: Lane) -> str:
    return f"{lane.said}: " + ("; ".join(each.words for each in lane.spans[:6]) or "nothing")


def _inside(lane: Lane, since: float, until: float) -> list[Html]:
    drawn = []
    for each in lane.spans:
        left, right = _place(each.since, since, until), _place(each.until, since, until)
        drawn.append(
            tag(
                "rect",
                tag("title", each.words),
                x=f"{left:.3f}%",
                y="22%",
                width=f"{max(0.35, right - left):.3f}%",
                height="56%",
                rx="0.15em",
                class_=f"fill {each.kind}",
            )
        )
    for mark in lane.marks:
        at = f"{_place(mark.at, since, until):.3f}%"
        dot = tag("circle", tag("title", mark.words), cx=at, cy="50%", r="0.36em", class_=f"mark {mark.kind}")
        drawn.append(tag("a", dot, href=mark.href, aria_label=mark.words) if mark.href else dot)
    return drawn


def _place(moment: float, since: float, until: float) -> float:
    return max(0.0, min(100.0, 100 * (moment - since) / max(1.0, until - since)))


def _grid(since: float, until: float) -> list[Html]:
    places = (f"{_place(at, since, until):.3f}%" for at, _ in ticks(since, until))
    return [tag("line", x1=each, x2=each, y1=0, y2="100%", class_="grid") for each in places]


def _ticks(since: float, until: float) -> list[Html]:
    drawn = []
    for at, name in ticks(since, until):
        place = _place(at, since, until)
        if not 3 < place < 97:
            continue  # there is no room for its name
        drawn.append(tag("text", name, x=f"{place:.3f}%", y="1em", text_anchor="middle"))
    return drawn


def ticks(since: float, until: float) -> list[tuple[float, str]]:
    """Full hours or days of the local time between two moments, a few of them, with their names."""
    step = next((each for each in STEPS if (until - since) / each <= MOST_TICKS), STEPS[-1])
    offset = datetime.fromtimestamp(since, UTC).astimezone().utcoffset()
    ahead = offset.total_seconds() if offset is not None else 0.0
    first = -(-(since + ahead) // step) * step - ahead
    form = "%H:%M" if step < 24 * HOUR else "%a %d"
    found, at = [], first
    while at <= until:
        found.append((at, f"{datetime.fromtimestamp(at, UTC).astimezone():{form}}"))
        at += step
    return found


# --- the forecast ----------------------------------------------------------------------------------------------------


def outlook(found: Forecast, now: float) -> Html:
    """How the pool and each account last at this pace, as bands: green while they serve, red while nobody does."""
    until = now + (_horizon(found, now) - now) * 1.02
    shown = [_pool_lane(found, now, until)]
    shown += [_account_lane(each, found, now, until) for each in found.prospects[: MOST_LANES - 1]]
    return lanes(shown, now, until, label="When the pool and each account can serve, at this pace")


def _horizon(found: Forecast, now: float) -> float:
    """Where the picture ends: a while after the pool is back, if it will be dry; else as far as the forecast looks."""
    ends = found.back_at if found.out_at is not None else found.until
    if found.out_at is not None and found.out_at > now:
        ends = max(found.out_at, ends or 0.0) + (found.out_at - now) / 3
    return max(now + HOUR, ends or 0.0)


def _pool_lane(found: Forecast, now: float, until: float) -> Lane:
    out = until if found.out_at is None else found.out_at
    back = until if found.back_at is None else found.back_at
    spans = []
    if out > now:
        words = "lasts" if found.out_at is None else f"dry at {clock_time(out, now)} at this pace"
        spans.append(Stretch(since=now, until=out, kind="good", words=words))
    if out < until:
        ends = f"until {clock_time(back, now)}" if found.back_at is not None else "until somebody does something"
        spans.append(Stretch(since=out, until=back, kind="bad", words=f"nobody serves {ends}"))
    if back < until:
        spans.append(Stretch(since=back, until=until, kind="good", words=f"back at {clock_time(back, now)}"))
    return Lane(name="The pool", said="The pool", spans=spans, kind="strong")


def _account_lane(each: Prospect, found: Forecast, now: float, until: float) -> Lane:
    serves = each.now not in {Outlook.OUT, Outlook.BACK}
    if not serves and each.back_at is None:
        off = Stretch(since=now, until=until, kind="off", words=in_words(each.told, now))
        return Lane(name=each.account.label, said=each.account.label, spans=[off])
    ends = until if found.out_at is None else min(until, max(now, found.out_at))
    at, spans = now, []
    turns = [(change.at, change.serves) for change in found.changes if change.account.key == each.account.key]
    if not serves and not turns and each.back_at is not None and each.back_at < until:
        turns, ends = [(each.back_at, True)], max(ends, each.back_at)
    for moment, comes in [*turns, (ends, serves)]:
        if moment > at:
            words = f"serves until {clock_time(moment, now)}" if serves else f"out until {clock_time(moment, now)}"
            spans.append(Stretch(since=at, until=moment, kind="soft" if serves else "rest", words=words))
        at, serves = moment, comes
    return Lane(name=each.account.label, said=each.account.label, spans=spans)


# --- bars ------------------------------------------------------------------------------------------------------------


def stacked(buckets: Sequence[Bucket], names: Sequence[str], *, label: str) -> Html:
    """Bars beside each other, each made of the parts in this order; a legend below."""
    most = max((sum(each.parts.values()) for each in buckets), default=0.0) or 1.0
    colours = {name: f"c{at % COLOURS}" for at, name in enumerate(names)}
    width = 100 / max(1, len(buckets))
    bars = []
    for at, bucket in enumerate(buckets):
        top = 100.0
        for name in names:
            tall = bucket.parts.get(name, 0.0) / most * (100 - ROOM)
            if tall <= 0:
                continue
            top -= tall
            bars.append(
                tag(
                    "rect",
                    tag("title", f"{bucket.name}, {name}: {short(round(bucket.parts[name]))}"),
                    x=f"{at * width + width * 0.1:.3f}%",
                    y=f"{top:.2f}%",
                    width=f"{width * 0.8:.3f}%",
                    height=f"{max(0.4, tall):.2f}%",
                    class_=f"fill {colours[name]}",
                )
            )
    lines = []
    for part in (1.0, 0.5):
        y = f"{100 - part * (100 - ROOM):.1f}%"
        lines.append(tag("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        lines.append(tag("text", short(round(most * part)), x="0", y=y, dy="-0.3em"))
    base = tag("line", x1="0", x2="100%", y1="100%", y2="100%", class_="base")
    chart = tag("svg", lines, bars, base, class_="chart", role="img", aria_label=label)
    axis = tag("svg", _names(buckets, width), class_="axis", aria_hidden="true")
    legend = [tag("li", _swatch(colours[name]), name) for name in names]
    return tag("figure", chart, axis, tag("ul", legend, class_="legend"), class_="figure")


def _names(buckets: Sequence[Bucket], width: float) -> list[Html]:
    every = max(1, -(-len(buckets) // MOST_TICKS))
    drawn = []
    for at in range(0, len(buckets), every):
        anchor, place = ("start", at * width) if at == 0 else ("middle", at * width + width / 2)
        drawn.append(tag("text", buckets[at].name, x=f"{place:.3f}%", y="1em", text_anchor=anchor))
    return drawn


def _swatch(kind: str) -> Html:
    square = tag("rect", width="100%", height="100%", rx="20%", class_=f"fill {kind}")
    return tag("svg", square, class_="swatch", aria_hidden="true")
