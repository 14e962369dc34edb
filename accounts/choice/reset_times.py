"""When upstream says to try again: every place and unit it uses, read into seconds since the epoch. Pure."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Final

FARTHEST: Final = 8 * 86_400.0
"""How far away a time may be where no window is named (seconds): a week, and what two clocks may differ."""

LONGEST: Final = 35 * 86_400.0
"""A monthly window and a little more; anything later is nonsense, whatever explains it (seconds)."""

_SAME: Final = 60.0
"""Two times this close (seconds) are one: the error and the header count from moments of their own."""

_MILLISECONDS_FROM: Final = 1e11
"""Seconds since the epoch stay below this until the year 5138; larger numbers are milliseconds."""

LEAST_WINDOW: Final = 60.0
"""A window that is said to be shorter (seconds) is none."""
_LONGEST_DATE: Final = 64
_DATES: Final = ("resets_at", "reset_at", "resets_at_ms", "reset_at_ms", "resets_on", "reset_time", "retry_at")
_SPANS: Final = (
    *("resets_in_seconds", "reset_after_seconds", "reset_in_seconds", "resets_after_seconds", "retry_after_seconds"),
    *("resets_in", "reset_in", "resets_after", "reset_after", "retry_after", "retry_in"),
)
_MILLISECONDS: Final = ("retry_after_ms", "resets_in_ms", "reset_after_ms")
_LENGTH: Final = "limit_window_minutes"
_NAMED: Final = frozenset({*_DATES, *_SPANS, *_MILLISECONDS, _LENGTH})
_RESET_AFTER: Final = "reset-after-seconds"
_USED: Final = "-used-percent"
_RATE_LIMIT_RESET: Final = re.compile(r"(?:x-)?ratelimit-reset(?:-\w+)?")

_TRY_AGAIN: Final = re.compile(r"(?:try again|retry)\s{1,9}(?:in|after)(?:\s{1,9}about)?", re.IGNORECASE | re.ASCII)
_SPAN: Final = re.compile(
    r"(?:\s|,|and\b){0,9}(\d{1,9}(?:\.\d{1,9})?)\s{0,9}(ms|millis|[dhms])(?:[a-z]{0,9})", re.IGNORECASE | re.ASCII
)
_ISO_SPAN: Final = re.compile(r"P(\d{1,4}D)?(?:T(\d{1,6}H)?(\d{1,6}M)?(\d{1,9}(?:\.\d{1,9})?S)?)?", re.ASCII)
_ZONES: Final = re.compile(r"\s?(?:z|UTC|GMT)", re.IGNORECASE)
_HUMP: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_UNITS: Final = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "millis": 0.001}


def reset_time(error: Mapping[str, object], headers: Mapping[str, str], now: float) -> float | None:
    """The moment upstream names, or None when it names none, or one that is already past.

    The most specific source wins: the error's own fields, then the header of the window that is used up, then
    `retry-after-ms`, `retry-after` and `x-ratelimit-reset`, then the text of the message. What is too far away is cut
    to the length of its window, or to 8 days where none is named. Never raises. docs/codex-wire.md sections 2.3 and 3.
    """
    used_up = _exhausted_windows(headers, now)
    said = times_in(error)
    for moment in (
        *(as_date(said.get(name), now) for name in _DATES),
        *(_after(as_span(said.get(name)), now) for name in _SPANS),
        *(_after(as_number(said.get(name)), now, unit=0.001) for name in _MILLISECONDS),
        max((resets_at for resets_at, _ in used_up), default=None),
        _after(as_number(_first(headers.get("retry-after-ms"))), now, unit=0.001),
        as_date(headers.get("retry-after"), now) or as_date(_first(headers.get("retry-after")), now),
        max(_rate_limits(headers, now), default=None),
        min(_spans_alone(headers, now), default=None),
        _after(_spoken(error.get("message")), now),
    ):
        if moment is not None and moment > now:
            lengths = [minutes for resets_at, minutes in used_up if abs(resets_at - moment) <= _SAME]
            lengths.append(as_number(said.get(_LENGTH)) or 0.0)
            longest = max(lengths) * 60
            return min(moment, now + (min(longest, LONGEST) if longest >= LEAST_WINDOW else FARTHEST))
    return None


def times_in(told: Mapping[str, object]) -> dict[str, object]:
    """What an object says of when to try again, under the names that this module knows them by."""
    if not any("et" in name or "indow" in name for name in told):  # as nearly always
        return {}
    plain = {_HUMP.sub("_", name).lower().replace("-", "_"): value for name, value in told.items()}
    return {name: value for name, value in plain.items() if name in _NAMED}


def as_number(value: object) -> float | None:
    """A finite number, also when it is written as text; None for everything else. Never raises."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None


def as_date(value: object, now: float) -> float | None:
    """Seconds since the epoch from a number, from one as text, or from a date as ISO 8601 or HTTP write it.

    What names no zone is UTC. A number may be a span, see `as_moment`. None for everything else. Never raises.
    """
    number = as_number(value)
    if number is not None:
        return as_moment(number, now) if number > 0 else None
    if not isinstance(value, str) or len(value) > _LONGEST_DATE:
        return None
    return _after(as_span(value), now) or _written(value.strip())


def as_span(value: object) -> float | None:
    """Seconds from a number, from one as text, or from a span with units: `90s`, `1h 30m`, `PT15M`. Never raises."""
    number = as_number(value)
    if number is not None or not isinstance(value, str) or len(value) > _LONGEST_DATE:
        return number
    text = value.strip()
    iso = _ISO_SPAN.fullmatch(text)
    seconds, end = _spans(" ".join(filter(None, iso.groups())) if iso else text, 0)
    return seconds if iso or end == len(text) else None


def _first(text: str | None) -> str | None:
    """Of a header that was there more than once, what was said first."""
    return text.partition(",")[0] if text is not None else None


def _written(text: str) -> float | None:
    text = _ZONES.sub("Z", text) if _ZONES.search(text) and text[:1].isdecimal() else text
    for read in (dt.datetime.fromisoformat, _http_date):
        try:
            date = read(text)
            return (date if date.tzinfo else date.replace(tzinfo=dt.UTC)).timestamp()
        except (ValueError, TypeError, OverflowError, IndexError):
            continue
    return None


def _http_date(text: str) -> dt.datetime:
    from email.utils import parsedate_to_datetime  # late: rarely a date, and dear to import

    return parsedate_to_datetime(text)


def as_moment(number: float | None, now: float) -> float | None:
    """Seconds since the epoch from a date in seconds or milliseconds, or from a span of seconds that starts now."""
    if number is None:
        return None
    while number > _MILLISECONDS_FROM:  # millionths and less are in use, too
        number /= 1000
    # Small numbers in a field that should hold a date are spans: seconds from now.
    return number if number > LONGEST else now + number


def _after(number: float | None, now: float, unit: float = 1.0) -> float | None:
    return None if number is None or number < 0 else now + number * unit


def _exhausted_windows(headers: Mapping[str, str], now: float) -> list[tuple[float, float]]:
    """When each window resets whose `x-<limit>-<window>-used-percent` says 100, and its length (minutes, 0: unsaid)."""
    found = []
    for name, value in headers.items():
        if name.startswith("x-") and name.endswith(_USED) and (as_number(value.strip(" %")) or 0) >= 100:
            window = name.removesuffix(_USED)
            moment = as_date(headers.get(f"{window}-reset-at"), now)
            if moment is None:
                moment = _after(as_span(headers.get(f"{window}-{_RESET_AFTER}")), now)
            if moment is not None:
                found.append((moment, as_number(headers.get(f"{window}-window-minutes")) or 0.0))
    return found


def _spans_alone(headers: Mapping[str, str], now: float) -> list[float]:
    """The moments of `reset-after-seconds`, with a window's name before it or without, where nothing says how much of
    that window is used."""
    return [
        now + seconds
        for name, value in headers.items()
        if (name == _RESET_AFTER or (name.startswith("x-") and name.endswith(f"-{_RESET_AFTER}")))
        and name.removesuffix(f"-{_RESET_AFTER}") + _USED not in headers
        and (seconds := as_span(value) or 0) > 0
    ]


def _rate_limits(headers: Mapping[str, str], now: float) -> list[float]:
    """When the limits of `x-ratelimit-reset-…` are over of which nothing remains, or nothing says what does."""
    return [
        moment
        for name, value in headers.items()
        if _RATE_LIMIT_RESET.fullmatch(name)
        and as_number(headers.get(name.replace("-reset", "-remaining"), "0")) == 0
        and (moment := as_date(value, now)) is not None
    ]


def _spoken(message: object) -> float | None:
    """ "Please try again in 6m0s." and its relatives: spans one after another, as far as they go."""
    found = _TRY_AGAIN.search(message) if isinstance(message, str) else None
    if found is None:
        return None
    assert isinstance(message, str)
    return _spans(message, found.end())[0]


def _spans(text: str, start: int) -> tuple[float | None, int]:
    """Seconds of the spans that stand here one after another, None for none, and where they end."""
    total, end, span = None, start, _SPAN.match(text, start)
    while span is not None:
        total = (total or 0.0) + float(span[1]) * _UNITS[span[2].lower()]
        end, span = span.end(), _SPAN.match(text, span.end())
    return total, end
