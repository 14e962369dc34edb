"""What an answer says of limits, said anew, and nothing else of it."""

import json
from typing import Any

import pytest
from mitmproxy import http

from accounts.choice.quota import MAIN, Window, from_event, from_headers, from_usage
from addons.wire import events, messages, rate_limits
from addons.wire.events import RATE_LIMITS
from tests.builders import NOW, window
from tests.rows import all_rows

POOL = {MAIN: (window(12.5), window(40, minutes=10_080)), "mini": (window(3, family="mini"),)}
SPENT = {"used_percent": 99.5, "window_minutes": 300, "reset_at": NOW + 60}


def of_pool(family: str) -> tuple[Window, ...]:
    return POOL.get(family, ())


def limits(**more: Any) -> bytes:
    said = {"allowed": True, "limit_reached": False, "primary": SPENT, "secondary": None}
    return json.dumps({"type": RATE_LIMITS, "plan_type": "plus", "rate_limits": said, **more}).encode()


def head(**fields: str) -> http.Headers:
    return http.Headers([(name.replace("_", "-").encode(), said.encode()) for name, said in fields.items()])


# --- heads -----------------------------------------------------------------------------------------------------------


def test_a_head_tells_the_pools_windows() -> None:
    told = head(x_codex_primary_used_percent="99.5", x_codex_primary_window_minutes="300", x_codex_primary_reset_at="1")
    told["X-Codex-Primary-Over-Secondary-Limit-Percent"] = "7"
    told["x-codex-rate-limit-reached-type"] = "rate_limit_reached"
    told["x-codex-credits-balance"] = "5"
    rate_limits.in_head(told, of_pool)
    assert from_headers(messages.fields(http.Response.make(200, b"", told)), NOW) == POOL[MAIN]
    assert {name.lower() for name in told if "percent" in name.lower()} == {
        "x-codex-primary-used-percent",
        "x-codex-secondary-used-percent",
    }
    assert "x-codex-rate-limit-reached-type" not in told
    assert told["x-codex-credits-balance"] == "5"


def test_each_limit_of_a_head_gets_its_own() -> None:
    told = head(x_codex_primary_used_percent="99", x_mini_secondary_used_percent="99", x_mini_limit_name="Mini")
    rate_limits.in_head(told, of_pool)
    assert told["x-mini-primary-used-percent"] == "3"
    assert told["x-mini-limit-name"] == "Mini"
    assert "x-mini-secondary-used-percent" not in told


def test_a_head_that_tells_no_limits_stays() -> None:
    told = head(content_type="text/event-stream", x_codex_turn_state="s", x_primary_thing="1")
    before = told.fields
    rate_limits.in_head(told, of_pool)
    assert told.fields == before


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_event_tells_the_pools_windows_and_all_else_as_before() -> None:
    credit = {"has_credits": True, "unlimited": False, "balance": "3"}
    told = json.loads(rate_limits.in_event(limits(credits=credit, rate_limit_reached_type="x"), of_pool))
    assert from_event(told, NOW) == POOL[MAIN]
    assert (told["plan_type"], told["credits"], told["rate_limit_reached_type"]) == ("plus", credit, None)
    assert told["rate_limits"]["secondary"]["window_minutes"] == 10_080


def test_an_event_about_another_limit_gets_that_ones() -> None:
    told = json.loads(rate_limits.in_event(limits(metered_limit_name="mini"), of_pool))
    assert told["rate_limits"]["primary"]["used_percent"] == 3
    assert told["rate_limits"]["secondary"] is None


def test_a_limit_that_the_pool_has_reached_is_reached() -> None:
    told = json.loads(rate_limits.in_event(limits(rate_limit_reached_type="x"), lambda _: (window(100),)))
    assert (told["rate_limits"]["allowed"], told["rate_limits"]["limit_reached"]) == (False, True)
    assert told["rate_limit_reached_type"] == "x"


@all_rows(
    "message",
    [
        b"",
        b"{",
        json.dumps({"type": "response.output_text.delta", "delta": RATE_LIMITS}).encode(),
        json.dumps({"type": RATE_LIMITS}).encode(),
        json.dumps({"type": RATE_LIMITS, "rate_limits": []}).encode(),
        RATE_LIMITS.encode(),
    ],
)
def test_what_tells_no_limits_is_the_very_same(message: bytes) -> None:
    assert rate_limits.in_event(message, of_pool) is message


def test_in_a_stream_the_events_around_it_stay() -> None:
    delta = b'data: {"type":"response.output_text.delta","delta":"codex.rate_limits"}\n\n'
    told = b"event: " + RATE_LIMITS.encode() + b"\ndata: " + limits() + b"\n\n"
    got = rate_limits.in_stream(delta + told + delta, of_pool)
    assert got.startswith(delta)
    assert got.endswith(delta)
    (kind, data) = list(events.Events().feed(got))[1]
    assert (kind, from_event(json.loads(data), NOW)) == (RATE_LIMITS, POOL[MAIN])


def test_no_other_event_of_a_stream_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decoded(_: bytes) -> object:
        raise AssertionError("an event was decoded")

    monkeypatch.setattr(events, "document", decoded)
    chunk = b'data: {"type":"response.output_text.delta","delta":"some text"}\n\n'
    assert rate_limits.in_stream(chunk, of_pool) is chunk


# --- usage -----------------------------------------------------------------------------------------------------------


def test_an_answer_about_usage_keeps_its_ids() -> None:
    own = {"user_id": "user-1", "account_id": "acc-1", "email": "a@b", "plan_type": "plus", "credits": {"balance": 1}}
    spent = {"used_percent": 99, "limit_window_seconds": 18_000, "reset_after_seconds": 60, "reset_at": NOW + 60}
    limit = {"allowed": False, "limit_reached": True, "primary_window": spent, "secondary_window": None}
    further = [{"limit_name": name, "metered_feature": name, "rate_limit": limit} for name in ("mini", "unknown")]
    said = own | {"rate_limit": limit, "additional_rate_limits": further, "rate_limit_reached_type": {"type": "x"}}
    told = rate_limits.in_usage(said, of_pool, NOW)
    assert {name: told[name] for name in own} == own
    assert {each.family: round(each.used_percent) for each in from_usage(told, NOW)} == {MAIN: 40, "mini": 3}
    assert told["rate_limit_reached_type"] is None
    assert (told["rate_limit"]["allowed"], told["rate_limit"]["limit_reached"]) == (True, False)  # type: ignore[index]


def test_the_shorter_window_comes_first() -> None:
    told: Any = rate_limits.limit_of(reversed(POOL[MAIN]), NOW)
    assert told["primary_window"]["limit_window_seconds"] == 18_000
    assert told["secondary_window"]["limit_window_seconds"] == 604_800
    assert rate_limits.limit_of((), NOW)["primary_window"] is None
