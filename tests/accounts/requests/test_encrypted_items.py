"""Sealed items: found in a request, left out of it, and nothing else changed."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.requests.encrypted_items import Sealed, found_in, holds_compaction, without
from tests.rows import all_rows

type Item = dict[str, Any]

USER: Item = {"type": "message", "id": "msg_01-02", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
MINE: Item = {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "gAAAAmine"}
OTHERS = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAAothers"}
SAID = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "shell", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "done"}
COMPACTION = {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAAAcompacted"}
CONTEXT = {"type": "context_compaction", "id": "cmp_2", "encrypted_content": "gAAAAcontext"}
KINDS = [USER, MINE, OTHERS, SAID, CALL, OUTPUT, COMPACTION, CONTEXT]


def digest(item: Item) -> str:
    return hashlib.sha256(item["encrypted_content"].encode()).hexdigest()[:16]


def nameless(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != "id"}


def request(*items: object, **beside: object) -> bytes:
    """A body as the client writes it: no space between anything."""
    body = {"model": "m", "input": list(items), "store": False} | beside
    return json.dumps(body, separators=(",", ":")).encode()


def left(body: bytes, **named: Any) -> list[Item]:
    """The items of a body that are left without what is named."""
    kept, dropped = without(body, **named)
    items: list[Item] = json.loads(kept)["input"]
    assert dropped == len(json.loads(body)["input"]) - len(items)
    return items


def test_what_is_sealed_is_found_by_kind_and_never_shown() -> None:
    found = found_in(request(USER, MINE, SAID, COMPACTION, OTHERS, CALL, OUTPUT, CONTEXT))
    assert found.reasoning == {digest(MINE), digest(OTHERS)}
    assert found.compactions == {digest(COMPACTION), digest(CONTEXT)}
    assert "gAAAA" not in repr(found)


@all_rows(
    "item",
    [
        pytest.param({"type": "reasoning", "summary": []}, id="nothing in it"),
        pytest.param({"type": "reasoning", "encrypted_content": None}, id="null"),
        pytest.param({"type": "reasoning", "encrypted_content": ""}, id="empty"),
        pytest.param({"type": "reasoning", "encrypted_content": {"a": "gAAAA"}}, id="no text"),
        pytest.param({"type": ["reasoning"], "encrypted_content": "gAAAA"}, id="type is no text"),
        pytest.param({"type": "compaction_trigger"}, id="trigger"),
        pytest.param({"type": "agent_message", "encrypted_content": "gAAAA"}, id="another type"),
        pytest.param({"type": "message", "content": [MINE]}, id="deeper down"),
        pytest.param("encrypted_content", id="a text"),
    ],
)
def test_other_items_are_not_sealed_and_stay(item: object) -> None:
    body = request(item, encrypted_content="gAAAA")
    assert found_in(body) == Sealed()
    assert without(body, reasoning=None)[0] is body


def test_a_websocket_message_is_read_on_top_and_in_its_response() -> None:
    flat = request(USER, MINE, type="response.create", previous_response_id="resp_1")
    nested = json.dumps({"type": "response.create", "response": {"input": [MINE, USER], "model": "m"}}).encode()
    for message in (flat, nested):
        assert found_in(message) == Sealed(reasoning=frozenset({digest(MINE)}))
        kept, dropped = without(message, reasoning=None)
        assert dropped == 1
        assert found_in(kept) == Sealed()
        assert b"msg_01-02" in kept


def test_all_reasoning_goes_and_what_followed_it_stays_without_its_id() -> None:
    body = request(USER, MINE, SAID, CALL, OUTPUT, OTHERS, SAID, USER)
    assert left(body, reasoning=None) == [USER, nameless(SAID), nameless(CALL), OUTPUT, nameless(SAID), USER]


def test_only_the_reasoning_that_is_named_goes() -> None:
    """What follows reasoning that stays keeps the id by which they are paired."""
    body = request(USER, MINE, SAID, CALL, OUTPUT, OTHERS, SAID, CALL, USER, SAID)
    rest = [OUTPUT, OTHERS, SAID, CALL, USER, SAID]
    assert left(body, reasoning=frozenset({digest(MINE)})) == [USER, nameless(SAID), nameless(CALL), *rest]


def test_reasoning_that_stays_ends_what_belonged_to_the_one_before_it() -> None:
    assert left(request(MINE, OTHERS, CALL), reasoning=frozenset({digest(MINE)})) == [OTHERS, CALL]
    unsealed = {"type": "reasoning", "id": "rs_3", "summary": []}
    assert left(request(MINE, unsealed, CALL), reasoning=None) == [unsealed, CALL]


@all_rows(
    "item",
    [
        pytest.param({"type": "image_generation_call", "id": "ig_1", "result": ""}, id="needs its id"),
        pytest.param({"type": "item_reference", "id": "msg_1"}, id="is nothing but an id"),
        pytest.param(OUTPUT, id="the client's own"),
        pytest.param(COMPACTION, id="sealed together with its id"),
        pytest.param(USER, id="the user's"),
        pytest.param({"type": "additional_tools", "id": "at_1", "role": "developer", "tools": []}, id="tools"),
    ],
)
def test_an_id_that_is_needed_or_that_no_model_gave_stays(item: Item) -> None:
    assert left(request(MINE, item), reasoning=None) == [item]


def test_calls_under_way_together_all_lose_the_id() -> None:
    """Outputs may stand between them."""
    second = CALL | {"id": "fc_2", "call_id": "call_2"}
    body = request(MINE, CALL, OUTPUT, second, OUTPUT)
    assert left(body, reasoning=None) == [nameless(CALL), OUTPUT, nameless(second), OUTPUT]


def test_a_compaction_goes_only_by_name() -> None:
    body = request(USER, COMPACTION, SAID, CONTEXT, USER)
    assert without(body, reasoning=None)[0] is body
    named = frozenset({digest(COMPACTION)})
    assert left(body, reasoning=frozenset(), compactions=named) == [USER, SAID, CONTEXT, USER]
    assert left(body, reasoning=None, compactions=named | {digest(CONTEXT)}) == [USER, SAID, USER]


def test_a_digest_names_items_of_its_own_kind() -> None:
    body = request(MINE, COMPACTION)
    assert without(body, reasoning=frozenset({digest(COMPACTION)}), compactions=frozenset({digest(MINE)}))[0] is body


@all_rows(
    "body",
    [
        pytest.param(request(USER, SAID), id="nothing sealed"),
        pytest.param(b"", id="empty"),
        pytest.param(b"encrypted_content", id="no json"),
        pytest.param(b'{"input":[' + json.dumps(MINE).encode() + b"]", id="cut"),
        pytest.param(b'{"input":[' + json.dumps(MINE).encode() + b",]}", id="a comma too many"),
        pytest.param(request(MINE) + b"{}", id="two"),
        pytest.param(b'{1:{"input":' + json.dumps([MINE]).encode() + b"}}", id="a number as a name"),
        pytest.param(json.dumps([MINE]).encode(), id="an array"),
        pytest.param(json.dumps({"input": MINE}).encode(), id="input is an object"),
        pytest.param(json.dumps({"input": json.dumps([MINE])}).encode(), id="input is a text"),
        pytest.param(json.dumps({"response": [{"input": [MINE]}]}).encode(), id="response is an array"),
        pytest.param(request(MINE).replace(b"gAAAA", b"\xff"), id="no utf-8"),
        pytest.param(request(MINE).decode().encode("utf-16"), id="utf-16"),
        pytest.param(b'{"encrypted_content":' + b"[" * 200_000, id="too deep"),
        pytest.param(b'{"response":' * 200_000 + b'"encrypted_content"', id="too deep where it is walked"),
    ],
)
def test_what_is_not_understood_or_holds_nothing_comes_back_as_it_is(body: bytes) -> None:
    assert found_in(body) == Sealed()
    kept, dropped = without(body, reasoning=None, compactions=frozenset({digest(COMPACTION)}))
    assert kept is body
    assert dropped == 0


def test_without_anything_named_the_body_is_not_even_read() -> None:
    body = request(MINE, SAID, COMPACTION)
    assert without(body, reasoning=frozenset())[0] is body
    assert without(body, reasoning=frozenset({"0" * 16}))[0] is body


def test_what_stays_is_copied_as_it_is_written() -> None:
    """Numbers of any size and form, escapes, lone surrogates, doubled names, space inside: all byte for byte."""
    first = rb'{"type":"message", "role":"user","a":1.10,"b":1e400,"c":-0.0,"d":' + b"9" * 5000 + b"}"
    second = rb'{ "type":"message","role":"user","text":"\ud800 \u00e9 ' + "é🙂".encode() + rb' \/","text":"twice" }'
    third = b'{"type":"function_call" , "id" : "fc_1","call_id":"call_1","arguments":"{\\"id\\":1.0}" }'
    around = b'{"model":"m","n":1.0,"input":[%s],"seed":123456789012345678901234567890.5e-7,"x":"\\ud83d"}'
    mine = json.dumps(MINE).encode()
    given_items = b" ,\n".join([first, mine, third, second, mine])
    expected = b",".join([first, b'{"type":"function_call","call_id":"call_1","arguments":"{\\"id\\":1.0}"}', second])
    assert without(around % given_items, reasoning=None) == (around % expected, 2)


def test_a_digest_is_of_the_content_however_it_is_escaped() -> None:
    """The first 16 hexadecimal digits of the SHA-256; a lone surrogate is no obstacle."""
    escaped = request(MINE).replace(b"gAAAA", rb"\u0067AAAA")
    assert found_in(escaped) == found_in(request(MINE))
    odd = request(MINE | {"encrypted_content": "\ud800"})
    [found] = found_in(odd).reasoning
    assert without(odd, reasoning=frozenset({found}))[1] == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
items = st.lists(st.sampled_from(KINDS) | json_values, max_size=12)
digests = st.frozensets(st.sampled_from([digest(MINE), digest(OTHERS), digest(COMPACTION), digest(CONTEXT)]))


@given(
    items,
    st.dictionaries(st.text().filter(lambda name: name not in {"input", "response"}), json_values, max_size=4),
    st.none() | digests,
    digests,
    st.booleans(),
)
def test_exactly_what_is_named_goes_and_the_rest_is_as_it_was(
    given_items: list[Any],
    beside: dict[str, Any],
    reasoning: frozenset[str] | None,
    compactions: frozenset[str],
    ascii_only: bool,
) -> None:
    body = json.dumps({"input": given_items} | beside, ensure_ascii=ascii_only).encode("utf-8", "replace")
    stay = [
        item
        for item in json.loads(body)["input"]
        if not (item in (MINE, OTHERS) and (reasoning is None or digest(item) in reasoning))
        and not (item in (COMPACTION, CONTEXT) and digest(item) in compactions)
    ]
    kept, dropped = without(body, reasoning=reasoning, compactions=compactions)
    assert dropped == len(given_items) - len(stay)
    assert (kept is body) == (dropped == 0)
    after = json.loads(kept)
    assert {**after, "input": []} == {**json.loads(body), "input": []}
    assert list(after) == list(json.loads(body))
    for was, now in zip(stay, after["input"], strict=True):
        assert now == was or (was in (SAID, CALL) and now == nameless(was))
    if dropped:
        assert without(kept, reasoning=reasoning, compactions=compactions) == (kept, 0)


@given(st.binary() | st.text().map(str.encode), st.integers(0, 400), st.binary(max_size=3))
def test_nothing_raises(noise: bytes, place: int, spoilt: bytes) -> None:
    whole = request(USER, MINE, SAID, COMPACTION)
    done = b'{"type":"response.output_item.done","item":{"type":"compaction"}}'
    for body in (noise, whole[:place] + spoilt + whole[place + 1 :], whole[:place] + noise):
        found_in(body)
        kept, dropped = without(body, reasoning=None, compactions=frozenset({digest(COMPACTION)}))
        assert (kept is body) == (dropped == 0)
    holds_compaction(noise + done[:place] + spoilt + done[place + 1 :])


@all_rows(
    ("event", "expected"),
    [
        ({"type": "response.output_item.done", "output_index": 0, "item": COMPACTION}, True),
        ({"type": "response.output_item.done", "item": CONTEXT}, True),
        ({"type": "response.output_item.done", "item": {"type": "compaction_summary"}}, True),
        ({"type": "response.output_item.done", "item": SAID | {"content": "compaction"}}, False),
        ({"type": "response.output_item.done", "item": {"type": ["compaction"]}}, False),
        ({"type": "response.output_item.done", "item": "compaction"}, False),
        ({"type": "response.completed", "response": {"output": [COMPACTION], "a": "response.output_item.done"}}, False),
        ({"type": "response.output_text.delta", "delta": "compaction"}, False),
        (["response.output_item.done", "compaction"], False),
        ({"type": "response.output_item.done", "item": MINE}, False),
    ],
)
def test_an_event_holds_a_compaction_when_its_item_is_one(event: object, expected: bool) -> None:
    assert holds_compaction(json.dumps(event).encode()) is expected


@all_rows("end", [b"", b"[" * 200_000, b"\xff", b" compaction"])
def test_an_event_that_is_no_json_holds_none(end: bytes) -> None:
    assert not holds_compaction(b'{"type":"response.output_item.done","item":{"type":"compaction"},"x":' + end)
