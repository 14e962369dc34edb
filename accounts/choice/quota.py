"""How much of an account's limits is used: what upstream says of it, in three forms, and what follows. Pure.

A window is named by its length, never by its place: `primary` and `secondary` are only the order in which upstream
lists them, and which of the two is the longer one depends on the plan. docs/codex-wire.md sections 2.3, 3 and 8.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from accounts.choice.reset_times import LONGEST, as_date, as_number

MAIN: Final = "codex"
"""The family of the account's own limit, the one that every model request counts against."""

PLAN_WEIGHT: Final[Mapping[str, float]] = {
    "free": 0.2,
    "go": 0.5,
    "plus": 1.0,
    "team": 1.0,
    "business": 1.0,
    "edu": 1.0,
    "enterprise": 2.0,
    "prolite": 5.0,
    "pro": 10.0,
}
"""Roughly how much one account of a plan can do, in accounts of plan `plus`. A rough figure of ours, which upstream
states nowhere: it is only used to share load between accounts and never keeps one from being used."""

_USED: Final = "-used-percent"
_MINUTES: Final = "-window-minutes"
_RESET: Final = "-reset-at"
_RESET_AFTER: Final = "-reset-after-seconds"
HEADER_ENDINGS: Final = (_USED, _MINUTES, _RESET)
"""How the headers end that describe a window."""
_POSITIONS: Final = ("primary", "secondary")

_LONGEST_MINUTES: Final = LONGEST / 60
"""A window longer than the latest reset that is believed could never be seen to end."""

_LONGEST_NAME: Final = 60

_MARKS: Final = (90.0, 95.0, 100.0)
"""Percentages at which something is decided or shown; passing one, in either direction, is worth a write."""

_STALE: Final = 300.0
"""Seconds after which the store is told that a window was seen again, although nothing changed."""

_MOVED: Final = 60.0
"""Seconds by which a reset must move to be another one; upstream's times waver by a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window of one limit, as it was when upstream last spoke of it.

    `family` is MAIN, or the name of another limit of the account (a model or feature with an allowance of its own), in
    lower case with `-` for `_`. `minutes` is the window's length and `used_percent` is 0 to 100. `resets_at` is when
    everything is free again, None when that is not known; a time in the past means that it is free already.
    `seen_at` is when upstream said so. Both times are seconds since the epoch.
    """

    family: str
    minutes: int
    used_percent: float
    resets_at: float | None = None
    seen_at: float = 0.0


def from_headers(headers: Mapping[str, str], now: float) -> tuple[Window, ...]:
    """The windows that the headers of an answer describe; their names must be in lower case. Never raises.

    A window is `x-<limit>-<position>-used-percent` with `-window-minutes` and `-reset-at` (or
    `-reset-after-seconds`) beside it. Nothing is parsed
    when there is none, which is so for most answers. docs/codex-wire.md section 2.3.
    """
    used = [name for name in headers if name.endswith(_USED)]
    if not used:
        return ()
    found: list[Window | None] = []
    for name in used:
        window = name.removesuffix(_USED)
        limit, _, position = window.removeprefix("x-").rpartition("-")
        if window.startswith("x-") and position in _POSITIONS:
            said = {
                "used_percent": headers.get(name),
                "window_minutes": headers.get(window + _MINUTES),
                "reset_at": headers.get(window + _RESET),
                "reset_after_seconds": headers.get(window + _RESET_AFTER),
            }
            found.append(_window(_family(limit), said, now))
    return _known(found)


def from_event(payload: Mapping[str, object], now: float) -> tuple[Window, ...]:
    """The windows of a decoded `codex.rate_limits` event. Never raises. docs/codex-wire.md section 3.

    An event that names no limit is about the account's own.
    """
    event = _object(payload)
    family = family_of_event(event)
    limits = _object(event.get("rate_limits"))
    return _known([_window(family, limits.get(position), now) for position in _POSITIONS])


def family_of_event(event: Mapping[str, object]) -> str:
    """Which limit such an event is about; empty for a name that cannot be read. That is not taken for "no name": what
    it says must not count against the account."""
    names = (event.get("metered_limit_name"), event.get("limit_name"))
    return _family(next((name for name in names if name not in (None, "")), MAIN))


def from_usage(payload: Mapping[str, object], now: float) -> tuple[Window, ...]:
    """The windows in the body of `/wham/usage`. Never raises. docs/codex-wire.md section 8.

    An additional limit goes by the name that headers and events use, `metered_feature`, or by its `limit_name`. One
    without a name, or with the name of the account's own limit, is left out: it could not be kept apart from that.
    """
    body = _object(payload)
    limits = [(MAIN, body.get("rate_limit"))]
    additional = body.get("additional_rate_limits")
    for each in additional if isinstance(additional, list) else ():
        entry = _object(each)
        family = family_of_usage(entry)
        if family != MAIN:
            limits.append((family, entry.get("rate_limit")))
    return _known(
        [_window(family, _object(limit).get(f"{each}_window"), now) for family, limit in limits for each in _POSITIONS]
    )


def family_of_usage(entry: Mapping[str, object]) -> str:
    """Which limit an entry of `additional_rate_limits` is about; empty for a name that cannot be read."""
    return _family(entry.get("metered_feature") or entry.get("limit_name"))


def merged(old: Iterable[Window], new: Iterable[Window]) -> tuple[Window, ...]:
    """One window per family and length, the one seen last, sorted by both. It does not matter which come first.

    Of two that were seen at the same moment the fuller counts: resting too early costs less than a refusal.
    """
    latest: dict[tuple[str, int], Window] = {}
    for window in (*old, *new):
        held = latest.get(_name(window))
        if held is None or _rank(window) > _rank(held):
            latest[_name(window)] = window
    return tuple(latest[name] for name in sorted(latest))


def window_name(minutes: int) -> str:
    """A window's length as people say it: 5h, 7d."""
    for size, unit in ((1440, "d"), (60, "h")):
        if minutes and minutes % size == 0:
            return f"{minutes // size}{unit}"
    return f"{minutes}m"


def left(window: Window, now: float) -> float:
    """The share of a window that is still free, 0 to 1. A window whose reset has passed is free again."""
    if _end(window) <= now:
        return 1.0
    return max(0.0, min(1.0, (100.0 - window.used_percent) / 100.0))


def used(window: Window, now: float) -> float:
    """How much of a window is used, in percent; nothing of one whose reset has passed."""
    return 0.0 if _end(window) <= now else max(0.0, min(100.0, window.used_percent))


def deferred_until(windows: Iterable[Window], *, limit_percent: float, now: float) -> float | None:
    """Until when the account's own limit keeps it from being used, or None when it does not.

    That is the latest reset of the windows that are used to `limit_percent` or more. Nothing is rounded: with a limit
    of 100 an account at 99.6 % is still used, because only upstream knows what the rest is good for.
    """
    ends = [_end(each) for each in windows if each.family == MAIN and each.used_percent >= limit_percent]
    return max((end for end in ends if end > now), default=None)


def worth_writing(old: tuple[Window, ...], new: tuple[Window, ...]) -> bool:
    """Whether the store, which holds `old`, should be told of `new`: every answer brings numbers, and few matter."""
    before, after = ({_name(window): window for window in windows} for windows in (old, new))
    return before.keys() != after.keys() or any(_differs(before[name], after[name]) for name in after)


def capacity(plan: str) -> float:
    """The rough relative capacity of a plan, for sharing load and nothing else (PLAN_WEIGHT); 1 for an unknown one."""
    return PLAN_WEIGHT.get(plan.strip().lower(), 1.0)


def _name(window: Window) -> tuple[str, int]:
    return window.family, window.minutes


def _rank(window: Window) -> tuple[float, float, float]:
    """Later is higher, then fuller, then the later reset: a total order, so that `merged` has one answer."""
    return window.seen_at, window.used_percent, -1.0 if window.resets_at is None else window.resets_at


def _end(window: Window) -> float:
    """When a window is free again: without a reset, its whole length after it was seen, when it must have ended."""
    return window.seen_at + window.minutes * 60.0 if window.resets_at is None else window.resets_at


def _differs(old: Window, new: Window) -> bool:
    if (old.resets_at is None) != (new.resets_at is None):
        return True
    return (
        abs(new.used_percent - old.used_percent) >= 1.0
        or any((old.used_percent >= mark) != (new.used_percent >= mark) for mark in _MARKS)
        or abs((new.resets_at or 0.0) - (old.resets_at or 0.0)) > _MOVED
        or new.seen_at - old.seen_at > _STALE
    )


def _object(value: object) -> Mapping[str, object]:
    """A JSON object, or an empty one in the place of anything else."""
    return value if isinstance(value, Mapping) else {}


def _family(name: object) -> str:
    """A limit's name as it is in headers; empty for what cannot be one, or could not be shown."""
    text = name.strip().lower().replace("_", "-") if isinstance(name, str) else ""
    return text if len(text) <= _LONGEST_NAME and text.isprintable() else ""


def _window(family: str, said: object, now: float) -> Window | None:
    """A window in the words of an event or of `/wham/usage`; None when its limit, length or use is not known."""
    words = _object(said)
    used, minutes = as_number(words.get("used_percent")), as_number(words.get("window_minutes"))
    if minutes is None:
        minutes = (as_number(words.get("limit_window_seconds")) or 0.0) / 60
    if not family or used is None or used < 0 or not 0 < minutes <= _LONGEST_MINUTES:
        return None
    # Rounded up, as the client does it: the same window must not have two names.
    return Window(
        family=family,
        minutes=math.ceil(minutes),
        used_percent=min(used, 100.0),
        resets_at=_reset(words, now),
        seen_at=now,
    )


def _reset(words: Mapping[str, object], now: float) -> float | None:
    """When a window resets. Zero is neither date nor span: taken for one it would make a full window look free."""
    date, after = as_date(words.get("reset_at"), now), as_number(words.get("reset_after_seconds"))
    span = now + after if after is not None and after > 0 else None
    return next((moment for moment in (date, span) if moment is not None and moment <= now + LONGEST), None)


def _known(found: Iterable[Window | None]) -> tuple[Window, ...]:
    return merged((window for window in found if window is not None), ())
