"""HTTP/2: streams side by side, flow control, GOAWAY."""

import json
from collections.abc import Callable

import pytest
import zstandard

from standin import Account, Fault, FaultKind, StandIn
from tests.standin.clients import RESPONSES, Answered, Http2Client, credentials, sse_events

BODY = b'{"input": []}'


def test_an_answer(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    """A zstd request over h2, as the official client sends it, is answered with the event stream."""
    client = h2_client()
    packed = zstandard.ZstdCompressor().compress(BODY)
    stream = client.ask("POST", RESPONSES, credentials(account) | {"content-encoding": "zstd"}, packed)
    answer = client.answer(stream)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert sse_events(answer.body.decode())[-1]["type"] == "response.completed"
    [seen] = upstream.requests
    assert (seen.http_version, seen.host, seen.body) == ("2", "chatgpt.com", BODY)


def test_many_streams(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    """Requests on one connection are answered side by side: one that hangs holds up no other."""
    upstream.fault("acc-1", Fault(FaultKind.HANG), times=1)
    client = h2_client()
    hanging, *rest = [client.ask("POST", RESPONSES, credentials(account), BODY) for _ in range(20)]
    assert all(client.answer(stream).ended for stream in rest)
    assert client.answers[hanging].status == 0
    upstream.release()
    assert client.answer(hanging).status == 200
    assert {seen.connection for seen in upstream.requests} == {1}


def test_more_than_the_flow_control_window(
    upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]
) -> None:
    """A long answer and a long question both get through."""
    upstream.answer_with("acc-1", "long-word-" * 30_000)
    client = h2_client()
    body = json.dumps({"input": [], "model": "m" * 300_000}).encode()
    answer = client.answer(client.ask("POST", RESPONSES, credentials(account), body))
    assert sse_events(answer.body.decode())[-1]["type"] == "response.completed"
    assert upstream.requests[0].body == body


def test_goaway_refuses_the_stream(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    """GOAWAY names the stream before the refused one, and the connection ends."""
    client = h2_client()
    client.answer(client.ask("POST", RESPONSES, credentials(account), BODY))
    upstream.fault("acc-1", Fault(FaultKind.GOAWAY))
    refused = client.ask("POST", RESPONSES, credentials(account), BODY)
    answer = client.answer(refused)
    assert client.over
    assert client.goaway == refused - 2
    assert (answer.status, answer.ended) == (0, False)
    assert not upstream.requests[-1].disconnected


def test_goaway_lets_earlier_streams_finish(
    upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]
) -> None:
    """What ran before the refused stream is answered to its end."""
    upstream.fault("acc-1", Fault(FaultKind.STALL), times=1)
    upstream.fault("acc-1", Fault(FaultKind.GOAWAY), times=1)
    client = h2_client()
    running = client.ask("POST", RESPONSES, credentials(account), BODY)
    refused = client.ask("POST", RESPONSES, credentials(account), BODY)
    client.read_until(lambda: client.goaway is not None, refused)
    assert client.goaway == running
    upstream.release()
    assert sse_events(client.answer(running).body.decode())[-1]["type"] == "response.completed"


def test_graceful_goaway(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    """After output, GOAWAY takes nothing new, but the answer it comes in the middle of is completed."""
    upstream.fault("acc-1", Fault(FaultKind.GOAWAY, after_output=True))
    client = h2_client()
    stream = client.ask("POST", RESPONSES, credentials(account), BODY)
    answer = client.answer(stream)
    assert client.goaway == stream
    assert answer.ended
    client.read_until(lambda: False, stream)
    assert client.over


@pytest.mark.parametrize(
    "fault", [Fault(FaultKind.RESET), Fault(FaultKind.CLOSE), Fault(FaultKind.CLOSE, after_output=True)]
)
def test_cuts_take_the_connection(
    upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client], fault: Fault
) -> None:
    """RESET and CLOSE end the whole connection, not the stream alone."""
    upstream.fault("acc-1", fault)
    client = h2_client()
    answer = client.answer(client.ask("POST", RESPONSES, credentials(account), BODY))
    assert client.over
    assert not answer.ended
    assert answer.status == (200 if fault.after_output else 0)


@pytest.mark.parametrize("after_output", [False, True])
def test_a_reset_stream_leaves_the_connection(
    upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client], after_output: bool
) -> None:
    """STREAM_RESET ends one stream, before its head or in the middle; the next request is served."""
    upstream.fault("acc-1", Fault(FaultKind.STREAM_RESET, after_output=after_output), times=1)
    client = h2_client()
    answer = client.answer(client.ask("POST", RESPONSES, credentials(account), BODY))
    assert (answer.reset, answer.ended) == (True, False)
    assert (b"delta" in answer.body) is after_output
    assert client.answer(client.ask("POST", RESPONSES, credentials(account), BODY)).ended
    assert not upstream.requests[0].disconnected


def test_a_cancelled_stream(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    """A stream the client resets is recorded as disconnected; the connection goes on."""
    upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    client = h2_client()
    stream = client.ask("POST", RESPONSES, credentials(account), BODY)
    client.read_until(lambda: b"delta" in client.answers[stream].body, stream)
    client.cancel(stream)
    upstream.wait_for(lambda: upstream.requests[0].disconnected)
    assert client.answer(client.ask("POST", RESPONSES, credentials(account), BODY)).status == 200


def test_a_lost_connection(upstream: StandIn, account: Account, h2_client: Callable[[], Http2Client]) -> None:
    """When the connection goes, every running stream is recorded as disconnected."""
    upstream.fault("acc-1", Fault(FaultKind.HANG))
    client = h2_client()
    for _ in range(3):
        client.ask("POST", RESPONSES, credentials(account), BODY)
    upstream.wait_for(lambda: len(upstream.requests) == 3)
    client.socket.close()
    assert upstream.wait_for(lambda: all(seen.disconnected for seen in upstream.requests))


def test_nonsense_ends_the_connection(upstream: StandIn, h2_client: Callable[[], Http2Client]) -> None:
    """What is no HTTP/2 gets a GOAWAY and the end."""
    client = h2_client()
    client.socket.sendall(b"\0\0\1\0\0\0\0\0\0\0")
    client.answers[1] = Answered()
    client.read_until(lambda: False, 1)
    assert client.over
    assert not upstream.errors
