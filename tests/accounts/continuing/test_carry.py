"""What becomes of an answer whose account dies, for any items and a death at any event."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.continuing import carry
from accounts.continuing.carry import Carry
from accounts.continuing.delivered import DeliveredAnswer
from accounts.continuing.numbers import Renumbering
from accounts.requests import encrypted_items
from tests.rows import all_rows

ASKED: dict[str, Any] = {
    "model": "m",
    "input": [{"type": "message", "role": "user", "content": "hi"}],
    "store": False,
    "text": {"verbosity": "low"},
}
CALLS = ("function_call", "custom_tool_call", "local_shell_call")
SAID = ("message", "web_search_call", "image_generation_call")


def item(kind: str, number: int) -> dict[str, Any]:
    body: dict[str, Any] = {"id": f"{kind}_{number}", "type": kind}
    if kind == "reasoning":
        body["encrypted_content"] = f"sealed {number}"
    if kind in CALLS:
        body["call_id"] = f"call_{number}"
    return body


def answer(kinds: list[str], *, first: int = 0, number: int | None = 0) -> list[dict[str, Any]]:
    """The events of an answer with these items, without its end."""
    events: list[dict[str, Any]] = [{"type": "response.created", "response": {"id": f"resp_{first}", "model": "m"}}]
    for index, kind in enumerate(kinds):
        whole = item(kind, first + index)
        events.append({"type": "response.output_item.added", "output_index": index, "item": whole})
        events.append({"type": "response.output_text.delta", "delta": "…", "output_index": index})
        events.append({"type": "response.output_item.done", "output_index": index, "item": whole})
    if number is not None:
        events = [{**each, "sequence_number": number + at} for at, each in enumerate(events)]
    return events


def give(delivered: DeliveredAnswer, events: list[dict[str, Any]]) -> None:
    for event in events:
        delivered.passed(event["type"], json.dumps(event).encode())


def given_of(events: list[dict[str, Any]], workspace: str = "one") -> DeliveredAnswer:
    delivered = DeliveredAnswer()
    delivered.part(workspace)
    give(delivered, events)
    return delivered


def way(kinds: list[str], asked: dict[str, Any] = ASKED, more: list[dict[str, Any]] | None = None) -> Carry:
    return carry.way_of(given_of(answer(kinds) + (more or [])), json.dumps(asked).encode())


@all_rows(
    ("kinds", "expected"),
    [
        ([], Carry.CONTINUE),
        (["reasoning"], Carry.CONTINUE),
        (["reasoning", "message"], Carry.CONTINUE),
        (["web_search_call", "image_generation_call", "message"], Carry.CONTINUE),
        (["reasoning", "message", "function_call"], Carry.COMPLETE),
        (["custom_tool_call", "message"], Carry.COMPLETE),
        (["local_shell_call"], Carry.COMPLETE),
        (["mcp_call"], Carry.CLIENT),
        (["code_interpreter_call"], Carry.CLIENT),
        (["compaction"], Carry.CLIENT),
        (["function_call", "something_new"], Carry.CLIENT),
    ],
)
def test_what_is_complete_says_what_is_done(kinds: list[str], expected: Carry) -> None:
    assert way(kinds) is expected


def test_an_open_item_of_a_kind_that_nobody_knows_is_left_to_the_client() -> None:
    added = {"type": "response.output_item.added", "output_index": 1, "item": {"type": "novelty"}}
    assert way(["message"], more=[added]) is Carry.CLIENT


def test_of_parallel_calls_those_that_are_complete_are_run() -> None:
    added = {"type": "response.output_item.added", "output_index": 1, "item": item("function_call", 1)}
    delivered = given_of([*answer(["function_call"]), added])
    assert carry.way_of(delivered, json.dumps(ASKED).encode()) is Carry.COMPLETE
    output = json.loads(carry.completed(delivered))["response"]["output"]
    assert output == [item("function_call", 0)]
    assert delivered.open_kinds == ("function_call",)


@pytest.mark.parametrize("kinds", [[], ["message"], ["function_call"]])
def test_an_answer_that_upstream_stores_is_left_to_the_client(kinds: list[str]) -> None:
    assert way(kinds, {**ASKED, "store": True}) is Carry.CLIENT


def test_a_structured_answer_goes_on_only_before_its_first_message() -> None:
    asked = {**ASKED, "text": {"format": {"type": "json_schema", "schema": {}}}}
    begun = {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message"}}
    assert way(["reasoning"], asked) is Carry.CONTINUE
    assert way(["reasoning"], asked, [begun]) is Carry.CLIENT


@all_rows("request_body", [b"", b"no json", b"[]", b'{"input": "hi"}', b"{}"])
def test_a_request_that_cannot_be_added_to_is_left_to_the_client(request_body: bytes) -> None:
    assert carry.way_of(given_of(answer(["message"])), request_body) is Carry.CLIENT


def test_a_request_that_names_an_answer_before_it_is_not_whole() -> None:
    assert way(["message"], {**ASKED, "previous_response_id": "resp_0"}) is Carry.CLIENT
    assert way(["function_call"], {**ASKED, "previous_response_id": "resp_0"}) is Carry.COMPLETE


def test_an_item_that_cannot_be_read_is_left_to_the_client() -> None:
    delivered = given_of(answer(["message"]))
    delivered.passed("response.output_item.done", b'{"type":"response.output_item.done","item":{"ty')
    assert carry.way_of(delivered, json.dumps(ASKED).encode()) is Carry.CLIENT


def test_more_than_can_be_kept_is_left_to_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.continuing.delivered.MOST_KEPT", 50)
    delivered = given_of(answer(["message", "message"]))
    assert carry.way_of(delivered, json.dumps(ASKED).encode()) is Carry.CLIENT
    assert delivered.items == []


def test_the_request_is_the_same_but_for_what_is_added_to_its_input() -> None:
    asked = b'{ "n": 1e400, "input" : [ {"a":"\\u00e9"} ] , "store":false}'
    delivered = given_of(answer(["message"]))
    text = delivered.items[0].text
    assert carry.continued(asked, delivered, "two") == (
        b'{ "n": 1e400, "input" : [ {"a":"\\u00e9"},' + text.encode() + b'] , "store":false}'
    )
    assert carry.continued(b'{"input":[]}', delivered, "") == b'{"input":[' + text.encode() + b"]}"


def test_with_nothing_complete_the_request_stays_as_it_is() -> None:
    asked = json.dumps(ASKED).encode()
    assert carry.continued(asked, given_of(answer(["reasoning"])), "two") is asked


def test_reasoning_goes_only_where_it_can_be_read_and_what_followed_it_is_not_paired_elsewhere() -> None:
    delivered = given_of(answer(["reasoning", "message", "reasoning"]))
    here = carry.carried(delivered.items, "one")
    there = carry.carried(delivered.items, "two")
    assert [json.loads(each) for each in here] == [item("reasoning", 0), item("message", 1)]
    assert [json.loads(each) for each in there] == [{"type": "message"}]


def test_an_answer_that_ends_here_has_the_head_the_items_and_the_number_that_the_client_expects() -> None:
    delivered = given_of(answer(["reasoning", "function_call"]))
    event = json.loads(carry.completed(delivered))
    assert event == {
        "type": "response.completed",
        "sequence_number": 7,
        "response": {
            "id": "resp_0",
            "model": "m",
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "output": [item("reasoning", 0), item("function_call", 1)],
            "usage": None,
        },
    }


def test_tokens_that_a_failure_names_are_known() -> None:
    failed = {"type": "response.failed", "response": {"usage": {"input_tokens": 7}}}
    delivered = given_of([*answer(["function_call"]), failed])
    assert json.loads(carry.completed(delivered))["response"]["usage"] == {"input_tokens": 7}


def test_an_answer_without_a_head_cannot_be_ended() -> None:
    delivered = given_of(answer(["function_call"])[1:])
    assert carry.way_of(delivered, json.dumps(ASKED).encode()) is Carry.CLIENT


KINDS = st.lists(st.sampled_from(["reasoning", *SAID, *CALLS]), max_size=6)


class Client:
    """Keeps what is complete, and drops what was open when another answer begins or the stream ends."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.numbers: list[int] = []
        self.is_over = False

    def hear(self, data: bytes) -> None:
        event = json.loads(data)
        self.numbers.append(event.get("sequence_number", -1))
        if event["type"] == "response.output_item.done":
            self.items.append(event["item"])
        self.is_over = self.is_over or event["type"] == "response.completed"


@given(KINDS, KINDS, st.data())
def test_whenever_it_dies_the_client_has_each_item_once_and_the_next_account_knows_them(
    first: list[str], second: list[str], data: st.DataObject
) -> None:
    events = answer(first)
    dies = data.draw(st.integers(1, len(events)))
    client, delivered = Client(), DeliveredAnswer()
    delivered.part("one")
    for event in events[:dies]:
        told = json.dumps(event).encode()
        client.hear(told)
        delivered.passed(event["type"], told)
    asked = json.dumps(ASKED).encode()
    had = list(client.items)
    found = carry.way_of(delivered, asked)
    calls = any(each["type"] in CALLS for each in had)
    assert found is (Carry.COMPLETE if calls else Carry.CONTINUE)
    if found is Carry.COMPLETE:
        told = carry.completed(delivered)
        client.hear(told)
        assert json.loads(told)["response"]["output"] == had
        assert client.items == had
    else:
        request = carry.continued(asked, delivered, "two")
        assert request is not None
        sent = json.loads(request)["input"][1:]
        assert [each["type"] for each in sent] == [each["type"] for each in had if each["type"] != "reasoning"]
        assert not encrypted_items.found_in(request).reasoning
        delivered.part("two")
        renumbering = Renumbering(delivered.last_number)
        for event in answer(second, first=100):
            told = renumbering.passing(json.dumps(event).encode())
            client.hear(told)
            delivered.passed(event["type"], told)
        assert client.items == had + [item(kind, 100 + at) for at, kind in enumerate(second)]
        assert [json.loads(each.text) for each in delivered.items] == client.items
    assert client.numbers == sorted(set(client.numbers))
