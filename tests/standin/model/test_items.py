"""Each kind of item as it goes over the wire."""

import json

from standin.model import (
    CustomCall,
    FunctionCall,
    ImageGeneration,
    Item,
    LocalShellCall,
    Message,
    Reasoning,
    Structured,
    Unknown,
    WebSearch,
    shell_call,
)
from standin.model.items import Compaction
from tests.rows import all_rows

EVERY = (
    Reasoning(),
    Reasoning("Let me think."),
    Message("one two"),
    Structured({"a": 1}),
    FunctionCall("sleep", {"duration_ms": 5}, "clock"),
    CustomCall("exec", "text(1)"),
    LocalShellCall(("echo", "hi")),
    WebSearch("weather"),
    ImageGeneration("a dot"),
    Unknown(),
    Compaction(),
)


@all_rows("item", EVERY, ids=lambda item: type(item).__name__)
def test_an_item_is_added_first_and_done_last(item: Item) -> None:
    """What comes in between is part of it, and it is whole at the end only."""
    made = item.made("blob")
    first, *inner, last = made.events(3)
    assert (first["type"], last["type"]) == ("response.output_item.added", "response.output_item.done")
    assert first["item"]["id"] == last["item"]["id"] == made.item["id"]
    assert last["item"] == made.item
    assert {event["output_index"] for event in (first, *inner, last)} == {3}
    assert all(event["item_id"] == made.item["id"] for event in inner)
    assert not inner or first["item"] != made.item


@all_rows("item", EVERY, ids=lambda item: type(item).__name__)
def test_no_two_items_have_the_same_id(item: Item) -> None:
    assert item.made("").item["id"] != item.made("").item["id"]


@all_rows("item", EVERY, ids=lambda item: type(item).__name__)
def test_only_what_is_sealed_holds_the_seal(item: Item) -> None:
    assert ("blob" in json.dumps(item.made("blob").item)) == item.sealed


def test_a_text_is_spelled_word_by_word() -> None:
    for item in (Message("one two  three"), Reasoning("one two  three"), CustomCall("exec", "one two  three")):
        assert "".join(event.get("delta", "") for event in item.made("").inner) == "one two  three"


def test_a_shell_call_quotes_its_command() -> None:
    assert shell_call('echo "hi"').text == 'text((await tools.exec_command({cmd: "echo \\"hi\\""})).output)'
