"""A saved flow is explained from its own metadata, or from the wire alone; nonsense in it is no reason to fail."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow, tutils
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.inspection.answer import Tokens
from addons.inspection.explaining import Asked, Explained, explained

PATH = "/backend-api/codex/responses"
USAGE = {
    "input_tokens": 20,
    "output_tokens": 3,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens_details": {"reasoning_tokens": 2},
}
COMPLETED = {"type": "response.completed", "response": {"id": "r", "usage": USAGE}}
DELTA = {"type": "response.output_text.delta", "delta": "hi"}


def event(payload: dict[str, Any]) -> bytes:
    return f"event: {payload['type']}\ndata: {json.dumps(payload)}\n\n".encode()


def flow(body: bytes | None = b"", **metadata: Any) -> http.HTTPFlow:
    """A model request of a client, answered with this body a second later."""
    asked = tutils.treq(
        method=b"POST", path=PATH.encode(), content=json.dumps({"model": "gpt-5"}).encode(), timestamp_start=100.0
    )
    asked.headers["thread-id"] = "thread-1"
    made = tflow.tflow(req=asked, resp=tutils.tresp(content=body, timestamp_start=101.0, timestamp_end=103.0))
    made.metadata |= {f"codex_rotate.{name}": value for name, value in metadata.items()}
    return made


METADATA = json.dumps({"workspaces": {"/work/it": {"associated_remote_urls": {"origin": "git@host:owner/repo"}}}})


def only(*flows: object) -> Explained:
    (found,) = explained(flows)
    return found


def test_a_flow_of_ours_says_whom_it_was_sent_to() -> None:
    attempts = [
        {"account": "work", "why": "", "kind": "usage_limit", "detail": "limit", "seconds": 0.4, "status": 429},
        {"account": "spare", "why": "", "kind": "ok", "detail": "", "seconds": 1.0, "status": 200},
    ]
    found = only(flow(event(DELTA) + event(COMPLETED), attempts=attempts, done="delivered", thread="t", model="m"))
    assert found == Explained(
        at=100.0,
        thread="t",
        transport="http",
        model="m",
        asked=(
            Asked(account="work", kind="usage_limit", status=429, detail="limit"),
            Asked(account="spare", kind="ok", status=200),
        ),
        done="delivered",
        first=1.0,
        seconds=3.0,
        tokens=Tokens(given=20, cached=10, made=3, reasoning=2),
    )


def test_any_other_capture_says_what_the_wire_says() -> None:
    found = only(flow(event(DELTA) + event(COMPLETED)))
    assert (found.thread, found.model, found.asked, found.done) == ("thread-1", "gpt-5", (), "200 completed")


@pytest.mark.parametrize(
    ("body", "done"),
    [(event(DELTA), "200"), (b"", "200"), (None, "200"), (event({"type": "response.failed"}), "200 failed")],
)
def test_what_a_stream_does_not_say_is_not_made_up(body: bytes | None, done: str) -> None:
    found = only(flow(body))
    assert (found.done, found.tokens) == (done, None)


def test_no_answer() -> None:
    silent = flow()
    silent.response = None
    assert only(silent).done == "no answer"
    silent.error = tflow.terr("reset")
    assert only(silent).done == "no answer: reset"


def test_what_is_no_model_request_is_left_out() -> None:
    other = flow()
    other.request.path = "/backend-api/codex/models"
    assert list(explained([other, tflow.ttcpflow(), "nonsense"])) == []


def socket(*messages: tuple[bool, dict[str, Any]], **metadata: Any) -> http.HTTPFlow:
    made = flow(None, **metadata)
    made.request.method = "GET"
    made.request.headers["upgrade"] = "websocket"
    made.websocket = WebSocketData()
    for place, (from_client, payload) in enumerate(messages):
        content = json.dumps(payload).encode()
        made.websocket.messages.append(WebSocketMessage(Opcode.TEXT, from_client, content, 200.0 + place))
    return made


CREATE = {"type": "response.create", "model": "gpt-5"}
CREATED = {"type": "response.created"}


def test_each_turn_of_a_socket_is_one() -> None:
    """With what was decided about it: of the last turns, if the older ones are not known any more."""
    turn = [(True, CREATE), (False, CREATED), (False, DELTA), (False, COMPLETED)]
    record = {
        "at": 1.0,
        "done": "told to reconnect",
        "seconds": 1.0,
        "attempts": [{"account": "work", "kind": "reset"}],
    }
    first, second = explained([socket((False, CREATED), *turn, *turn, turns=[record])])
    assert (first.done, first.asked, second.done) == ("completed", (), "told to reconnect")
    assert second.asked == (Asked(account="work", kind="reset"),)
    assert (first.at, first.first, first.seconds, first.model) == (201.0, 2.0, 3.0, "gpt-5")
    assert first.tokens == Tokens(given=20, cached=10, made=3, reasoning=2)


def test_a_turn_that_never_ended() -> None:
    found = only(socket((True, CREATE), (False, CREATED)))
    assert (found.done, found.first, found.seconds, found.tokens) == ("no end", None, 1.0, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(attempts=JSON, turns=JSON, usage=JSON, body=st.binary(max_size=60))
@settings(deadline=None)
def test_nonsense_is_read_as_far_as_it_goes(attempts: object, turns: object, usage: object, body: bytes) -> None:
    payload = {"type": "response.completed", "response": {"usage": usage}}
    told = list(
        explained(
            [flow(body + event(payload), attempts=attempts), socket((True, CREATE), (False, payload), turns=turns)]
        )
    )
    assert len(told) == 2


@pytest.mark.parametrize("name", ["timestamp_start", "timestamp_end"])
def test_a_capture_without_times_is_read(name: str) -> None:
    flow = tflow.tflow(resp=True)
    flow.request.method, flow.request.path = "POST", "/v1/responses"
    assert flow.response is not None
    setattr(flow.request, name, None)
    setattr(flow.response, name, None)
    assert len(list(explained([flow]))) == 1


def test_it_says_who_asked_and_for_which_project() -> None:
    asked = flow(event(COMPLETED), person="ann")
    asked.request.headers["x-codex-turn-metadata"] = METADATA
    found = only(asked)
    assert (found.person, found.project) == ("ann", "owner/repo")
    assert (only(flow(event(COMPLETED))).person, only(flow(event(COMPLETED))).project) == ("", "")
