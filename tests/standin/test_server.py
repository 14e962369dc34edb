"""The stand-in's life and its door."""

import socket
import threading
from collections.abc import Callable

import httpx
import pytest

from standin import Account, Fault, FaultKind, StandIn
from standin.routes import Router
from tests.standin.clients import QUICK, RESPONSES, SocketClient, credentials


def test_life() -> None:
    """It listens on loopback while the context lasts, and leaves nothing behind."""
    with StandIn() as upstream:
        assert upstream.address == ("127.0.0.1", upstream.port)
        assert upstream.ca_file.is_file()
        assert upstream.base_url == f"http://127.0.0.1:{upstream.plain_port}/backend-api"
        assert upstream.token_url == f"http://127.0.0.1:{upstream.plain_port}/oauth/token"
    assert not upstream.ca_file.parent.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(upstream.address)
    assert not [thread for thread in threading.enumerate() if thread.name == "standin"]
    upstream.close()


def test_close_while_everything_hangs(ws_client: Callable[[Account], SocketClient], upstream: StandIn) -> None:
    """Open sockets, held requests and half-open connections do not keep it from ending."""
    account = upstream.add_account("acc-1")
    client = ws_client(account)
    upstream.fault("acc-1", Fault(FaultKind.HANG))
    client.create()
    with (
        socket.create_connection(upstream.address),
        socket.create_connection(("127.0.0.1", upstream.plain_port)) as plain,
    ):
        plain.sendall(b"GET / HTTP/1.1\r\n")
        upstream.wait_for(lambda: upstream.requests and upstream.requests[0].messages)
        upstream.close()
    assert client.receive() is None


def test_a_peer_that_is_no_tls(upstream: StandIn) -> None:
    """Nonsense on the TLS listener ends that connection and nothing else."""
    with socket.create_connection(upstream.address, timeout=5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while sock.recv(1024):
            pass
    assert not upstream.errors


def test_what_was_asked(upstream: StandIn, account: Account, other: Account, http: httpx.Client) -> None:
    """Requests are kept in order, with the account whose token they bore, were it ever so old."""
    http.post(f"{RESPONSES}?x=1", headers=credentials(account), json={"input": []})
    other.revoke()
    http.post(RESPONSES, headers=credentials(other), json={"input": []})
    http.get("/nowhere")
    first, second, third = upstream.requests
    assert (first.account_id, first.user_id, first.status, first.path) == ("acc-1", "user-1", 200, f"{RESPONSES}?x=1")
    assert first.json() == {"input": []}
    assert first.authorization == f"Bearer {account.access_token}"
    assert first.header("ChatGPT-Account-ID") == "acc-1"
    assert (second.account_id, second.status) == ("acc-2", 401)
    assert (third.account_id, third.status) == (None, 404)
    assert upstream.requests_to(RESPONSES) == (first, second)
    assert upstream.connections == 1
    assert account.access_token not in repr(upstream.requests)


def test_wait_for_says_what_it_saw(upstream: StandIn, http: httpx.Client) -> None:
    """A condition that does not come true is an error that lists the requests."""
    http.get("/nowhere")
    assert upstream.wait_for(lambda: upstream.requests)
    with pytest.raises(TimeoutError, match="/nowhere"):
        upstream.wait_for(lambda: False, seconds=0.01)


def test_a_bug_of_ours_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in a handler answers 500 and is raised when the context ends."""

    async def broken(*_: object) -> None:
        raise LookupError("made for this test")

    monkeypatch.setattr(Router, "_route", broken)
    upstream = StandIn().start()
    assert httpx.get(upstream.base_url, **QUICK).json()["error"]["code"] == "stand_in_error"
    with pytest.raises(ExceptionGroup, match="the stand-in failed"):
        upstream.__exit__(None, None, None)


def test_answer_with(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """The text of an account can be set at any time."""
    upstream.answer_with("acc-1", "Something else.")
    text = http.post(RESPONSES, headers=credentials(account), json={"input": []}).text
    assert '"text": "Something else."' in text
