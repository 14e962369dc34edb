"""The beginning of what passed is kept, and a flow says when that is not all."""

import pytest
from mitmproxy.test import tflow, tutils
from mitmproxy.websocket import WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.recording.capture import CAPTURED, DROPPED, Capture, Messages


@pytest.mark.parametrize(
    ("most", "kept", "said"),
    [
        (100, b"onetwothree", None),
        (11, b"onetwothree", None),
        (10, b"onetwothre", [10, 11]),
        (1, b"o", [1, 11]),
    ],
)
def test_the_beginning_is_kept(most: int, kept: bytes, said: list[int] | None) -> None:
    flow = tflow.tflow(resp=tutils.tresp(content=None))
    capture = Capture(most)
    for data in (b"one", b"", b"two", b"three"):
        capture.keep(data)
    capture.into(flow)
    assert flow.response is not None
    assert flow.response.raw_content == kept
    assert flow.metadata.get(CAPTURED) == said
    assert ("are kept" in flow.comment) is (said is not None)


def test_nothing_is_kept_if_nothing_is_to_be() -> None:
    flow = tflow.tflow(resp=tutils.tresp(content=None))
    capture = Capture(0)
    capture.keep(b"one")
    capture.into(flow)
    assert flow.response is not None
    assert flow.response.raw_content is None


def test_a_body_that_is_there_stays() -> None:
    flow = tflow.tflow(resp=tutils.tresp(content=b"whole"))
    capture = Capture(2)
    capture.keep(b"whole")
    capture.into(flow)
    assert flow.response is not None
    assert flow.response.raw_content == b"whole"


def test_a_flow_without_an_answer_gets_none() -> None:
    flow = tflow.tflow()
    capture = Capture(2)
    capture.keep(b"x")
    capture.into(flow)
    assert flow.response is None


def message(content: bytes) -> WebSocketMessage:
    return WebSocketMessage(Opcode.TEXT, True, content)


@pytest.mark.parametrize(("most", "left", "dropped"), [(100, 5, None), (6, 3, 2), (5, 2, 3), (0, 1, 4)])
def test_of_a_socket_the_newest_messages_stay(most: int, left: int, dropped: int | None) -> None:
    flow = tflow.twebsocketflow()
    assert flow.websocket is not None
    flow.websocket.messages.clear()
    trimming = Messages(most)
    for number in range(5):
        flow.websocket.messages.append(message(b"%02d" % number))
        trimming.trim(flow)
    assert [each.content for each in flow.websocket.messages] == [b"%02d" % number for number in range(5 - left, 5)]
    assert flow.metadata.get(DROPPED) == dropped


def test_one_message_larger_than_all_stays_until_the_next() -> None:
    flow = tflow.twebsocketflow()
    assert flow.websocket is not None
    flow.websocket.messages.clear()
    trimming = Messages(10)
    for content in (b"a", b"x" * 1000, b"b", b"c"):
        flow.websocket.messages.append(message(content))
        trimming.trim(flow)
        assert flow.websocket.messages[-1].content == content
    assert [each.content for each in flow.websocket.messages] == [b"b", b"c"]


def test_what_passes_is_kept_and_goes_on_unchanged() -> None:
    kept, flow = Capture(3), tflow.tflow(resp=tutils.tresp(content=None))
    assert [kept.passing(piece) for piece in (b"ab", b"cd", b"")] == [b"ab", b"cd", b""]
    kept.into(flow)
    assert flow.response is not None
    assert flow.response.raw_content == b"abc"
    assert flow.comment == "the first 3 of 4 bytes are kept"
