"""Answers of our own: each in the shape the client understands, and each saying whose doing it is."""

import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.outcomes import Kind, Reply, classify, error_of
from accounts.choice.selection import Exclusion, Exhausted
from addons.wire import answers
from tests.builders import NOW, credentials, planted
from tests.rows import all_rows

LIMITED = Exhausted(resets_at=NOW + 90.2, limited=True, plan="plus", reasons={"a": "resting (usage limit)"})
PARK = 60
"""Seconds that a client waits by itself."""


def body(response: http.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    found = json.loads(response.text or "")["error"]
    assert isinstance(found, dict)
    return found


@all_rows(
    ("response", "status", "kind", "retry_after"),
    [
        (answers.failed_closed(), 503, "codex_rotate_defect", None),
        (answers.unreachable("reset"), 502, "codex_rotate_upstream_unreachable", None),
        (answers.try_again(3, "wait"), 429, "codex_rotate_try_again", "3"),
        (answers.upgrade_refused(), 426, "codex_rotate_use_http", None),
        (answers.nothing_usable(Exhausted(), NOW, PARK), 400, "codex_rotate_no_account", None),
        (answers.nothing_usable(LIMITED, NOW, PARK), 429, "usage_limit_reached", "91"),
    ],
    ids=["defect", "unreachable", "try again", "upgrade", "nobody", "limit"],
)
def test_status_type_and_patience(response: http.Response, status: int, kind: str, retry_after: str | None) -> None:
    assert (response.status_code, body(response)["type"]) == (status, kind)
    assert response.headers.get("retry-after") == retry_after
    assert body(response)["message"]


def test_a_limit_has_upstreams_own_shape_and_the_time_of_the_first_who_is_back() -> None:
    assert body(answers.nothing_usable(LIMITED, NOW, PARK)) == {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": NOW + 91,
        "resets_in_seconds": 91,
    }


def test_a_limit_of_ours_reads_like_one_of_upstreams() -> None:
    """A second codex-rotate upstream of this one would draw the right conclusion."""
    response = answers.nothing_usable(LIMITED, NOW, PARK)
    outcome = classify(Reply(status=429, error=error_of(json.loads(response.text or ""))), NOW)
    assert (outcome.kind, outcome.until, outcome.plan) == (Kind.USAGE_LIMIT, NOW + 91, "plus")


@all_rows(
    ("resets_at", "seconds"),
    [(NOW + 1, 1), (NOW + 1.001, 2), (NOW + 0.001, 1), (NOW, 1), (NOW - 50, 1), (None, 1), (NOW + 3600, 3600)],
)
def test_patience_is_whole_seconds_at_least_one_and_never_too_short(resets_at: float | None, seconds: int) -> None:
    assert answers.limit_seconds(Exhausted(resets_at=resets_at, limited=True), NOW) == seconds


@given(st.floats(-1e7, 1e7))
@settings(deadline=None)
def test_who_waits_as_told_does_not_come_too_early(delta: float) -> None:
    seconds = answers.limit_seconds(Exhausted(resets_at=NOW + delta, limited=True), NOW)
    assert seconds >= 1
    assert NOW + seconds >= NOW + delta


@pytest.mark.parametrize(
    ("exhausted", "told"),
    [
        (Exhausted(), "(the pool is empty)"),
        (Exhausted(reasons={"b": "needs login", "a": "paused"}), "(a: paused, b: needs login)"),
        (Exhausted(limited=True, resets_at=None, reasons={"a": "paused"}), "(a: paused)"),
    ],
)
def test_when_only_a_person_can_help_the_client_says_so_at_once(exhausted: Exhausted, told: str) -> None:
    response = answers.nothing_usable(exhausted, NOW, PARK)
    message = body(response)["message"]
    assert response.status_code == 400
    assert told in message
    assert message.endswith("Run `codex-rotate list` to see what each needs.")


def exhausted_until(seconds: float) -> Exhausted:
    return Exhausted(resets_at=NOW + seconds, limited=True, plan="plus", reasons={"a": "resting (usage limit)"})


@all_rows(("away", "seconds"), [(-5, 1), (0.5, 1), (59.5, 60), (PARK, PARK)])
@all_rows("rule", ["", Exclusion.PIN, Exclusion.RESERVED])
def test_the_client_waits_for_an_account_that_is_back_soon(away: float, seconds: int, rule: str) -> None:
    """Whatever keeps it: a moment's patience is better than a turn that ends."""
    response = answers.nothing_usable(replace(exhausted_until(away), rule=rule), NOW, PARK)
    assert (response.status_code, response.headers["retry-after"]) == (429, str(seconds))
    assert body(response)["type"] == "codex_rotate_try_again"


@pytest.mark.parametrize("rule", answers.RULES)
def test_a_rule_of_ours_is_no_limit_of_upstreams(rule: str) -> None:
    """The answer names the rule, says who is kept by what, and when that ends."""
    told = body(answers.nothing_usable(replace(exhausted_until(7260), rule=rule), NOW, PARK))
    assert told["type"] == told["code"] == f"codex_rotate_{rule}"
    assert told["message"].endswith("(a: resting (usage limit)). The first one is back in 2 h 1 min.")
    assert "back in" not in body(answers.nothing_usable(Exhausted(rule=rule), NOW, PARK))["message"]


def test_a_thread_that_waits_for_one_account_is_told_that_ones_limit() -> None:
    waiting = replace(exhausted_until(7260), rule=Exclusion.COMPACTION)
    assert body(answers.nothing_usable(waiting, NOW, PARK))["type"] == "usage_limit_reached"


@pytest.mark.parametrize("exhausted", [exhausted_until(60.1), exhausted_until(5), Exhausted()])
def test_inside_a_socket_the_client_hears_what_it_would_hear_over_http(exhausted: Exhausted) -> None:
    response = answers.nothing_usable(exhausted, NOW, PARK)
    told = json.loads(answers.in_band(response))
    assert (told["type"], told["status"], told["error"]) == ("error", response.status_code, body(response))
    assert told.get("headers", {}).get("retry-after") == response.headers.get("retry-after")


@all_rows(
    "response",
    [
        answers.failed_closed(),
        answers.unreachable("x"),
        answers.try_again(1, "x"),
        answers.upgrade_refused(),
        answers.nothing_usable(Exhausted(), NOW, PARK),
    ],
    ids=lambda response: str(response.status_code),
)
def test_what_is_our_doing_says_so(response: http.Response) -> None:
    described = body(response)
    assert described["type"] == described["code"]
    assert described["type"].startswith("codex_rotate_")


def test_a_defect_inside_a_socket_has_the_status_without_which_the_client_would_ignore_it() -> None:
    told = json.loads(answers.in_band_defect())
    assert (told["type"], told["status"]) == ("error", 503)
    assert told["error"]["code"] == "codex_rotate_defect"


class Addon:
    """A hook that does what the test says, behind the guard."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error

    @answers.fail_closed
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """The hook's own words."""
        flow.request.headers["x-seen"] = "yes"
        if self.error is not None:
            raise self.error


def test_a_hook_that_works_is_left_alone() -> None:
    flow = tflow.tflow()
    Addon(None).requestheaders(flow)
    assert flow.request.headers["x-seen"] == "yes"
    assert flow.response is None


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), AssertionError(), RecursionError(), OSError("x")])
def test_a_hook_that_fails_answers_the_request_instead_of_sending_it(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    flow = tflow.tflow()
    with caplog.at_level(logging.ERROR):
        Addon(error).requestheaders(flow)
    assert flow.response is not None
    assert flow.response.status_code == 503
    assert len(caplog.records) == 1
    assert f"{type(error).__name__} in test_answers.py:" in caplog.records[0].getMessage()


def test_a_failure_replaces_an_answer_that_was_there_already() -> None:
    flow = tflow.tflow(resp=True)
    Addon(ValueError()).requestheaders(flow)
    assert flow.response is not None
    assert flow.response.status_code == 503


def test_a_defect_shows_neither_its_text_nor_a_token_to_the_client() -> None:
    flow = tflow.tflow()
    Addon(ValueError(" ".join(planted([credentials()])))).requestheaders(flow)
    assert flow.response is not None
    assert "nobody" not in str(flow.response.get_state())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_stopping_the_proxy_is_no_defect(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Addon(error).requestheaders(tflow.tflow())


def test_a_guarded_hook_keeps_the_name_mitmproxy_looks_for() -> None:
    assert Addon.requestheaders.__name__ == "requestheaders"
    assert Addon.requestheaders.__doc__ == "The hook's own words."


# --- defects ---------------------------------------------------------------------------------------------------------


def test_a_defect_is_one_line_that_says_where_and_repeats_no_message(caplog: pytest.LogCaptureFixture) -> None:
    """What an exception says could hold a token; the traceback is there for those who ask for debug."""
    secret = "token-nobody-may-see"
    with caplog.at_level(logging.INFO):
        Addon(LookupError(secret)).requestheaders(tflow.tflow())
    (record,) = caplog.records
    assert "LookupError in test_answers.py:" in record.getMessage()
    assert secret not in caplog.text


@all_rows("said", [b"[]", b"null", b"5", b'"x"', b"", b"{", b"\xff"])
def test_what_is_no_object_is_told_without_it(said: bytes) -> None:
    assert json.loads(answers.in_band(http.Response.make(418, said))) == {"type": "error", "status": 418}
    assert answers.with_status(said, Kind.OVERLOADED) is None


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"type": "error", "status": 429, "error": {"code": "x"}, "headers": {"Retry-After": 5}}, None),
        ({"type": "error", "status_code": 429, "error": {"code": "x"}, "other": [1]}, None),
        ({"type": "response.failed"}, None),
        ({"type": "error"}, {"type": "error", "status": 503}),
        *(
            ({"type": "error", "status": status}, {"type": "error", "status": read})
            for status, read in (("429", 429), (None, 503), (200, 503), (0, 503), (True, 503), ("no", 503), (4290, 503))
        ),
        ({"type": "error", "status_code": "429"}, {"type": "error", "status_code": 429}),
        ({"error": {"code": "x"}}, {"type": "error", "status": 503, "error": {"code": "x"}}),
        (
            {"type": "error", "status": 503, "error": "slow_down"},
            {"type": "error", "status": 503, "error": {"code": "slow_down", "message": "slow_down"}},
        ),
        (
            {"type": "error", "code": "x", "message": "m"},
            {"type": "error", "status": 503, "code": "x", "message": "m"}
            | {"error": {"type": "error", "code": "x", "message": "m"}},
        ),
        (
            {"type": "error", "error": {"code": 429, "message": None, "resets_at": 5}},
            {"type": "error", "status": 429, "error": {"code": "429", "message": None, "resets_at": 5}},
        ),
        (
            {"type": "error", "status": 429, "headers": [["Retry-After", 5]]},
            {"type": "error", "status": 429, "headers": {"retry-after": "5"}},
        ),
        (
            {"type": "error", "status": 429, "headers": {"Retry-After": ["5"]}},
            {"type": "error", "status": 429, "headers": {"retry-after": "5"}},
        ),
    ],
)
def test_an_error_in_a_socket_is_written_so_that_the_client_takes_notice(said: object, read: object) -> None:
    told = answers.with_status(json.dumps(said).encode(), Kind.OVERLOADED)
    assert (None if told is None else json.loads(told)) == read


@pytest.mark.parametrize(
    ("kind", "status"),
    [(Kind.USAGE_LIMIT, 429), (Kind.OVERLOADED, 503), (Kind.UNEXPLAINED, 400), (Kind.FAILED_IN_STREAM, 500)],
)
def test_an_error_without_a_status_has_that_of_its_kind(kind: Kind, status: int) -> None:
    told = answers.with_status(b'{"type": "error", "error": {"code": "x"}}', kind)
    assert told is not None
    assert json.loads(told)["status"] == status
