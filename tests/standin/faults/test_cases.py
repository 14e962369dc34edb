"""Cases by name: each does over each transport it is for what its name says, and none breaks the stand-in."""

import ssl
from collections.abc import Callable
from typing import Any

from standin import Account, StandIn
from standin.faults import Action, Phase
from standin.faults.cases import BESIDE, CASES
from tests.rows import all_rows
from tests.standin.clients import RESPONSES, Http2Client, SocketClient, credentials, sse_events

ASKED = b'{"input": []}'
WAITING = {"head_after_a_minute", "socket_silent_for_a_minute"}
"""Cases of time: a test passes it by hand."""


def over(phase: Phase) -> list[str]:
    """The cases that an ordinary turn meets on this occasion."""
    return [name for name, fault in CASES.items() if fault.strikes(RESPONSES, phase, size=1) and name not in WAITING]


@all_rows("name", over(Phase.REQUEST))
def test_over_http_2(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client], name: str) -> None:
    """Once it is what the name says, then the account is well again."""
    upstream.clear()  # of the case before, if it has found nobody
    upstream.fault("acc-1", CASES[name], times=1)
    client = h2_client()
    answers = []
    for _ in range(2):
        client = h2_client() if client.goaway is not None or client.over else client
        asked = client.ask("POST", RESPONSES, credentials(account), ASKED)
        answers.append(client.answer(asked))
        if CASES[name].rule.action is Action.PART and len(answers) == 1:
            client.read_until(lambda at=client: at.goaway is not None, asked)  # type: ignore[misc]
    first, second = answers
    whole = CASES[name].rule.action in {Action.DRESS, Action.PART}
    assert "response.completed" in second.body.decode()
    assert whole or not (first.status == 200 and "response.completed" in first.body.decode("utf-8", "replace"))


@all_rows("name", sorted({*over(Phase.UPGRADE), *over(Phase.ACCEPTED), *over(Phase.MESSAGE)}))
def test_over_a_socket(upstream: StandIn, account: Account, connect: Callable[..., ssl.SSLSocket], name: str) -> None:
    """The socket is refused, closed, or says an error; another one is well."""
    upstream.clear()
    upstream.fault("acc-1", CASES[name], times=1)
    first = SocketClient(connect(), account)
    heard: list[dict[str, Any]] = _turn(first) if first.headers else []
    assert not heard or heard[-1].get("type") != "response.completed"
    assert _turn(SocketClient(connect(), account))[-1]["type"] == "response.completed"


def _turn(client: SocketClient) -> list[dict[str, Any]]:
    try:
        return client.turn()
    except (ConnectionError, ssl.SSLError):  # it was cut before we could ask
        return []


def test_names_and_occasions() -> None:
    """Each case is for some occasion, but for those that are about other paths."""
    phases = {
        name: [phase for phase in Phase if fault.strikes(RESPONSES, phase, size=1 << 25)]
        for name, fault in CASES.items()
    }
    assert {name for name, found in phases.items() if not found} == BESIDE.keys()


def test_a_limit_in_a_stream_without_a_type(upstream: StandIn, account: Account, h2_client: Any) -> None:
    """An example: the head says nothing of events, the body is one stream of them, and the limit is inside."""
    upstream.fault("acc-1", CASES["untyped_limit"])
    client = h2_client()
    answer = client.answer(client.ask("POST", RESPONSES, credentials(account), ASKED))
    assert (answer.status, "content-type" in answer.headers) == (200, False)
    assert sse_events(answer.body.decode())[-1]["response"]["error"]["code"] == "usage_limit_reached"
