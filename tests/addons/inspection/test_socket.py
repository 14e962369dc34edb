"""A socket's turns are told once each, where they end; everything else is one line."""

import json
from typing import Any

import pytest
from mitmproxy.websocket import WebSocketData, WebSocketMessage
from wsproto.frame_protocol import Opcode

from addons.inspection import body as wire
from addons.inspection.items import nobody
from addons.inspection.socket import line, turn_of
from tests.builders import NOW

LIMITS = {
    "type": "codex.rate_limits",
    "plan_type": "plus",
    "rate_limits": {"primary": {"used_percent": 71.0, "window_minutes": 300, "reset_at": NOW + 60}},
}
CREATE = {"type": "response.create", "model": "gpt"}
CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt"}}
SPOKEN = {
    "type": "response.output_item.done",
    "output_index": 0,
    "item": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
}
USAGE = {"input_tokens": 7, "output_tokens": 3}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "output": [], "usage": USAGE}}
TURN = (CREATE, LIMITS, CREATED, SPOKEN, COMPLETED)


def socket_of(*events: dict[str, Any], over: bool = False) -> WebSocketData:
    """One message a second."""
    messages = [
        WebSocketMessage(Opcode.TEXT, each["type"] == "response.create", json.dumps(each).encode(), NOW + at)
        for at, each in enumerate(events)
    ]
    made = WebSocketData(messages)
    made.timestamp_end = NOW + 99 if over else None
    return made


def summaries(socket: WebSocketData) -> list[str]:
    found = []
    for message in socket.messages:
        kind = wire.event(wire.text_of(message.content)).kind
        turn = None if message.from_client else turn_of(socket, message, kind)
        if turn is not None:
            found.append("\n".join(turn.summary("work", nobody)))
    return found


def test_each_turn_has_one_summary() -> None:
    first, second = summaries(socket_of(*TURN, *TURN))
    assert first.startswith("turn: 1, 4.0 s\naccount: work\nmodel: gpt\nresponse: resp_1\nended: completed\n")
    assert second.startswith("turn: 2, 4.0 s\n")


def test_it_holds_what_the_last_event_does_not_repeat() -> None:
    (told,) = summaries(socket_of(*TURN))
    assert "  - assistant: Hello" in told
    assert "codex, 5h: 71 % used" in told
    assert "tokens: 7 in, 3 out" in told


def test_a_turn_that_failed_says_why() -> None:
    (told,) = summaries(socket_of(CREATE, {"type": "error", "status": 429, "error": {"code": "usage_limit_reached"}}))
    assert 'ended: "error: 429 usage_limit_reached' in told


def test_one_that_was_broken_off_is_told_at_its_last_message() -> None:
    assert summaries(socket_of(CREATE, CREATED, SPOKEN)) == []  # it may go on
    (told,) = summaries(socket_of(CREATE, CREATED, SPOKEN, over=True))
    assert "ended: cut off, no event says that the answer is complete" in told
    assert "  - assistant: Hello" in told


def test_what_comes_after_a_turn_is_none() -> None:
    assert len(summaries(socket_of(*TURN, {"type": "keepalive"}, over=True))) == 1


def test_of_a_turn_whose_beginning_is_not_kept_the_rest_is_told() -> None:
    (told,) = summaries(socket_of(CREATED, SPOKEN, COMPLETED))
    assert told.startswith("account: work\n")
    assert "  - assistant: Hello" in told


def test_a_message_of_no_socket_is_told_by_itself() -> None:
    message = socket_of(COMPLETED).messages[0]
    turn = turn_of(None, message, "response.completed")
    assert turn is not None
    assert "ended: completed" in turn.summary("", nobody)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (LIMITS, "codex.rate_limits: 5h 71 % used"),
        (CREATED, "event: response.created"),
        (SPOKEN, 'response.output_item.done: "assistant: Hello"'),
        ({"type": "response.output_text.done", "text": "Hello"}, "response.output_text.done: Hello"),
        ({"type": "response.content_part.done", "part": {"text": "Hello"}}, "event: response.content_part.done"),
        ({"type": "codex.something_new", "x": 1}, """codex.something_new: '{"x": 1}'"""),
        ({"x": 1}, """event without a type: '{"x": 1}'"""),
    ],
)
def test_any_other_event_is_one_line(event: dict[str, Any], told: str) -> None:
    assert line(wire.event(json.dumps(event)), nobody) == told


def test_a_long_text_is_folded() -> None:
    told = line(wire.event(json.dumps({"type": "response.output_text.done", "text": "word\n" * 500})), nobody)
    assert "\n" not in told
    assert "501 lines" in told
