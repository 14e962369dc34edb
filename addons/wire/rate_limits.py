"""What an answer says of limits, said anew: in its head, in the one kind of event that tells them, and in an answer
about usage. All else in it stays. Pure.

docs/codex-wire.md sections 2.3, 3 and 8.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from mitmproxy import http

from accounts.choice import quota
from accounts.choice.quota import MAIN, Window
from addons.wire import events

type WindowsOf = Callable[[str], tuple[Window, ...]]
"""What is to be said of a limit, by the name of its family; nothing where nothing is known."""

MARK: Final = events.RATE_LIMITS.encode()
"""Without it there is no such event in a piece of an answer."""
_PLACES: Final = ("primary", "secondary")
_WINDOW: Final = re.compile(r"x-(?P<limit>[\w-]+?)-(?:primary|secondary)-.+", re.IGNORECASE | re.ASCII)
_USED: Final = re.compile(r"x-(?P<limit>[\w-]+?)-(?:primary|secondary)-used-percent", re.IGNORECASE | re.ASCII)
_REACHED: Final = "rate_limit_reached_type"
"""Which limit is reached; it is named in all three."""


def in_head(headers: http.Headers, windows_of: WindowsOf) -> None:
    """Nothing changes where no limit is told."""
    names = [name.decode("utf-8", "surrogateescape") for name, _ in headers.fields]
    told = {found["limit"].lower() for name in names if (found := _USED.fullmatch(name))}
    for name in names:
        found = _WINDOW.fullmatch(name)
        if found is not None and found["limit"].lower() in told:
            headers.pop(name, None)
    for limit in sorted(told):
        windows = _placed(windows_of(limit))
        for place, window in windows.items():
            headers[f"x-{limit}-{place}-used-percent"] = f"{window.used_percent:g}"
            headers[f"x-{limit}-{place}-window-minutes"] = str(window.minutes)
            if window.resets_at is not None:
                headers[f"x-{limit}-{place}-reset-at"] = str(round(window.resets_at))
        if limit == MAIN and not is_reached(windows.values()):
            headers.pop(f"x-{limit}-{_REACHED.replace('_', '-')}", None)


def in_stream(chunk: bytes, windows_of: WindowsOf) -> bytes:
    """Of whole server-sent events. No other event is decoded."""
    if MARK not in chunk:
        return chunk
    return events.with_data(chunk, events.RATE_LIMITS, lambda data: in_event(data, windows_of))


def in_event(event: bytes, windows_of: WindowsOf) -> bytes:
    """Of the data of one, or of a message of a WebSocket; the very same bytes if it is no such event."""
    if MARK not in event or events.event_type(event) != events.RATE_LIMITS:
        return event
    said = events.decoded(event)
    limits = said.get("rate_limits")
    if not isinstance(limits, dict):
        return event
    windows = _placed(windows_of(quota.family_of_event(said)))
    reached = is_reached(windows.values())
    shown: dict[str, Any] = {place: _as_event(windows.get(place)) for place in _PLACES}
    shown |= {name: value for name, value in _verdict(reached=reached).items() if name in limits}
    whole = {**said, "rate_limits": limits | shown}
    return json.dumps(_not_reached(whole) if not reached else whole).encode()


def in_usage(body: Mapping[str, object], windows_of: WindowsOf, now: float) -> dict[str, object]:
    """Of the body of an answer about usage. A further limit of which the pool knows nothing is left out."""
    windows = windows_of(MAIN)
    further = body.get("additional_rate_limits")
    said = dict(body) | {"rate_limit": limit_of(windows, now)}
    if isinstance(further, list):
        entries = [each for each in further if isinstance(each, dict)]
        known = ((each, windows_of(quota.family_of_usage(each))) for each in entries)
        said["additional_rate_limits"] = [each | {"rate_limit": limit_of(of, now)} for each, of in known if of]
    return said if is_reached(windows) else _not_reached(said)


def limit_of(windows: Iterable[Window], now: float) -> dict[str, object]:
    """The `rate_limit` of an answer about usage, with these windows: the shorter one first."""
    placed = _placed(windows)
    said = _verdict(reached=is_reached(placed.values()))
    return said | {f"{place}_window": _as_usage(placed.get(place), now) for place in _PLACES}


def is_reached(windows: Iterable[Window]) -> bool:
    return any(each.used_percent >= 100 for each in windows)


def _placed(windows: Iterable[Window]) -> dict[str, Window]:
    return dict(zip(_PLACES, sorted(windows, key=lambda each: each.minutes), strict=False))


def _verdict(*, reached: bool) -> dict[str, object]:
    return {"allowed": not reached, "limit_reached": reached}


def _not_reached(said: Mapping[str, object]) -> dict[str, object]:
    """Without the name of a limit that is reached."""
    return {name: None if name == _REACHED else value for name, value in said.items()}


def _as_event(window: Window | None) -> dict[str, object] | None:
    if window is None:
        return None
    resets_at = round(window.resets_at) if window.resets_at is not None else None
    return {"used_percent": round(window.used_percent, 1), "window_minutes": window.minutes, "reset_at": resets_at}


def _as_usage(window: Window | None, now: float) -> dict[str, object] | None:
    if window is None:
        return None
    resets_at = max(window.resets_at or now, now)
    return {
        "used_percent": round(window.used_percent),
        "limit_window_seconds": window.minutes * 60,
        "reset_after_seconds": round(resets_at - now),
        "reset_at": round(resets_at),
    }
