"""What is done about an answer whose account dies, seen from one request; the real streams: tests/proxy."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.selection import Ask
from accounts.store.store import Store
from addons.attempts.protocol import Conclude, Send, Signal
from addons.exchange.patience import CARRY_SECONDS
from addons.exchange.pooled import PooledRequest
from addons.exchange.service import PoolService
from addons.redaction import flows
from config.settings import Settings
from tests.builders import HOUR, NOW, Clock, account, credentials

HI = {"type": "message", "role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
SAID = {"type": "message", "id": "m", "role": "assistant", "content": []}


def event(kind: str, **more: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


CREATED = event("response.created", response={"id": "r"})
DELTA = event("response.output_text.delta", delta="x")
FAILED = event("response.failed", response={"error": {"code": "usage_limit_reached"}})


def done(item: dict[str, object]) -> bytes:
    return event("response.output_item.done", output_index=0, item=item)


@pytest.fixture(params=["continue"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PoolService]:
    """A pool of two accounts."""
    path = tmp_path / "rotate" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name, plan="plus"), credentials(name, expires_at=NOW + HOUR)).result()
    service = PoolService(path, Clock(), settings=Settings(mid_answer=request.param))
    yield service
    service.close()


def head(**more: str) -> http.Response:
    response = http.Response.make(200, b"", {"content-type": "text/event-stream"})
    response.headers.pop("content-length", None)
    response.headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return response


def delivering(service: PoolService, *passed: bytes, **headers: str) -> PooledRequest:
    """A request whose answer is on its way to the client; so much of it has passed."""
    body = json.dumps({"input": [HI], "store": False}).encode()
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", body))
    pooled = PooledRequest(service, flow, flows.FlowRedactor(), Ask(thread="t"))
    assert isinstance(pooled.start(), Send)
    response = head(**headers)
    assert pooled.head(response) is Signal.WAIT
    assert pooled.body(CREATED + DELTA) is Signal.DELIVER
    flow.response, response.data.content = response, None
    pooled.delivering(response)
    for each in (CREATED + DELTA, *passed):
        assert passes(pooled, each) == each
    return pooled


def passes(pooled: PooledRequest, data: bytes) -> bytes:
    assert pooled.flow.response is not None
    stream = pooled.flow.response.stream
    assert callable(stream)
    passed = stream(data)
    assert isinstance(passed, bytes)
    return passed


def test_a_failure_does_not_pass_and_another_account_is_asked_with_what_is_complete(service: PoolService) -> None:
    pooled = delivering(service, done(SAID))
    assert pooled.passed() is Signal.WAIT
    assert passes(pooled, DELTA + FAILED) == DELTA
    step = pooled.passed()
    assert isinstance(step, Send)
    assert step.request.headers["accept-encoding"] == "identity"
    assert json.loads(step.request.content or b"")["input"] == [HI, SAID]
    assert pooled.head(head()) is Signal.WAIT
    assert pooled.body(CREATED + DELTA) is Signal.CONTINUE
    assert passes(pooled, CREATED + DELTA) == CREATED + DELTA


def test_silence_is_a_death_while_the_client_still_waits(service: PoolService) -> None:
    pooled = delivering(service)
    pooled._answer.said.heard_at -= CARRY_SECONDS - 2
    assert pooled.overdue() is Signal.WAIT
    pooled._answer.said.heard_at -= 2
    assert isinstance(pooled.overdue(), Send)


def test_after_a_tool_call_the_answer_ends(service: PoolService) -> None:
    step = delivering(service, done(CALL)).stopped("reset")
    assert isinstance(step, Conclude)
    told = json.loads(step.data.partition(b"data: ")[2])
    assert (told["type"], told["response"]["output"]) == ("response.completed", [CALL])


@pytest.mark.parametrize("service", ["client"], indirect=True)
def test_it_can_be_left_to_the_client(service: PoolService) -> None:
    assert delivering(service).stopped("reset") is Signal.WAIT


@pytest.mark.parametrize("service", ["client"], indirect=True)
def test_a_failure_that_is_left_to_the_client_ends_in_one_that_it_recovers_from(service: PoolService) -> None:
    pooled = delivering(service)
    assert passes(pooled, FAILED) == b""
    step = pooled.passed()
    assert isinstance(step, Conclude)
    assert b"server_error" in step.data


def test_a_head_that_leaves_no_room_for_another_answer_is_left_to_the_client(service: PoolService) -> None:
    assert delivering(service, content_length="9999").stopped("reset") is Signal.WAIT


def test_what_no_stream_can_go_on_with_is_no_answer(service: PoolService) -> None:
    pooled = delivering(service)
    assert isinstance(pooled.stopped(""), Send)
    pooled.head(http.Response.make(200, b"", {"content-type": "application/json"}))
    pooled.body(b'{"object":"response","output":[]}')
    step = pooled.end()
    assert isinstance(step, Conclude)
    assert b"response.failed" in step.data
