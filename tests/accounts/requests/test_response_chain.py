"""What a request continues is kept as it passed, within bounds, and goes along to a server that knows nothing."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.requests.response_chain import ResponseChain, previous_in, response_id_in
from tests.rows import all_rows


def request(*texts: str, previous: str = "", **more: Any) -> bytes:
    items = [{"type": "message", "text": each} for each in texts]
    named = {"previous_response_id": previous} if previous else {}
    return json.dumps({"type": "response.create", "model": "m", **named, "input": items, **more}).encode()


def created(name: str) -> bytes:
    return json.dumps({"type": "response.created", "response": {"id": name, "status": "in_progress"}}).encode()


def completed(name: str) -> bytes:
    return json.dumps({"type": "response.completed", "response": {"object": "response", "id": name}}).encode()


def item(text: str) -> bytes:
    return json.dumps({"type": "response.output_item.done", "item": {"type": "message", "text": text}}).encode()


def answered(chain: ResponseChain, asked: bytes, name: str, *texts: str) -> None:
    chain.asks(asked)
    chain.begins(created(name))
    for each in texts:
        chain.gives(item(each))
    chain.ends(completed(name))


def texts_in(body: bytes | None) -> list[str]:
    assert body is not None
    read = json.loads(body)
    assert "previous_response_id" not in read
    return [each["text"] for each in read["input"]]


@all_rows(
    ("body", "named"),
    [
        (request("a", previous="resp_1"), "resp_1"),
        (request("a"), ""),
        (request('{"previous_response_id":"resp_2"}'), ""),
        (request(', "previous_response_id": "resp_2"'), ""),
        (b'{"previous_response_id":null,"input":[]}', ""),
        (b'{"model":"m" ,\n "previous_response_id" : "resp_3"}', "resp_3"),
        (b"", ""),
        (b"{", ""),
    ],
)
def test_what_a_request_continues_is_read_from_its_own_field(body: bytes, named: str) -> None:
    assert previous_in(body) == named


def test_the_id_of_a_response_is_read_wherever_it_stands() -> None:
    assert response_id_in(created("resp_1")) == response_id_in(completed("resp_1")) == "resp_1"
    assert response_id_in(b'{"type":"response.created"}') == ""


def test_a_request_that_continues_nothing_is_whole_as_it_is() -> None:
    chain, body = ResponseChain(), request("a")
    assert chain.is_whole(body)
    assert chain.is_known(body)
    assert chain.whole(body) is body


def test_a_request_goes_with_all_that_it_continues() -> None:
    chain = ResponseChain()
    answered(chain, request(generate=False), "resp_0")
    answered(chain, request("a", "b", previous="resp_0"), "resp_1", "c")
    answered(chain, request("d", previous="resp_1"), "resp_2", "e", "f")
    asked = request("g", previous="resp_2")
    assert chain.is_known(asked)
    chain.moved()
    assert not chain.is_known(asked)
    assert chain.is_whole(asked)
    assert texts_in(chain.whole(asked)) == ["a", "b", "c", "d", "e", "f", "g"]
    read = json.loads(chain.whole(asked) or b"")
    assert (read["type"], read["model"]) == ("response.create", "m")


def test_items_stay_as_they_were_written() -> None:
    chain = ResponseChain()
    chain.asks(b'{"type":"response.create","input":[{"n":1.50,"s":"\\u00e9 \\/"}]}')
    chain.begins(created("resp_1"))
    chain.gives(b'{"type":"response.output_item.done", "item": {"big": 12345678901234567890, "x":"\\u2028"} }')
    chain.ends(completed("resp_1"))
    got = chain.whole(b'{"type":"response.create","previous_response_id":"resp_1","input":[ {"t":"\xc3\xa9"} ]}')
    wanted = (
        b'{"type":"response.create","input":[{"n":1.50,"s":"\\u00e9 \\/"},'
        b'{"big": 12345678901234567890, "x":"\\u2028"},{"t":"\xc3\xa9"}]}'
    )
    assert got == wanted


def test_a_response_of_another_socket_is_not_known() -> None:
    chain = ResponseChain()
    answered(chain, request("a"), "resp_1", "b")
    stranger = request("c", previous="resp_9")
    assert not chain.is_whole(stranger)
    assert not chain.is_known(stranger)
    assert chain.whole(stranger) is None


def test_an_answer_that_came_to_nothing_is_no_link() -> None:
    chain = ResponseChain()
    chain.asks(request("a"))
    chain.begins(created("resp_1"))
    chain.gives(item("b"))
    chain.asks(request("c", previous="resp_1"))
    assert not chain.is_whole(request("c", previous="resp_1"))


def test_what_was_not_passed_on_of_an_answer_is_not_in_the_next_request() -> None:
    chain = ResponseChain()
    chain.asks(request("a"))
    chain.begins(created("resp_1"))
    chain.gives(item("lost"))
    chain.starts_again()
    chain.begins(created("resp_2"))
    chain.gives(item("b"))
    chain.ends(completed("resp_2"))
    chain.moved()
    assert texts_in(chain.whole(request("c", previous="resp_2"))) == ["a", "b", "c"]


def test_an_answer_that_we_have_ended_is_unknown_to_the_server() -> None:
    chain = ResponseChain()
    chain.asks(request("a"))
    chain.begins(created("resp_1"))
    chain.gives(item("b"))
    chain.ends(b"")
    asked = request("c", previous="resp_1")
    assert not chain.is_known(asked)
    assert texts_in(chain.whole(asked)) == ["a", "b", "c"]


def test_beyond_its_bound_everything_is_forgotten_until_a_request_is_whole() -> None:
    chain = ResponseChain(most=2_000)
    answered(chain, request("a"), "resp_1", "x" * 3_000)
    assert chain.size == 0
    assert not chain.is_whole(request("b", previous="resp_1"))
    answered(chain, request("c"), "resp_2", "d")
    assert chain.is_whole(request("e", previous="resp_2"))
    assert chain.size <= 2_000


def test_what_is_continued_no_more_is_forgotten() -> None:
    chain = ResponseChain()
    answered(chain, request("a" * 500), "resp_1", "b" * 500)
    answered(chain, request("c"), "resp_2")
    assert chain.size < 500
    assert not chain.is_whole(request("d", previous="resp_1"))


@all_rows("damaged", [b'{"input":"text"}', b"{}", b"[]", b"\xff", b'{"input":[1,}', b""])
def test_what_cannot_be_read_is_not_sent_elsewhere(damaged: bytes) -> None:
    chain = ResponseChain()
    answered(chain, damaged, "resp_1")
    assert chain.whole(request("a", previous="resp_1")) is None


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.lists(st.text(max_size=3), max_size=3), st.lists(st.text(max_size=3), max_size=3)), max_size=6
    )
)
def test_whatever_was_said_comes_along_once_and_in_order(turns: list[tuple[list[str], list[str]]]) -> None:
    chain, before, expected = ResponseChain(), "", list[str]()
    for number, (asked, given_back) in enumerate(turns):
        name = f"resp_{number}"
        answered(chain, request(*asked, previous=before), name, *given_back)
        expected += [*asked, *given_back]
        before = name
    assert texts_in(chain.whole(request("end", previous=before))) == [*expected, "end"]
    assert chain.size == sum(link.size for link in chain._links.values())
