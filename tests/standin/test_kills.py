"""Death at any event, chains, scripted answers and what is remembered of each attempt, over both transports."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from standin import Account, Fault, FaultKind, StandIn
from standin.model import End, Message, Reasoning, ViolationKind, shell_call
from tests.harness import eventually
from tests.standin.clients import RESPONSES, Http2Client, SocketClient, credentials, sse_events

type Open = Callable[[Account], SocketClient]

USER = {"type": "message", "role": "user", "id": "u1", "content": [{"type": "input_text", "text": "hi"}]}
STEPS = ([Reasoning(), Message("Looking."), shell_call("echo one")], [Message("Done.")])


def ask(http: httpx.Client, account: Account, *items: dict[str, Any]) -> httpx.Response:
    return http.post(RESPONSES, headers=credentials(account), json={"input": list(items)})


def done(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]


@pytest.mark.parametrize("number", range(13))
def test_an_answer_dies_before_any_event_or_after_all(
    upstream: StandIn, account: Account, ws_client: Open, number: int
) -> None:
    account.answer = "one two"
    upstream.fault("acc-1", Fault(FaultKind.SOCKET_CLOSED, before=number, close_code=1011))
    socket = ws_client(account)
    socket.create()
    came: list[Any] = []
    while isinstance(message := socket.receive(), dict):
        came.append(message["type"])
    assert message == 1011
    assert len(came) == min(number, 11)
    (attempt,) = upstream.attempts
    assert (attempt.delivered, attempt.events) == (min(number, 11), 11)
    assert (attempt.end, attempt.why) == (End.DIED, "socket_closed")


def test_a_close_frame_may_have_no_code(upstream: StandIn, account: Account, ws_client: Open) -> None:
    upstream.fault("acc-1", Fault(FaultKind.SOCKET_CLOSED, before=3, close_code=1005))
    assert ws_client(account).turn()[-1]["type"] == "response.in_progress"


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        (FaultKind.FAILED_EVENT, "response.failed"),
        (FaultKind.USAGE_LIMIT, "error"),
        (FaultKind.UNAUTHORIZED_INVALIDATED, "error"),
        (FaultKind.TRUNCATED, "response.output_item.added"),
        (FaultKind.CLOSE, "response.output_item.added"),
    ],
)
def test_every_kind_of_death_at_an_event_over_http(
    upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client], kind: FaultKind, last: str
) -> None:
    upstream.fault("acc-1", Fault(kind, before="response.content_part.added"))
    client = h2_client()
    answered = client.answer(client.ask("POST", RESPONSES, credentials(account), b'{"input": []}'))
    assert sse_events(answered.body.decode())[-1]["type"] == last
    assert (upstream.attempts[0].delivered, upstream.attempts[0].end) == (3, End.DIED)


def test_an_account_says_nothing_more(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """Until the connection ends."""
    upstream.fault("acc-1", Fault(FaultKind.STALL, before=4))
    socket = ws_client(account)
    socket.create()
    assert [socket.receive() for _ in range(4)]
    socket.socket.close()
    upstream.wait_for(lambda: upstream.attempts[0].end is End.LEFT)
    assert (upstream.attempts[0].delivered, upstream.attempts[0].why) == (4, "stall")


def test_whoever_is_struck_stays_so(upstream: StandIn, account: Account, other: Account, http: httpx.Client) -> None:
    """And uses up nothing that is meant for the next one."""
    for number in (2, 3):
        limit = Fault(FaultKind.USAGE_LIMIT)
        upstream.fault("*", Fault(FaultKind.FAILED_EVENT, before=number, then=limit), times=1)
    assert len(sse_events(ask(http, account).text)) == 3
    assert ask(http, account).status_code == 429
    assert len(sse_events(ask(http, other).text)) == 4


def test_a_fault_for_a_later_step_of_a_turn(
    upstream: StandIn, account: Account, other: Account, http: httpx.Client
) -> None:
    upstream.plays(*STEPS)
    upstream.fault("*", Fault(FaultKind.USAGE_LIMIT, step=1), times=1)
    items = done(sse_events(ask(http, account, USER).text))
    output = {"type": "custom_tool_call_output", "call_id": items[-1]["call_id"], "output": "one"}
    assert ask(http, account, USER, *items, output).status_code == 429
    assert [item["content"][0]["text"] for item in done(sse_events(ask(http, other, USER, *items, output).text))] == [
        "Done."
    ]


def test_an_account_answers_with_what_was_laid_ready(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    upstream.answers("acc-1", STEPS[0])
    assert [item["type"] for item in done(sse_events(ask(http, account, USER).text))] == [
        "reasoning",
        "message",
        "custom_tool_call",
    ]
    assert [item["type"] for item in done(sse_events(ask(http, account, USER).text))] == ["message"]


def test_the_whole_input_of_a_chain_is_known(upstream: StandIn, account: Account, ws_client: Open) -> None:
    socket = ws_client(account)
    warm = socket.turn(generate=False)[-1]["response"]["id"]
    first = socket.turn(input=[USER], previous_response_id=warm)
    socket.turn(input=[USER | {"id": "u2"}], previous_response_id=first[-1]["response"]["id"])
    assert [attempt.warm_up for attempt in upstream.attempts] == [True, False, False]
    assert upstream.attempts[2].input == (USER, done(first)[0], USER | {"id": "u2"})


def test_an_answer_that_died_is_not_known(upstream: StandIn, account: Account, ws_client: Open) -> None:
    """Nor is one of another socket."""
    upstream.fault("acc-1", Fault(FaultKind.FAILED_EVENT, before=5), times=1)
    socket = ws_client(account)
    died = socket.turn(input=[USER])[1]["response"]["id"]
    whole = ws_client(account).turn(input=[USER])[-1]["response"]["id"]
    for previous in (died, whole):
        (refused,) = socket.turn(input=[], previous_response_id=previous)
        assert refused["error"]["code"] == "previous_response_not_found"
    assert upstream.attempts[-1].end is End.REFUSED


def test_a_strict_stand_in_refuses_what_cannot_have_come_about(
    upstream: StandIn, account: Account, http: httpx.Client
) -> None:
    upstream.strict = True
    (item,) = done(sse_events(ask(http, account, USER).text))
    assert ask(http, account, USER, item).status_code == 200
    refused = ask(http, account, USER, item | {"content": [{"type": "output_text", "text": "Never said."}]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "inconsistent_history")
    assert [each.kind for each in upstream.violations] == [ViolationKind.INVENTED]


def test_an_item_that_was_cut_was_never_said(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    upstream.fault("acc-1", Fault(FaultKind.FAILED_EVENT, before="response.output_item.done"), times=1)
    added = next(each for each in sse_events(ask(http, account, USER).text) if "item" in each)["item"]
    assert [each.kind for each in upstream.objections([USER, added])] == [ViolationKind.INVENTED]


def test_each_request_knows_its_attempts(
    upstream: StandIn, account: Account, http: httpx.Client, ws_client: Open
) -> None:
    ask(http, account, USER)
    socket = ws_client(account)
    socket.turn(generate=False)
    socket.turn(input=[USER])
    over_http, on_a_socket = upstream.requests_to(RESPONSES)
    assert [each.number for each in over_http.attempts + on_a_socket.attempts] == [1, 2, 3]
    assert eventually(lambda: {each.end for each in upstream.attempts} == {End.WHOLE})  # noted behind the last word
