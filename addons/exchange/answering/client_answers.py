"""What the client asks beside the model, as far as we answer it ourselves. docs/codex-wire.md sections 1.1 and 8."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from mitmproxy import http

from accounts.choice.quota import Window
from config.provider import PROVIDER

ROUTING: Final = f"{PROVIDER.backend_path}/wham/accounts/check"
POLICY: Final = f"{PROVIDER.backend_path}/wham/config/bundle"
SETTINGS: Final = f"{PROVIDER.backend_path}/wham/settings/user"
USAGE: Final = f"{PROVIDER.backend_path}/wham/usage"
OWN_ID: Final = "chatgpt-account-id"


def routing(own: str) -> http.Response:
    """What the client needs to go on to the model, with its own account."""
    free = "NO_CONSTRAINT"
    return told({"accounts": [{"id": own, "workspace_backend_origin": free, "account_routing_override": free}]})


def limit_of(windows: Iterable[Window], now: float) -> dict[str, object]:
    """The `rate_limit` of an answer about usage, with these windows: the shorter one first."""
    shown = sorted(windows, key=lambda each: each.minutes)[:2]
    reached = any(each.used_percent >= 100 for each in shown)
    said: dict[str, object] = {"allowed": not reached, "limit_reached": reached}
    for place, window in zip(("primary_window", "secondary_window"), [*shown, None, None], strict=False):
        said[place] = _window(window, now) if window is not None else None
    return said


def _window(window: Window, now: float) -> dict[str, object]:
    resets_at = max(window.resets_at or now, now)
    return {
        "used_percent": round(window.used_percent),
        "limit_window_seconds": window.minutes * 60,
        "reset_after_seconds": round(resets_at - now),
        "reset_at": round(resets_at),
    }


def told(document: Mapping[str, object]) -> http.Response:
    return http.Response.make(200, json.dumps(document), {"content-type": "application/json"})
