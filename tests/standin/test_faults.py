"""The table of faults: every kind has a row, and every row does over HTTP what its name says."""

from typing import Any

import httpx
import pytest

from standin import Account, Fault, FaultKind, StandIn
from standin.faults import RULES, TOKEN_PATH, Action, Phase, Point, is_generation
from tests.standin.clients import QUICK, RESPONSES, credentials, sse_events


def post(http: httpx.Client, account: Account) -> httpx.Response:
    return http.post(RESPONSES, headers=credentials(account), json={"input": []})


@pytest.mark.parametrize("kind", FaultKind)
def test_every_kind_has_a_complete_row(kind: FaultKind) -> None:
    """A row that replies has a reply, one that sends an event has an event."""
    rule = RULES[kind]
    assert (rule.reply is not None) is (rule.action is Action.REPLY)
    assert (rule.event is not None) is (rule.action is Action.EVENT)


@pytest.mark.parametrize(
    ("fault", "status", "kind", "code"),
    [
        (Fault(FaultKind.USAGE_LIMIT), 429, "usage_limit_reached", None),
        (Fault(FaultKind.USAGE_LIMIT_404), 404, "usage_limit_reached", None),
        (Fault(FaultKind.USAGE_NOT_INCLUDED), 429, "usage_not_included", None),
        (Fault(FaultKind.INSUFFICIENT_QUOTA), 429, "insufficient_quota", "insufficient_quota"),
        (Fault(FaultKind.BURST_LIMIT), 429, "requests", "rate_limit_exceeded"),
        (Fault(FaultKind.SLOW_DOWN), 429, "requests", "slow_down"),
        (Fault(FaultKind.SLOW_DOWN, status=503), 503, "requests", "slow_down"),
        (Fault(FaultKind.OVERLOADED), 503, "server_error", "server_is_overloaded"),
        (Fault(FaultKind.OVERLOADED_529), 529, "overloaded_error", "overloaded"),
        (Fault(FaultKind.SERVER_ERROR), 500, "server_error", None),
        (Fault(FaultKind.SERVER_ERROR, status=502), 502, "server_error", None),
        (Fault(FaultKind.UNAUTHORIZED_EXPIRED), 401, "invalid_request_error", "token_expired"),
        (Fault(FaultKind.UNAUTHORIZED_INVALIDATED), 401, "invalid_request_error", "token_invalidated"),
        (Fault(FaultKind.DEACTIVATED), 403, "invalid_request_error", "account_deactivated"),
        (Fault(FaultKind.FORBIDDEN), 403, "invalid_request_error", "forbidden"),
        (Fault(FaultKind.BAD_REQUEST), 400, "invalid_request_error", "invalid_value"),
        (Fault(FaultKind.BAD_REQUEST, code="mine"), 400, "invalid_request_error", "mine"),
        (Fault(FaultKind.INVALID_ENCRYPTED_CONTENT), 400, "invalid_request_error", "invalid_encrypted_content"),
    ],
)
def test_refusals(
    upstream: StandIn, account: Account, http: httpx.Client, fault: Fault, status: int, kind: str, code: str | None
) -> None:
    """Status, type and code of every refusal that is an error object."""
    upstream.fault("acc-1", fault)
    answer = post(http, account)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error.get("code")) == (status, kind, code)
    assert error["message"]
    assert upstream.requests[0].status == status


def test_other_refusals(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """Those with a body of their own."""

    def answer(fault: Fault) -> httpx.Response:
        upstream.fault("acc-1", fault, times=1)
        return post(http, account)

    too_many = answer(Fault(FaultKind.TOO_MANY))
    assert (too_many.status_code, too_many.content) == (429, b"")
    challenge = answer(Fault(FaultKind.CLOUDFLARE))
    assert (challenge.status_code, challenge.headers["cf-mitigated"]) == (403, "challenge")
    assert challenge.headers["content-type"].startswith("text/html")
    model = answer(Fault(FaultKind.UNSUPPORTED_MODEL))
    assert (model.status_code, "not supported" in model.json()["detail"]) == (400, True)
    closed = answer(Fault(FaultKind.DEACTIVATED, status=402))
    assert (closed.status_code, closed.json()) == (402, {"detail": {"code": "deactivated_workspace"}})
    moved = answer(Fault(FaultKind.REDIRECT))
    assert (moved.status_code, moved.headers["location"]) == (302, "https://evil.example/")


def test_limit_details() -> None:
    """`resets_in` and `retry_after` show in the body and the headers; the plan is the account's."""
    with StandIn(clock=lambda: 1_000_000.0) as fixed:
        one = fixed.add_account("acc-1", plan="team")
        fixed.fault("acc-1", Fault(FaultKind.USAGE_LIMIT, resets_in=90, retry_after=1.5, message="No more."))
        url = f"{fixed.base_url}/codex/responses"
        answer = httpx.post(url, headers=credentials(one), json={}, **QUICK)
    error = answer.json()["error"]
    assert (error["resets_at"], error["resets_in_seconds"]) == (1_000_090, 90)
    assert (error["plan_type"], error["message"]) == ("team", "No more.")
    assert answer.headers["retry-after"] == "1.5"
    assert answer.headers["x-codex-primary-used-percent"] == "100"
    assert answer.headers["x-codex-primary-reset-at"] == "1000090"


def types(answer: httpx.Response) -> list[str]:
    return [event["type"] for event in sse_events(answer.text)]


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        (Fault(FaultKind.TRUNCATED), "response.created"),
        (Fault(FaultKind.TRUNCATED, after_output=True), "response.output_text.delta"),
        (Fault(FaultKind.EMPTY), None),
        (Fault(FaultKind.FAILED_EVENT, code="server_is_overloaded"), "response.failed"),
        (Fault(FaultKind.ERROR_EVENT, code="server_error"), "error"),
    ],
)
def test_event_streams_that_end_badly(
    upstream: StandIn, account: Account, http: httpx.Client, fault: Fault, last: str | None
) -> None:
    """The head is a 200, the body ends properly, the answer does not."""
    upstream.fault("acc-1", fault)
    answer = post(http, account)
    assert answer.status_code == 200
    assert (types(answer) or [None])[-1] == last
    if fault.code:
        event: dict[str, Any] = sse_events(answer.text)[-1]
        assert event.get("response", event)["error"]["code"] == fault.code
        assert "status" not in event
        assert "response.output_text.delta" not in types(answer)


@pytest.mark.parametrize("kind", [FaultKind.FAILED_EVENT, FaultKind.ERROR_EVENT, FaultKind.USAGE_LIMIT])
def test_trouble_after_output(upstream: StandIn, account: Account, http: httpx.Client, kind: FaultKind) -> None:
    """After output even a refusal can only be an event in the stream."""
    upstream.fault("acc-1", Fault(kind, after_output=True))
    assert types(post(http, account))[-2] == "response.output_text.delta"


def test_slow_start(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """The answer comes whole, only later."""
    upstream.fault("acc-1", Fault(FaultKind.SLOW_START, seconds=0.05))
    answer = post(http, account)
    assert types(answer)[-1] == "response.completed"
    assert answer.elapsed.total_seconds() >= 0.05


def test_hang_ends_with_release(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """A request that hangs gives the client nothing; released, it is answered as if nothing had been."""
    upstream.fault("acc-1", Fault(FaultKind.HANG), times=1)
    with pytest.raises(httpx.ReadTimeout):
        http.post(RESPONSES, headers=credentials(account), json={}, timeout=0.05)
    upstream.fault("acc-1", Fault(FaultKind.STALL), times=1)
    with http.stream("POST", RESPONSES, headers=credentials(account), json={"input": []}) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "event: response.created"
        upstream.release()
        assert "event: response.completed" in list(lines)


def test_paths() -> None:
    """Generation is what spends the account's allowance."""
    assert is_generation(RESPONSES)
    assert is_generation("/backend-api/codex/alpha/search")
    assert not is_generation("/backend-api/codex/models")
    assert not is_generation("/backend-api/codex/analytics-events/events")
    assert not is_generation("/backend-api/wham/usage")


@pytest.mark.parametrize(
    ("fault", "path", "phase", "strikes"),
    [
        (Fault(FaultKind.HANG), RESPONSES, Phase.REQUEST, True),
        (Fault(FaultKind.HANG), "/backend-api/codex/models", Phase.REQUEST, False),
        (Fault(FaultKind.HANG, path="/backend-api/codex/models"), "/backend-api/codex/models", Phase.REQUEST, True),
        (Fault(FaultKind.HANG, path="/backend-api/codex/models"), RESPONSES, Phase.REQUEST, False),
        (Fault(FaultKind.HANG), RESPONSES, Phase.UPGRADE, True),
        (Fault(FaultKind.HANG, in_band=True), RESPONSES, Phase.UPGRADE, False),
        (Fault(FaultKind.HANG, after_output=True), RESPONSES, Phase.UPGRADE, False),
        (Fault(FaultKind.STALL), RESPONSES, Phase.UPGRADE, False),
        (Fault(FaultKind.STALL), RESPONSES, Phase.MESSAGE, True),
        (Fault(FaultKind.UPGRADE_REQUIRED), RESPONSES, Phase.UPGRADE, True),
        (Fault(FaultKind.UPGRADE_REQUIRED), RESPONSES, Phase.REQUEST, False),
        (Fault(FaultKind.UPGRADE_REQUIRED), RESPONSES, Phase.MESSAGE, False),
        (Fault(FaultKind.TOKEN_HANG), TOKEN_PATH, Phase.REQUEST, True),
        (Fault(FaultKind.TOKEN_HANG), RESPONSES, Phase.REQUEST, False),
    ],
)
def test_where_a_fault_strikes(fault: Fault, path: str, phase: Phase, strikes: bool) -> None:
    """By path and by occasion."""
    assert fault.strikes(path, phase) is strikes


def test_points() -> None:
    """`after_output` moves any fault behind the first piece of output."""
    assert Fault(FaultKind.RESET).point is Point.HEAD
    assert Fault(FaultKind.RESET, after_output=True).point is Point.OUTPUT


def test_after_the_last_event(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """The client has everything and gets no proper end."""
    upstream.fault("acc-1", Fault(FaultKind.RESET, after_last=True), times=1)
    heard: list[str] = []
    with (
        http.stream("POST", RESPONSES, headers=credentials(account), json={"input": []}) as answer,
        pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)),
    ):
        heard.extend(answer.iter_text())
    assert sse_events("".join(heard))[-1]["type"] == "response.completed"
