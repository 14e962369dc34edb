"""The content view in mitmproxy's own registry, on flows as they are made and as they are read back from a file."""

import gzip
import io
import json
import secrets
from collections.abc import Iterator
from functools import partial
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import contentviews, http
from mitmproxy.contentviews import ContentviewResult, Metadata, prettify_message
from mitmproxy.flow import Flow
from mitmproxy.io import FlowReader, FlowWriter
from mitmproxy.test import taddons, tflow, tutils
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.inspection.content_view import Codex, Views
from addons.redaction.patterns import SECRET, TOKEN
from tests.builders import token
from tests.rows import all_rows

RESPONSES = "/backend-api/codex/responses"
BLOB = f"gAAAA{secrets.token_urlsafe(200)}"
ASK = {"model": "gpt-5", "input": [{"role": "user", "content": "hi"}, {"type": "reasoning", "encrypted_content": BLOB}]}
LIMIT = {"error": {"type": "usage_limit_reached", "message": "The usage limit has been reached"}}


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in events)


STREAM = stream(
    {"type": "response.created", "response": {"id": "resp_1", "model": "gpt-5"}},
    {"type": "response.output_item.done", "output_index": 0, "item": {"type": "reasoning", "encrypted_content": BLOB}},
    {"type": "response.output_item.done", "output_index": 1, "item": {"role": "assistant", "content": "Hello"}},
    {"type": "response.completed", "response": {"id": "resp_1"}},
)


@pytest.fixture(autouse=True)
def loaded() -> Iterator[Views]:
    """The addon in a mitmproxy of its own; the registry is the real one, and as before afterwards."""
    addon = Views()
    with taddons.context(addon):
        yield addon
    addon.done()
    assert "codex" not in contentviews.registry


def flow_of(
    asked: bytes = b"",
    answered: bytes = b"",
    *,
    host: str = "chatgpt.com",
    path: str = RESPONSES,
    status: int = 200,
    kind: str = "text/event-stream; charset=utf-8",
) -> http.HTTPFlow:
    headers = http.Headers(content_type="application/json", thread_id="t1")
    request = tutils.treq(method=b"POST", host=host, path=path.encode(), content=asked, headers=headers)
    response = tutils.tresp(status_code=status, content=answered, headers=http.Headers(content_type=kind))
    return tflow.tflow(req=request, resp=response)


def asked(flow: http.HTTPFlow, view: str = "auto") -> ContentviewResult:
    return prettify_message(flow.request, flow, view)


def answered(flow: http.HTTPFlow, view: str = "auto") -> ContentviewResult:
    assert flow.response is not None
    return prettify_message(flow.response, flow, view)


def message(content: bytes, *, from_client: bool = False, **more: Any) -> ContentviewResult:
    flow = tflow.twebsocketflow()
    flow.request.host, flow.request.path = "chatgpt.com", RESPONSES
    return prettify_message(WebSocketMessage(Opcode.TEXT, from_client, content, 1_800_000_000.0, **more), flow)


# --- which flows -----------------------------------------------------------------------------------------------------


def test_a_turn_chooses_the_view_by_itself() -> None:
    flow = flow_of(json.dumps(ASK).encode(), STREAM)
    for shown in (asked(flow), answered(flow)):
        assert (shown.view_name, shown.syntax_highlight) == ("Codex", "yaml")
    assert "input: # 2 items" in asked(flow).text
    assert "assistant: Hello" in answered(flow).text


@all_rows(
    "other",
    [
        {"host": "example.com"},
        {"host": "chatgpt.com.example.com"},
        {"path": "/backend-api/wham/usage", "kind": "application/json"},
        {"path": "/backend-api/codex/models", "kind": "application/json"},
        {"path": "/backend-api/codex/responses/other", "kind": "application/json"},
        {"path": "/", "kind": "text/html"},
        {"kind": "text/html"},
    ],
)
def test_other_answers_keep_their_own_view(other: dict[str, Any]) -> None:
    assert answered(flow_of(b"{}", b'{"a": 1}', **other)).view_name != "Codex"


def test_other_requests_keep_their_own_view() -> None:
    assert asked(flow_of(b"{}", host="example.com")).view_name != "Codex"
    assert asked(flow_of(b"{}", path="/backend-api/codex/analytics-events/events")).view_name != "Codex"
    assert asked(flow_of(b"")).view_name != "Codex"


@pytest.mark.parametrize("path", ["/backend-api/codex/responses?x=1", "/backend-api/codex/responses/compact"])
def test_every_address_of_the_api_is_meant(path: str) -> None:
    assert asked(flow_of(b"{}", path=path)).view_name == "Codex"
    assert asked(flow_of(b"{}", path=path, host="eu.chatgpt.com")).view_name == "Codex"
    assert asked(flow_of(b"{}", path="/v1/responses", host="api.openai.com")).view_name == "Codex"


def test_an_error_of_any_address_of_the_provider_is_told() -> None:
    flow = flow_of(b"", json.dumps(LIMIT).encode(), path="/backend-api/wham/usage", status=429, kind="application/json")
    assert answered(flow).view_name == "Codex"


@all_rows("metadata", [Metadata(), Metadata(flow=tflow.ttcpflow()), Metadata(content_type="x")])
@all_rows("data", [b"", b"\xff\x00", b"{}", b"[]", STREAM, json.dumps(ASK).encode(), json.dumps(LIMIT).encode()])
def test_without_a_flow_it_can_only_be_chosen_by_hand(metadata: Metadata, data: bytes) -> None:
    assert Codex().render_priority(data, metadata) < 0
    assert Codex().prettify(data, metadata)


def test_chosen_by_hand_it_tells_what_it_is() -> None:
    assert "assistant: Hello" in Codex().prettify(STREAM, Metadata())
    assert "assistant: Hello" in Codex().prettify(gzip.compress(STREAM), Metadata())
    assert "input: # 2 items" in Codex().prettify(json.dumps(ASK).encode(), Metadata())
    assert 'error: "usage_limit_reached' in Codex().prettify(json.dumps(LIMIT).encode(), Metadata())
    assert "event: response.created" in Codex().prettify(b'{"type":"response.created","response":{}}', Metadata())


# --- loading ---------------------------------------------------------------------------------------------------------


def test_the_view_is_there_as_long_as_the_addon() -> None:
    with taddons.context(addon := Views()):
        assert contentviews.registry["codex"] is addon.view
        addon.done()
        assert "codex" not in contentviews.registry


def test_loading_twice_and_ending_twice_breaks_nothing(loaded: Views) -> None:
    with taddons.context(second := Views()) as context:
        loaded.done()  # the first one is over: what the second one has registered stays
        assert contentviews.registry["codex"] is second.view
        second.load(context.master.addons)  # type: ignore[arg-type]
        assert contentviews.registry["codex"] is second.view
        second.done()
        second.done()


# --- bodies ----------------------------------------------------------------------------------------------------------


@all_rows(
    ("coding", "pack"),
    [
        ("zstd", zstandard.compress),
        ("gzip", gzip.compress),
        ("br", brotli.compress),
        ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ],
)
def test_a_request_is_decoded_by_mitmproxy_or_by_hand(coding: str, pack: Any) -> None:
    flow = flow_of(pack(json.dumps(ASK).encode()))
    flow.request.headers["content-encoding"] = coding
    assert "input: # 2 items" in asked(flow).text


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("zstd", zstandard.compress), ("gzip", gzip.compress), ("br", partial(brotli.compress, quality=1))],
)
def test_a_compressed_body_that_was_cut_off_is_shown_as_far_as_it_goes(coding: str, pack: Any) -> None:
    texts = [secrets.token_hex(20_000) for _ in range(8)]
    packed = pack(
        json.dumps({"model": "gpt-5", "input": [{"role": "user", "content": text} for text in texts]}).encode()
    )
    flow = flow_of(packed[: len(packed) // 2])
    flow.request.headers["content-encoding"] = coding
    text = asked(flow).text
    assert "model: gpt-5\ncut off" in text
    assert texts[0][:20] in text


def test_sealed_contents_are_shown_by_their_owner_and_never_as_they_are() -> None:
    flow = flow_of(json.dumps(ASK).encode(), STREAM)
    flow.metadata["codex_rotate.attempts"] = [{"account": "work", "kind": "ok"}]
    assert f"reasoning: sealed by work, {len(BLOB)} characters" in answered(flow).text
    for shown in (
        asked(flow),
        answered(flow),
        asked(flow, "codex"),
        message(STREAM),
        message(json.dumps(ASK).encode()),
    ):
        assert BLOB[:20] not in shown.text


def test_the_owner_of_what_is_sent_is_found_in_the_other_flows(loaded: Views) -> None:
    class View(list[Flow]):
        name = "view"

    earlier, later = flow_of(b"{}", STREAM), flow_of(json.dumps(ASK).encode())
    earlier.metadata["codex_rotate.attempts"] = [{"account": "spare", "kind": "ok"}]
    with taddons.context(loaded) as context:
        context.master.addons.add(View([earlier, later]))
        assert f"reasoning: sealed by spare, {len(BLOB)} characters" in asked(later).text


def test_an_error_is_one_line_and_its_json() -> None:
    shown = answered(flow_of(b"", json.dumps(LIMIT).encode(), status=429, kind="application/json")).text
    assert shown.startswith('error: "429 usage_limit_reached: The usage limit has been reached"\nbody:')
    ours = {"error": {"type": "codex_rotate_defect", "code": "codex_rotate_defect", "message": "m"}}
    shown = answered(flow_of(b"", json.dumps(ours).encode(), status=503, kind="application/json")).text
    assert "from: codex-rotate, not from upstream\n" in shown


def test_what_was_not_captured_is_not_taken_for_a_broken_answer() -> None:
    flow = flow_of(b"{}", STREAM[:200])
    flow.metadata["codex_rotate.captured"] = [200, len(STREAM)]
    assert f'ended: "not captured: only the first 200 of {len(STREAM)} bytes are kept"' in answered(flow).text
    flow.metadata["codex_rotate.captured"] = "odd"
    assert "ended: cut off" in answered(flow).text


def test_failed_attempts_are_shown_below_the_answer() -> None:
    flow = flow_of(b"{}", STREAM)
    failed = {"account": "work", "kind": "usage_limit", "why": "most left", "seconds": 0.4, "status": 429}
    failed |= {"headers": [["content-type", "application/json"]], "body": json.dumps(LIMIT)}
    flow.metadata["codex_rotate.attempts"] = [failed, {"account": "spare", "kind": "ok"}]
    shown = answered(flow).text
    assert "  - work: # 429 usage_limit_reached: The usage limit has been reached\n    kind: usage_limit\n" in shown
    assert shown.index("assistant: Hello") < shown.index("failed attempts:")


@all_rows(
    "odd",
    [
        5,
        "x",
        [5],
        [{"body": "x"}],
        [{"body": "{", "headers": 5, "status": []}],
        [{"body": "[]", "headers": [5, [1], [1, 2]]}],
    ],
)
def test_metadata_of_any_shape_breaks_nothing(odd: Any) -> None:
    flow = flow_of(b"{}", STREAM)
    flow.metadata["codex_rotate.attempts"] = odd
    assert "assistant: Hello" in answered(flow).text


# --- sockets ---------------------------------------------------------------------------------------------------------


def test_a_message_of_the_client_is_a_request() -> None:
    shown = message(json.dumps({"type": "response.create", **ASK}).encode(), from_client=True)
    assert shown.view_name == "Codex"
    assert "input: # 2 items" in shown.text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"type": "response.output_text.delta", "delta": "Hel"}, 'response.output_text.delta: "Hel"\n'),
        ({"type": "response.created", "response": {"id": "resp_1"}}, "event: response.created\n"),
        ({"type": "error", "status": 429, **LIMIT}, 'event: error\nended: "error: 429 usage_limit_reached: The'),
    ],
)
def test_a_message_of_the_server_is_an_event(event: dict[str, Any], text: str) -> None:
    assert message(json.dumps(event).encode()).text.startswith(text)


def test_a_message_that_nobody_sent_or_got_says_so() -> None:
    event = json.dumps({"type": "response.create"}).encode()
    assert message(event, from_client=True, dropped=True).text.startswith("# not passed on\n")
    assert message(event, injected=True).text.startswith("# said by codex-rotate, not by upstream\n")


@all_rows("content", [b"hello", b"\xff\xfe", b"[1]", b'{"type":"response.created","response":{"id":"resp_1"'])
def test_a_message_of_any_shape_is_shown(content: bytes) -> None:
    for from_client in (True, False):
        shown = message(content, from_client=from_client)
        assert shown.view_name == "Codex"
        assert shown.description == ""


# --- secrets ---------------------------------------------------------------------------------------------------------


def test_a_token_that_a_client_put_anywhere_is_masked() -> None:
    jwt, key, opaque = token({"x": "y"}), f"sk-{secrets.token_hex(16)}", secrets.token_hex(16)
    places = {
        "client_metadata": {"authorization": opaque, "note": f"Bearer {opaque}", "key": key},
        "instructions": f"use {jwt}",
        "input": [
            {"role": "user", "content": f"{jwt} and {key}"},
            {"type": "function_call", "name": key, "call_id": jwt, "arguments": json.dumps({"h": f"Bearer {opaque}"})},
        ],
        jwt: key,
        "model": key,
        "tools": [{"name": jwt}],
    }
    events = stream(
        {"type": "response.output_text.delta", "delta": jwt},
        {"type": jwt, key: jwt},
        {"type": "error", "error": {"message": f"bad token Bearer {opaque}", "code": key}},
    )
    flow = flow_of(json.dumps(places).encode(), events)
    texts = [asked(flow).text, answered(flow).text]
    texts += [message(json.dumps({"type": "response.create", **places}).encode(), from_client=True).text]
    texts += [message(part.removeprefix(b"data: ")).text for part in events.split(b"\n\n") if part]
    texts += [message(json.dumps(places).encode()[:-40], from_client=True).text]
    for text in texts:
        assert not [secret for secret in (jwt, key, opaque, jwt.split(".")[1]) if secret in text]
    assert all(TOKEN.decode() in text or SECRET.decode() in text for text in texts)


# --- anything at all -------------------------------------------------------------------------------------------------

BYTES = st.binary(max_size=200) | st.builds(
    lambda data, at: data[:at],
    st.sampled_from([STREAM, json.dumps(ASK).encode(), json.dumps(LIMIT).encode()]),
    st.integers(0, 800),
)


@given(BYTES, st.sampled_from([None, "zstd", "gzip", "br", "deflate", "odd"]), st.sampled_from([200, 429, 503]))
def test_the_view_never_raises(data: bytes, coding: str | None, status: int) -> None:
    flow = flow_of(data, data, status=status, kind="application/json" if status > 200 else "text/event-stream")
    assert flow.response is not None
    if coding:
        flow.request.headers["content-encoding"] = flow.response.headers["content-encoding"] = coding
    for each in (
        flow.request,
        flow.response,
        WebSocketMessage(Opcode.BINARY, False, data),
        WebSocketMessage(Opcode.TEXT, True, data),
    ):
        name = "websocket_message" if isinstance(each, WebSocketMessage) else "http_message"
        assert Codex().prettify(data, Metadata(flow=flow, **{name: each})).endswith("\n")  # type: ignore[arg-type]


# --- from a file -----------------------------------------------------------------------------------------------------


def test_a_flow_that_was_saved_looks_the_same_when_it_is_read_back() -> None:
    flow = flow_of(json.dumps(ASK).encode(), STREAM)
    flow.metadata["codex_rotate.attempts"] = [{"account": "work", "kind": "ok"}]
    file = io.BytesIO()
    FlowWriter(file).add(flow)
    file.seek(0)
    (again,) = FlowReader(file).stream()
    assert isinstance(again, http.HTTPFlow)
    assert asked(again) == asked(flow)
    assert answered(again) == answered(flow)
