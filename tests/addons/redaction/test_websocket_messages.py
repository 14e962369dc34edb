"""A message is shown masked and sent as it is."""

import pytest
from mitmproxy.test import tflow
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.redaction.flows import FlowRedactor, NoRedaction
from addons.redaction.websocket_messages import ShownMessage, show

SAID = b'{"input": "ask owner@example.com"}'


@pytest.fixture
def sent() -> WebSocketMessage:
    """The message that mitmproxy is about to send on."""
    return WebSocketMessage(Opcode.TEXT, True, SAID, timestamp=5.0)


def shown(sent: WebSocketMessage, by: FlowRedactor) -> WebSocketMessage:
    flow = tflow.twebsocketflow(messages=False)
    assert flow.websocket is not None
    flow.websocket.messages.append(sent)
    show(flow, by)
    return flow.websocket.messages[-1]


def test_the_flow_has_the_masked_one_and_the_wire_the_other(sent: WebSocketMessage) -> None:
    seen = shown(sent, FlowRedactor(watched=True))
    assert seen.content == b'{"input": "ask [e-mail]"}'
    assert (seen.type, seen.from_client, seen.timestamp, seen.dropped) == (Opcode.TEXT, True, 5.0, False)
    assert sent.content == SAID


@pytest.mark.parametrize("by", [FlowRedactor(watched=False), NoRedaction()])
def test_one_that_nobody_sees_or_that_may_be_seen_stays(sent: WebSocketMessage, by: FlowRedactor) -> None:
    assert shown(sent, by) is sent


def test_one_without_secrets_stays() -> None:
    plain = WebSocketMessage(Opcode.BINARY, False, b"\x00nothing")
    assert shown(plain, FlowRedactor(watched=True)) is plain


def test_what_an_addon_does_to_it_is_done_to_what_is_sent(sent: WebSocketMessage) -> None:
    seen = shown(sent, FlowRedactor(watched=True))
    seen.content = b"changed"
    assert sent.content == b"changed"
    seen.text = "again"
    assert (seen.content, sent.content) == (b"again", b"again")
    seen.drop()
    assert sent.dropped


def test_nothing_is_kept_of_what_was_sent(sent: WebSocketMessage) -> None:
    seen = shown(sent, FlowRedactor(watched=True))
    del sent
    seen.content = b"later"
    seen.drop()
    assert (seen.content, seen.dropped) == (b"later", True)


def test_a_copy_is_a_message_like_any_other(sent: WebSocketMessage) -> None:
    seen = shown(sent, FlowRedactor(watched=True))
    copy = seen.copy()
    assert not isinstance(copy, ShownMessage)
    assert copy.get_state() == seen.get_state()
