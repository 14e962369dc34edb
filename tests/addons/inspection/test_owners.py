"""Whose a sealed content is, as the flows of a capture tell."""

import json
import secrets
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow, tutils
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.inspection.owners import Owners, account_of


def blob() -> str:
    return f"gAAAA{secrets.token_urlsafe(60)}"


def sealing(content: str, account: str, thread: str = "t1") -> http.HTTPFlow:
    flow = tflow.tflow(req=tutils.treq(headers=http.Headers(thread_id=thread)), resp=True)
    assert flow.response is not None
    item = {"type": "reasoning", "encrypted_content": content}
    flow.response.content = f"data: {json.dumps({'type': 'response.output_item.done', 'item': item})}\n\n".encode()
    flow.metadata["codex_rotate.attempts"] = [{"account": "first"}, {"account": account}]
    return flow


def test_the_account_that_answered_is_the_owner() -> None:
    mine, other = blob(), blob()
    flows = [sealing(mine, "work"), sealing(other, "spare")]
    owner = Owners(flows[0], flows)
    assert (owner(mine), owner(other), owner(blob())) == ("work", "spare", "")


def test_another_conversation_is_not_searched() -> None:
    hidden = blob()
    assert Owners(sealing(blob(), "work"), [sealing(hidden, "spare", "t2")])(hidden) == ""


def test_a_socket_tells_too() -> None:
    content = blob()
    flow = tflow.twebsocketflow()
    assert flow.websocket is not None
    flow.request.headers["thread-id"] = "t1"
    flow.metadata["codex_rotate.attempts"] = [{"account": "work"}]
    said = json.dumps({"item": {"encrypted_content": content}}).encode()
    flow.websocket.messages.append(WebSocketMessage(Opcode.TEXT, False, said))
    assert Owners(flow, [flow])(content) == "work"


@pytest.mark.parametrize("odd", [None, [], "x", 5, {}, [5], [None], [{}], [{"account": 5}], [{"account": None}]])
def test_metadata_of_any_shape_names_nobody(odd: Any) -> None:
    flow = tflow.tflow(resp=True)
    flow.metadata["codex_rotate.attempts"] = odd
    assert account_of(flow) == ""


def test_flows_without_answers_and_of_other_kinds_are_passed_over() -> None:
    flow = sealing(blob(), "work")
    unanswered = tflow.tflow(req=tutils.treq(headers=http.Headers(thread_id="t1")))
    unanswered.metadata["codex_rotate.attempts"] = [{"account": "work"}]
    assert Owners(flow, [tflow.ttcpflow(), unanswered])("x") == ""
