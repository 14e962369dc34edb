"""The table of faults: every kind has a row, and every row does over HTTP what its name says."""

import ssl
from collections.abc import Callable
from concurrent import futures
from typing import Any

import httpx
import pytest

from standin import Account, Fault, FaultKind, StandIn
from standin.faults import RULES, Action, Point
from standin.responses import SHELLS
from tests.rows import all_rows
from tests.standin.clients import QUICK, RESPONSES, credentials, sse_events


def post(http: httpx.Client, account: Account) -> httpx.Response:
    return http.post(RESPONSES, headers=credentials(account), json={"input": []})


@all_rows("kind", FaultKind)
def test_every_kind_has_a_complete_row(kind: FaultKind) -> None:
    """A row that replies has a reply, one that sends an event has an event."""
    rule = RULES[kind]
    assert (rule.reply is not None) is (rule.action is Action.REPLY)
    assert (rule.event is not None) is (rule.action is Action.EVENT)


@all_rows(
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
        (Fault(FaultKind.UNAUTHORIZED_DEACTIVATED), 401, "invalid_request_error", None),
        (Fault(FaultKind.MODEL_NOT_FOUND), 404, "invalid_request_error", "model_not_found"),
        (Fault(FaultKind.MODEL_NOT_FOUND, status=400), 400, "invalid_request_error", "model_not_found"),
        (Fault(FaultKind.MODEL_NOT_FOR_ACCOUNT), 400, "invalid_request_error", "account_model_unsupported"),
        (Fault(FaultKind.USAGE_LIMIT, status=200), 200, "usage_limit_reached", None),
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
    assert upstream.requests[-1].status == status


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


@all_rows(
    ("fault", "status", "content_type"),
    [
        *[(Fault(FaultKind.BARE, status=status), status, None) for status in (200, 402, 404, 408, 409, 413, 421, 425)],
        *[(Fault(FaultKind.BARE, status=status), status, None) for status in (431, 451)],
        (Fault(FaultKind.NO_CONTENT), 204, None),
        *[(Fault(FaultKind.HTML, status=status), status, "text/html; charset=UTF-8") for status in (200, 401, 403)],
    ],
)
def test_refusals_without_an_error_object(
    upstream: StandIn, account: Account, http: httpx.Client, fault: Fault, status: int, content_type: str | None
) -> None:
    """Nothing at all, or a page."""
    upstream.fault("acc-1", fault)
    answer = post(http, account)
    assert (answer.status_code, answer.headers.get("content-type")) == (status, content_type)
    assert bool(answer.content) is bool(content_type)


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (FaultKind.CONCURRENCY, 429, "Too many concurrent requests"),
        (FaultKind.MODEL_DETAIL, 404, "Model not found gpt-5"),
    ],
)
def test_refusals_with_a_detail(
    upstream: StandIn, account: Account, http: httpx.Client, kind: FaultKind, status: int, words: str
) -> None:
    """The other shape of an error."""
    upstream.fault("acc-1", Fault(kind))
    answer = post(http, account)
    assert (answer.status_code, answer.json()) == (status, {"detail": words})


@pytest.mark.parametrize(
    ("kind", "content_type", "coding"),
    [
        (FaultKind.NO_CONTENT_TYPE, None, None),
        (FaultKind.ODD_CONTENT_TYPE, "Text/Event-Stream; charset=utf-8", None),
        (FaultKind.GZIP, "text/event-stream; charset=utf-8", "gzip"),
        (FaultKind.DEFLATE, "text/event-stream; charset=utf-8", "deflate"),
        (FaultKind.BROTLI, "text/event-stream; charset=utf-8", "br"),
        (FaultKind.ZSTD, "text/event-stream; charset=utf-8", "zstd"),
    ],
)
def test_dresses(
    upstream: StandIn,
    account: Account,
    http: httpx.Client,
    kind: FaultKind,
    content_type: str | None,
    coding: str | None,
) -> None:
    """The answer is whole, and every event can be read when it has come."""
    upstream.fault("acc-1", Fault(kind))
    with http.stream("POST", RESPONSES, headers=credentials(account), json={"input": []}) as answer:
        assert (answer.headers.get("content-type"), answer.headers.get("content-encoding")) == (content_type, coding)
        raw = list(answer.iter_raw())
    assert len(raw) > 3
    plain = httpx.Response(200, headers=answer.headers, content=b"".join(raw)).text
    assert sse_events(plain)[-1]["type"] == "response.completed"


@pytest.mark.parametrize("shell", SHELLS)
def test_after_the_shell_of_an_item(upstream: StandIn, account: Account, http: httpx.Client, shell: str) -> None:
    """Something was begun, and there is no output yet."""
    upstream.fault("acc-1", Fault(FaultKind.FAILED_EVENT, at=Point.SHELL, shell=shell, code="insufficient_quota"))
    events = sse_events(post(http, account).text)
    assert [event["type"] for event in events[:3]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    assert events[-1]["response"]["error"]["code"] == "insufficient_quota"
    assert not "".join(event.get("delta", "") for event in events)


def test_a_late_head_comes_when_time_has_passed() -> None:
    """By hand, no test has to wait for a minute."""
    with StandIn(by_hand=True) as upstream:
        account = upstream.add_account("acc-1")
        upstream.fault("acc-1", Fault(FaultKind.LATE_HEAD))
        url = f"{upstream.base_url}/codex/responses"
        with futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(httpx.post, url, headers=credentials(account), json={}, **QUICK)
            upstream.wait_for(lambda: upstream.pausing)
            upstream.pass_time(59)
            upstream.pass_time(0.5)
            assert upstream.pausing == 1
            upstream.pass_time(1)
            assert asked.result().status_code == 200
        assert upstream.pausing == 0


def test_a_server_that_is_done_with_the_connection(
    upstream: StandIn, account: Account, connect: Callable[..., ssl.SSLSocket]
) -> None:
    """HTTP/1.1: the answer is whole and says nothing of it; then the connection ends."""
    upstream.fault("acc-1", Fault(FaultKind.PARTING), times=1)
    named = "".join(f"{name}: {value}\r\n" for name, value in credentials(account).items())
    kept = connect()
    kept.sendall(f"POST {RESPONSES} HTTP/1.1\r\nhost: h\r\n{named}content-length: 2\r\n\r\n{{}}".encode())
    heard = b"".join(iter(lambda: kept.recv(65536), b""))
    assert heard.endswith(b"0\r\n\r\n")
    assert b"response.completed" in heard
    assert b"connection: close" not in heard.lower()


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
