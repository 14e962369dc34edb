"""The events of one answer."""

import json

import pytest

from standin.model import Item, Message, Reasoning
from standin.responses import Answer, Ask, assemble, parse, rate_limits_event, sse


def ask(**body: object) -> Ask:
    parsed = parse(json.dumps({"model": "m", "input": []} | body))
    assert parsed
    return parsed


def compose(asked: Ask, *items: Item) -> Answer:
    return assemble(asked, [item.made("blob") for item in items], now=5.0)


def test_the_order_of_events() -> None:
    """From created to completed, the text word by word, numbered without gaps."""
    answer = compose(ask(), Message("one two\nthree"))
    assert [event["type"].removeprefix("response.") for event in answer.events] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert "".join(event.get("delta", "") for event in answer.events) == "one two\nthree"
    assert [event["sequence_number"] for event in answer.events] == list(range(11))
    assert answer.events[answer.first_output - 1]["delta"] == "one "


def test_completed() -> None:
    """The last event has the id, the output and the usage the client reads."""
    answer = compose(ask(), Reasoning(), Message("one two"))
    done = answer.events[-1]["response"]
    assert (done["id"], done["model"], done["created_at"]) == (answer.response_id, "m", 5)
    assert [item["type"] for item in done["output"]] == ["reasoning", "message"]
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens_details"]["reasoning_tokens"] == 4


def test_warm_up() -> None:
    """No output at all; "after output" is then the end."""
    answer = compose(ask(generate=False))
    assert [event["type"] for event in answer.events] == ["response.created", "response.completed"]
    assert answer.first_output == 1


def test_empty_and_blank_texts() -> None:
    """They come out as they went in."""
    for text in ("", " ", " a"):
        answer = compose(ask(), Message(text))
        assert "".join(event.get("delta", "") for event in answer.events) == text


def test_sealed_contents_are_found() -> None:
    """In whatever items they are."""
    items = [{"type": "reasoning", "encrypted_content": "a"}, {"type": "message"}, "x", {"encrypted_content": "b"}]
    assert list(ask(input=items).sealed) == ["a", "b"]
    assert list(ask(input="text").sealed) == []


@pytest.mark.parametrize("data", ["", "[]", "{", "null"])
def test_what_is_no_request(data: str) -> None:
    """Only a JSON object is one."""
    assert parse(data) is None


def test_sse() -> None:
    """An event is two lines and an empty one."""
    assert sse({"type": "a", "b": 1}) == b'event: a\ndata: {"type": "a", "b": 1}\n\n'


def test_rate_limits_event() -> None:
    """Windows as the client reads them."""
    event = rate_limits_event("plus", {"used_percent": 1}, None)
    assert (event["type"], event["plan_type"]) == ("codex.rate_limits", "plus")
    assert event["rate_limits"]["secondary"] is None
