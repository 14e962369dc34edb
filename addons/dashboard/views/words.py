"""Small pieces that several views show. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from accounts.choice.quota import Window
from accounts.states import AccountState, State
from accounts.views.account_list import window_label
from addons.dashboard.views.html import Child, Html, joined, tag
from config.times.local_time import clock_time, short_time

_CODE: Final = re.compile(r"`([^`]+)`")
LOOKS: Final[Mapping[State, str]] = {
    State.READY: "good",
    State.NEARLY_SPENT: "low",
    State.SPENT: "low",
    State.RESTING: "low",
    State.RESERVED: "low",
    State.PAUSED: "off",
    State.PASSED_OVER: "off",
    State.NEEDS_LOGIN: "bad",
    State.LOGIN_ENDED: "bad",
    State.NO_LOGIN: "bad",
    State.CLOSED: "bad",
}
"""The colour of a state; what it is called is in accounts/states.py."""
LOW_PERCENT: Final = 80.0
FULL_PERCENT: Final = 95.0


def sentence(text: str) -> Html:
    """Words in which commands stand between backticks."""
    parts: list[Child] = []
    for at, piece in enumerate(_CODE.split(text)):
        parts.append(tag("code", piece) if at % 2 else piece)
    return joined(parts)


def look_of(told: AccountState) -> str:
    return LOOKS.get(told.state, "off")


def bar(percent: float, label: str) -> Html:
    """How much of something is used, 0 to 100. It is never drawn empty that is not, or full."""
    width = 0.0 if percent <= 0 else max(1.5, min(100.0, percent))
    kind = "full" if percent >= FULL_PERCENT else "low" if percent >= LOW_PERCENT else "good"
    return tag(
        "svg",
        tag("rect", class_="track", width=100, height=8),
        tag("rect", class_=f"fill {kind}", width=f"{width:.1f}", height=8),
        class_="bar",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def share(percent: float) -> Html:
    """A part of the largest one, for tables: beside it stands the number."""
    return tag(
        "svg",
        tag("rect", class_="fill plain", width=f"{max(0.0, min(100.0, percent)):.1f}", height=8),
        class_="bar",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def windows(found: Iterable[Window], now: float) -> Html:
    """A line for each window: its name, a bar, the percentage, when it resets."""
    lines = []
    for each in found:
        name, percent = window_label(each), percent_of(each.used_percent)
        ends = ""
        if each.resets_at is not None:
            ends = short_time(each.resets_at, now)
        lines.append(
            tag(
                "div",
                tag("span", name, class_="name"),
                bar(each.used_percent, f"{name}: {percent} used"),
                tag("span", percent, class_="number"),
                tag("span", ends, class_="faint", title=f"resets {ends}") if ends else tag("span"),
                class_="window",
            )
        )
    return joined(lines)


def percent_of(used: float) -> str:
    """A whole number; what is left or used is never rounded away."""
    shown = round(used)
    if 0 < used < 100:
        shown = max(1, min(99, shown))
    return f"{shown} %"


def time_of(moment: float, now: float) -> Html:
    """A moment, short, and whole for whoever points at it."""
    return tag("time", clock_time(moment, now), data_at=f"{moment:.0f}")


def span(seconds: float) -> str:
    """How long something takes: 0.8 s, 12 s, 3 min 5 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = whole // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 1440 else f"{minutes // 1440} d {minutes // 60 % 24} h"


def ago(moment: float | None, now: float) -> str:
    """How long something is past, in two words at most."""
    if moment is None:
        return ""
    seconds = max(0.0, now - moment)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def size_of(count: int) -> str:
    """Bytes: 812 B, 9.1 kB, 1.2 MB."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
