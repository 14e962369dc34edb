"""What the view makes of a capture that the real proxy has saved, without the pool it was made with."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from mitmproxy import http
from mitmproxy.contentviews import prettify_message
from mitmproxy.io import FlowReader
from mitmproxy.test import taddons

from addons.inspection.content_view import Views
from standin import Fault, FaultKind, StandIn
from tests.harness import Proxy, fill, options
from tests.proxy.clients import Socket, http1, turn1

ASK = json.dumps({"model": "gpt-5", "input": [{"role": "user", "content": "hi"}]}).encode()


@dataclass
class Capture:
    """A turn over HTTP, one on a socket, and one that another account had to take over."""

    plain: http.HTTPFlow
    socket: http.HTTPFlow
    rotated: http.HTTPFlow
    tokens: list[str]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory, confdir: Path) -> Capture:
    folder = tmp_path_factory.mktemp("a capture")
    file = folder / "turns of today.flow"
    with StandIn() as upstream:
        upstream.seal_reasoning = True
        own, work, spare = (upstream.add_account(name) for name in ("own", "work", "spare"))
        fill(folder / "rotate", [work, spare], folder)
        headers = {
            "authorization": f"Bearer {own.access_token}",
            "chatgpt-account-id": own.account_id,
            "thread-id": "t",
        }
        flags = [*options(rotate_head_timeout=5), "-w", str(file)]
        with Proxy(upstream, folder / "rotate", confdir, flags) as proxy:
            proxy.output.wait_for("accounts from", seconds=60)
            with http1(proxy) as client:
                packed = zstandard.compress(ASK)
                assert turn1(client, headers | {"content-encoding": "zstd"}, packed).completed
            with Socket(proxy, headers) as client:
                assert client.turn().completed
            upstream.fault(work.account_id, Fault(FaultKind.USAGE_LIMIT, resets_in=3600))
            with http1(proxy) as client:
                assert turn1(client, headers).completed
            proxy.stop()
    with file.open("rb") as saved:
        flows = [flow for flow in FlowReader(saved).stream() if isinstance(flow, http.HTTPFlow)]
    plain, socket, rotated = sorted(flows, key=lambda flow: flow.request.timestamp_start)
    return Capture(plain, socket, rotated, [each.access_token for each in (own, work, spare)])


@pytest.fixture(autouse=True)
def loaded() -> Iterator[None]:
    with taddons.context(views := Views()):
        yield
        views.done()


def told(flow: http.HTTPFlow) -> str:
    assert flow.response is not None
    return prettify_message(flow.response, flow).text


def test_a_turn_is_told_from_the_question_to_the_limits(capture: Capture) -> None:
    asked = prettify_message(capture.plain.request, capture.plain)
    assert asked.description == "[decoded zstd]"
    assert "  0 user: hi\n" in asked.text
    text = told(capture.plain)
    assert "ended: completed\n" in text
    assert "reasoning: sealed by work, " in text
    assert "limits:\n  - codex, 5h: " in text


def test_every_message_of_a_socket_is_told(capture: Capture) -> None:
    assert capture.socket.websocket is not None
    messages = [prettify_message(each, capture.socket) for each in capture.socket.websocket.messages]
    assert {each.view_name for each in messages} == {"Codex"}
    assert messages[0].text.startswith("asks for: an answer\n")
    assert "ended: completed\n" in messages[-1].text


def test_a_rotation_is_told_with_what_the_first_account_was_answered(capture: Capture) -> None:
    text = told(capture.rotated)
    assert "reasoning: sealed by spare, " in text
    assert "  - work: # 429 usage_limit_reached: The usage limit has been reached" in text


def test_nobodys_token_is_in_it(capture: Capture) -> None:
    text = told(capture.plain) + told(capture.rotated)
    assert not [token for token in capture.tokens if token in text]
