"""HTTP/1.1: one connection, many requests; every way to end one."""

import json
import socket
import ssl
from collections.abc import Callable

import httpx
import pytest
import zstandard

from standin import Account, Fault, FaultKind, StandIn
from tests.standin.clients import RESPONSES, credentials, sse_events


def request_bytes(account: Account, body: bytes = b'{"input": []}') -> bytes:
    lines = [f"POST {RESPONSES} HTTP/1.1", "host: chatgpt.com", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in credentials(account).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_to_end(sock: socket.socket) -> tuple[bytes, bool]:
    """Everything up to the end, and whether the end was a reset."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        return data, True
    return data, False


def test_answers_several_requests_on_one_connection(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """The connection is kept alive; each request is recorded with its number."""
    for _ in range(3):
        assert http.post(RESPONSES, headers=credentials(account), json={"input": []}).status_code == 200
    assert [seen.connection for seen in upstream.requests] == [1, 1, 1]
    assert {seen.http_version for seen in upstream.requests} == {"1.1"}


def test_zstd_body(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """A zstd body is recorded decoded, with the length it had on the wire."""
    body = json.dumps({"input": [], "model": "m" * 1000}).encode()
    packed = zstandard.ZstdCompressor().compress(body)
    headers = credentials(account) | {"content-encoding": "zstd"}
    assert http.post(RESPONSES, headers=headers, content=packed).status_code == 200
    [seen] = upstream.requests
    assert seen.body == body
    assert seen.raw_body_length == len(packed)


def test_a_body_that_is_not_what_it_says(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """A body that is no zstd gets a 400 and is recorded as it came."""
    headers = credentials(account) | {"content-encoding": "zstd"}
    assert http.post(RESPONSES, headers=headers, content=b"not zstd").status_code == 400
    assert upstream.requests[0].body == b"not zstd"


def test_expect_continue(account: Account, connect: Callable[..., ssl.SSLSocket]) -> None:
    """A client that waits for 100 Continue gets it."""
    sock = connect()
    head, body = request_bytes(account).split(b"\r\n\r\n")
    sock.sendall(head + b"\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n")
    assert sock.recv(65536).startswith(b"HTTP/1.1 100 ")
    sock.sendall(body)
    assert b" 200 OK" in read_to_end(sock)[0]


def test_pipelined_requests(upstream: StandIn, account: Account, connect: Callable[..., ssl.SSLSocket]) -> None:
    """What comes early is answered in its turn."""
    sock = connect()
    sock.sendall(request_bytes(account) + request_bytes(account).replace(b"host", b"connection: close\r\nhost", 1))
    assert read_to_end(sock)[0].count(b" 200 OK") == 2
    assert len(upstream.requests) == 2


def test_nonsense_gets_400(upstream: StandIn, connect: Callable[..., ssl.SSLSocket]) -> None:
    """What is no HTTP is answered and recorded nowhere."""
    sock = connect()
    sock.sendall(b"what?\r\n\r\n")
    assert b" 400 " in read_to_end(sock)[0]
    assert not upstream.requests


@pytest.mark.parametrize(
    ("fault", "was_reset", "head_came", "body_ended"),
    [
        (Fault(FaultKind.RESET), True, False, False),
        (Fault(FaultKind.STREAM_RESET), True, False, False),
        (Fault(FaultKind.CLOSE), False, False, False),
        (Fault(FaultKind.GOAWAY), False, False, False),
        (Fault(FaultKind.RESET, after_output=True), True, True, False),
        (Fault(FaultKind.CLOSE, after_output=True), False, True, False),
        (Fault(FaultKind.GOAWAY, after_output=True), False, True, False),
    ],
)
def test_cuts(
    upstream: StandIn,
    account: Account,
    fault: Fault,
    was_reset: bool,
    head_came: bool,
    body_ended: bool,
) -> None:
    """RESET is a TCP RST, CLOSE a FIN; both before the head, or in the middle of a chunked body that never ends."""
    upstream.fault("acc-1", fault, times=1)
    # on the plain listener: some TLS libraries show a reset as an ordinary end
    with socket.create_connection(("127.0.0.1", upstream.plain_port), timeout=5) as sock:
        sock.sendall(request_bytes(account))
        data, reset = read_to_end(sock)
    assert (reset, b" 200 OK" in data, b"\r\n0\r\n\r\n" in data) == (was_reset, head_came, body_ended)
    assert (b"output_text.delta" in data) is fault.after_output
    assert not upstream.requests[0].disconnected


def test_a_reset_over_tls(upstream: StandIn, account: Account, connect: Callable[..., ssl.SSLSocket]) -> None:
    """Nothing comes, and the connection is gone."""
    upstream.fault("acc-1", Fault(FaultKind.RESET))
    sock = connect()
    sock.sendall(request_bytes(account))
    assert read_to_end(sock)[0] == b""


def test_a_client_that_leaves_is_noticed(
    upstream: StandIn, account: Account, connect: Callable[..., ssl.SSLSocket]
) -> None:
    """A client that goes away before the answer is complete is recorded as disconnected."""
    upstream.fault("acc-1", Fault(FaultKind.HANG))
    sock = connect()
    sock.sendall(request_bytes(account))
    upstream.wait_for(lambda: upstream.requests)
    sock.close()
    upstream.wait_for(lambda: upstream.requests[0].closed)
    assert upstream.requests[0].disconnected
    assert upstream.requests[0].status is None


def test_a_client_that_waits_is_not_disconnected(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """An answer that was read to its end is complete."""
    answer = http.post(RESPONSES, headers=credentials(account), json={"input": []})
    assert sse_events(answer.text)[-1]["type"] == "response.completed"
    http.close()
    upstream.wait_for(lambda: upstream.requests[0].closed)
    assert not upstream.requests[0].disconnected
