"""What a flow went through, so that a person can read it where mitmproxy shows it."""

from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from addons.recording.story import WIDTH, rows, sentence

NOW = 946681202.0  # a day of mitmproxy's test flows


def asked(account: str, why: str, kind: str, status: int = 0, detail: str = "") -> dict[str, Any]:
    return {"account": account, "why": why, "kind": kind, "status": status, "detail": detail, "seconds": 0.4}


def flow_of(path: str = "/backend-api/codex/responses", **told: object) -> http.HTTPFlow:
    flow = tflow.tflow(resp=True)
    flow.request.path = path
    flow.request.timestamp_start = NOW
    assert flow.response is not None
    flow.response.timestamp_end = NOW + 1.9
    flow.metadata |= {f"codex_rotate.{name}": value for name, value in told.items()}
    return flow


ROTATED = flow_of(
    thread="0199a3f2-7c1e-7a40-9d3b-5f0c2e8b1a44",
    done="delivered",
    transport="http",
    attempts=[
        asked("work", "the thread lives here", "usage_limit", 429, "429 usage_limit_reached"),
        asked("home", "it is the only one that can", "ok", 200),
    ],
)


def test_in_rows() -> None:
    first, *steps = rows(ROTATED, NOW)
    assert first.partition(" ")[2] == "request of thread 2e8b1a44, delivered after 1.9 s"
    assert steps == [
        "  - work (the thread lives here): 429 usage limit",
        "  - home (it is the only one that can): answered",
    ]


def test_in_one_sentence() -> None:
    """mitmweb shows what a command gives as one text."""
    assert sentence(ROTATED, NOW).partition(" ")[2] == (
        "request of thread 2e8b1a44, delivered after 1.9 s: work (the thread lives here): 429 usage limit → "
        "home (it is the only one that can): answered."
    )


def test_nobody_left() -> None:
    flow = flow_of(done="answered by the proxy", nobody={"work": "resting (usage limit)", "home": "paused"})
    assert rows(flow, NOW)[1:] == ["  - work cannot serve: resting (usage limit)", "  - home cannot serve: paused"]


def test_the_turns_of_a_socket() -> None:
    turns = [
        {"done": "delivered", "seconds": 0.3, "attempts": [asked("work", "", "ok")]},
        {
            "done": "told to reconnect",
            "seconds": 0.1,
            "attempts": [asked("work", "", "usage_limit", detail="429 usage_limit_reached")],
        },
    ]
    opened = [asked("work", "", "upgraded", 101)]
    flow = flow_of(transport="websocket", done="delivered", attempts=opened, turns=turns)
    first, *steps = rows(flow, NOW)
    assert first.endswith(" socket")
    assert steps == [
        "  - work: opened it",
        "  - turn 1: delivered after 0.3 s",
        "  - turn 2: 429 usage limit, told to reconnect after 0.1 s",
    ]


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        ("truncated", "ended without response.completed", "200 truncated (ended without response.completed)"),
        (
            "request_fault",
            "400 context_length_exceeded invalid_request_error",
            "200 request fault (400 context_length_exceeded)",
        ),
        ("server_error", "200 server_error", "200 server error"),
        ("reset", "", "200 reset"),
    ],
)
def test_what_was_said_beyond_the_kind(kind: str, detail: str, said: str) -> None:
    flow = flow_of(done="delivered", attempts=[asked("work", "", kind, 200, detail)])
    assert sentence(flow, NOW).endswith(f": work: {said}.")


def test_rows_fit_the_console() -> None:
    """Of 80 columns the console gives a list so many, and breaks words itself."""
    long = [
        asked("an-account-with-a-name", "it is the only one that can", "truncated", 200, "ended without any output")
    ]
    flow = flow_of(done="given up after a long silence", thread="t" * 30, attempts=long)
    told = rows(flow, NOW)
    assert max(map(len, told)) <= WIDTH
    assert "".join(told).replace(" ", "").endswith("(endedwithoutanyoutput)")


def test_a_list_of_models_is_called_that() -> None:
    flow = flow_of(
        "/backend-api/codex/models?client_version=1", attempts=[asked("work", "", "ok", 200)], done="delivered"
    )
    assert "list of models, delivered" in sentence(flow, NOW)


def test_of_a_flow_that_the_pool_did_not_serve_nothing_is_told() -> None:
    assert (rows(tflow.tflow(), NOW), sentence(tflow.tflow(), NOW)) == ([], "")
