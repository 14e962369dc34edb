"""What goes along when a conversation is taken over, between two answers and in the middle of one."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts.choice.decision_record import DECISION, Done, read_record
from accounts.turn.state import CLIENT_SECONDS
from addons.attempts.protocol import Put, Say, SocketStep
from addons.exchange.sockets.pooled_socket import HELD, PooledSocket
from addons.wire.answers import RECONNECT
from tests.addons.exchange.sockets.talking import (
    COMPLETED,
    DELTA,
    LIMIT,
    A,
    B,
    asked,
    event,
    failed,
    limited,
    opens,
    pause_of,
    put,
    refused,
    rest,
    step_of,
    waited,
)
from tests.builders import Clock

# --- in mid-answer ---------------------------------------------------------------------------------------------------

ASKED = b'{"type":"response.create","model":"gpt","input":[{"type":"message","role":"user","content":"hi"}]}'
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "one"}]}
CALL = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "exec", "input": "1"}


def item(kind: str, what: dict[str, Any], number: int) -> bytes:
    return event(f"response.output_item.{kind}", output_index=0, item=what, sequence_number=number)


@pytest.fixture
def answering(socket: PooledSocket) -> PooledSocket:
    """A turn under way, of whose answer the client has got a message and the beginning of another one."""
    socket.from_client(ASKED)
    begun = event("response.created", response={"id": "resp_1", "status": "in_progress"}, sequence_number=0)
    for message in (begun, item("added", MESSAGE, 1), item("done", MESSAGE, 2), item("added", MESSAGE, 3)):
        assert socket.from_server(message) is None
    return socket


DEATHS: dict[str, Callable[[PooledSocket, Clock], SocketStep | None]] = {
    "says so": lambda socket, _: step_of(socket, socket.from_server(LIMIT)),
    "says something else": lambda socket, _: step_of(socket, socket.from_server(failed("never_heard_of"))),
    "closes": lambda socket, _: socket.closed_upstream(1011),
    "is cut": lambda socket, _: socket.closed_upstream(1006),
    "falls silent": lambda socket, clock: (clock.advance(CLIENT_SECONDS - 30), socket.overdue())[1],
}


@pytest.mark.parametrize("dies", DEATHS.values(), ids=DEATHS)
def test_an_answer_goes_on_on_another_account_with_what_the_client_has_of_it(
    answering: PooledSocket, clock: Clock, dies: Callable[[PooledSocket, Clock], SocketStep | None]
) -> None:
    step = dies(answering, clock)
    assert step is not None
    assert asked(step) == "b"
    put = answering.opened()
    assert isinstance(put, Put)
    assert json.loads(put.content)["input"] == [*json.loads(ASKED)["input"], MESSAGE]
    told = answering.from_server(item("added", MESSAGE, 1))
    assert isinstance(told, bytes)
    assert json.loads(told)["sequence_number"] == 4, "numbers go on rising"
    answering.from_server(COMPLETED)
    answering.service.store.flush()
    (record,) = [each for each in answering.service.store.events(9) if each.kind == DECISION]
    assert read_record(record).done == Done.CONTINUED
    assert read_record(record).attempts[1].why == "continues after 4 events"


def test_after_a_tool_call_the_answer_ends_as_if_it_were_whole(answering: PooledSocket) -> None:
    answering.from_server(item("done", CALL, 4))
    told = answering.from_server(LIMIT)
    assert isinstance(told, bytes)
    ended = json.loads(told)
    assert (ended["type"], ended["response"]["id"]) == ("response.completed", "resp_1")
    assert ended["response"]["output"] == [MESSAGE, CALL]
    assert not answering.active
    assert answering.from_server(DELTA) is HELD, "nothing of it comes any more"
    output = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"}
    more = {"type": "response.create", "previous_response_id": "resp_1", "input": [output]}
    assert asked(step_of(answering, answering.from_client(json.dumps(more).encode()))) == "b"
    put = answering.opened()
    assert isinstance(put, Put)
    assert json.loads(put.content)["input"] == [*json.loads(ASKED)["input"], MESSAGE, CALL, output]


def test_with_mid_answer_set_to_client_the_client_asks_anew(answering: PooledSocket) -> None:
    assert answering.turns.turn is not None
    answering.turns.turn.mid_answer = False
    assert answering.from_server(LIMIT) == RECONNECT


def test_a_socket_that_closes_where_nobody_can_go_on_is_closed_for_the_client(answering: PooledSocket) -> None:
    rest(answering.service, B)
    answering.service.sync(at_once=True)
    assert answering.closed_upstream(1011) is None


# --- what a request continues ----------------------------------------------------------------------------------------


def ask(*texts: str, previous: str = "", items: tuple[dict[str, str], ...] = ()) -> bytes:
    given = [*({"type": "message", "text": each} for each in texts), *items]
    named = {"previous_response_id": previous} if previous else {}
    return json.dumps({"type": "response.create", "model": "gpt", **named, "input": given}).encode()


def answers(socket: PooledSocket, name: str, *texts: str) -> None:
    """The server answers with these items."""
    assert socket.from_server(event("response.created", response={"id": name})) is None
    for each in texts:
        done = event("response.output_item.done", item={"type": "message", "text": each})
        assert socket.from_server(done) is None
    assert socket.from_server(event("response.completed", response={"id": name})) is None


def texts_of(request: bytes) -> list[str]:
    read = json.loads(request)
    assert "previous_response_id" not in read
    return [each["text"] for each in read["input"]]


@pytest.fixture
def talking(socket: PooledSocket) -> PooledSocket:
    """Two turns of a conversation are over, the second continues the first."""
    for request, name, said in ((ask("1"), "resp_1", "one"), (ask("2", previous="resp_1"), "resp_2", "two")):
        assert socket.from_client(request) == request
        answers(socket, name, said)
    return socket


def test_a_request_that_continues_a_response_goes_elsewhere_with_its_history_and_without_the_name(
    talking: PooledSocket,
) -> None:
    request = ask("3", previous="resp_2")
    assert talking.from_client(request) == request
    limited(talking)
    assert texts_of(put(opens(talking))) == ["1", "one", "2", "two", "3"]
    answers(talking, "resp_3", "three")
    again = ask("4", previous="resp_3")
    assert talking.from_client(again) == again, "the server of now knows what it continues"


def test_a_request_that_continues_what_the_server_of_now_does_not_know_goes_with_its_history(
    talking: PooledSocket,
) -> None:
    """The turn that moved has come to nothing; the client goes on from the response before."""
    talking.from_client(ask("3", previous="resp_2"))
    limited(talking)
    opens(talking)
    talking.from_server(refused(400, "invalid_prompt"))
    told = talking.from_client(ask("3b", previous="resp_2"))
    assert isinstance(told, bytes)
    assert texts_of(told) == ["1", "one", "2", "two", "3b"]


def test_of_an_answer_that_failed_before_output_nothing_goes_along(talking: PooledSocket) -> None:
    talking.from_client(ask("3", previous="resp_2"))
    assert talking.from_server(event("response.created", response={"id": "resp_3"})) is None
    limited(talking)
    assert texts_of(put(opens(talking))) == ["1", "one", "2", "two", "3"]
    answers(talking, "resp_4", "three")
    request = ask("4", previous="resp_4")
    assert talking.from_client(request) == request
    assert isinstance(talking.closed_upstream(1000), Say), "nobody else is left"
    assert talking.service.pool.in_flight(B) == 0


SEALED = {"type": "reasoning", "encrypted_content": "sealed-by-a", "id": "rs_1"}
UNREADABLE = refused(400, "invalid_encrypted_content")


def test_what_the_account_cannot_read_is_left_out_on_the_same_socket(socket: PooledSocket) -> None:
    request = ask("1", items=(SEALED,))
    assert socket.from_client(request) == request
    assert pause_of(socket, socket.from_server(UNREADABLE)) == 0
    assert texts_of(put(waited(socket))) == ["1"]
    assert socket.service.pool.candidates[A].cooldown is None
    answers(socket, "resp_1")
    told = socket.from_client(request)
    assert isinstance(told, bytes)
    assert texts_of(told) == ["1"], "it is known from then on"


def test_what_the_next_account_cannot_read_of_the_history_is_left_out_on_its_socket(talking: PooledSocket) -> None:
    talking.from_client(ask("3", previous="resp_2", items=(SEALED,)))
    limited(talking)
    assert b"sealed-by-a" in put(opens(talking))
    assert pause_of(talking, talking.from_server(UNREADABLE)) == 0
    assert texts_of(put(waited(talking))) == ["1", "one", "2", "two", "3"]
    assert talking.turns.lease.key == B
