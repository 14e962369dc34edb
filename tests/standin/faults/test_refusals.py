"""How a time of reset is written, and events without a status."""

import json

import pytest

from standin import Fault, FaultKind
from standin.faults.refusals import RESETS

NOW = 1_764_460_800.0
"""2025-11-30, midnight UTC."""


@pytest.mark.parametrize(
    ("way", "fields", "headers"),
    [
        ("iso", {"resets_at": "2025-11-30T01:00:00Z"}, {}),
        ("iso_offset", {"resets_at": "2025-11-30T01:00:00+00:00"}, {}),
        ("iso_naive", {"resets_at": "2025-11-30T01:00:00"}, {}),
        ("milliseconds", {"resets_at": 1_764_464_400_000}, {}),
        ("text", {"resets_at": "1764464400"}, {}),
        ("in_seconds", {"resets_in_seconds": 3600}, {}),
        ("after_header", {}, {"x-codex-primary-reset-after-seconds": "3600"}),
        ("http_date", {}, {"retry-after": "Sun, 30 Nov 2025 01:00:00 GMT"}),
    ],
)
def test_resets(way: str, fields: dict[str, object], headers: dict[str, str]) -> None:
    reply = Fault(FaultKind.USAGE_LIMIT, resets_in=3600, resets_as=way).reply("plus", NOW)
    error = json.loads(reply.body)["error"]
    assert {name: value for name, value in error.items() if name.startswith("reset")} == fields
    assert {name: value for name, value in reply.headers if name != "content-type"} == headers


def test_every_way_is_tried_above() -> None:
    """`seconds` is what all the other tests have."""
    [mark] = [mark for mark in test_resets.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {"seconds", *(row[0] for row in mark.args[1])} == RESETS.keys()


def test_an_event_without_a_status() -> None:
    """It has the error's type and code, and that is all."""
    event = Fault(FaultKind.ERROR_WITHOUT_STATUS, code="usage_limit_reached").event("plus", NOW)
    assert event["error"]["type"] == event["error"]["code"] == "usage_limit_reached"
    assert "status" not in event
    assert Fault(FaultKind.ERROR_EVENT, status=503).event("plus", NOW)["status"] == 503
