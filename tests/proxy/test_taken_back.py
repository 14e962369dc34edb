"""A client key that another process takes back is good for nothing more, on whatever is open already."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from accounts.people.keys import new_secret
from accounts.store.store import Store
from config import clock
from standin import ANY_ACCOUNT, Pace, StandIn
from tests.harness import PATIENCE, START_SECONDS, Proxy, fill
from tests.proxy.clients import ASK, CHATGPT, RESPONSES, Socket, http1, secure, tunnel, turn1
from tests.proxy.conftest import LOADED, Bench
from tests.proxy.test_clients import VERSIONS, opened

SOON = 1.0
"""Seconds after which nothing of a client may be open whose key is gone."""
REMOVED = "codex_rotate_key_removed"


@pytest.fixture
def says(bench: Bench) -> Iterator[str]:
    """What a client says that has a key; somebody else has one too."""
    secret = new_secret()
    for name, each in (("ann", secret), ("bob", new_secret())):
        bench.store.put_client_key(name, each, clock.now()).result()
    yield f"-:{secret}"
    for name in bench.store.client_keys().values():
        bench.store.remove_client_key(name).result()


def take_back(bench: Bench) -> float:
    """When ann's key was gone."""
    bench.store.remove_client_key("ann").result()
    return clock.monotonic()


def over(wire: socket.socket) -> bool:
    """Wait until the proxy ends a connection; what it says meanwhile does not matter."""
    wire.settimeout(PATIENCE)
    with suppress(ConnectionResetError, ssl.SSLEOFError):
        while wire.recv(65536):
            pass
    return True


def test_an_idle_socket_is_closed_without_its_client_asking(bench: Bench, says: str) -> None:
    with Socket(bench.proxy, bench.headers(), says=says) as client:
        assert client.turn().completed
        gone = take_back(bench)
        assert over(client.socket)
        assert clock.monotonic() - gone < SOON


def test_a_socket_whose_turn_is_under_way_is_closed_behind_it(bench: Bench, says: str) -> None:
    """The turn ends as it would have."""
    bench.upstream.pace(ANY_ACCOUNT, Pace(between_words=0.4, words=4))
    with Socket(bench.proxy, bench.headers(), says=says) as client:
        client.create()
        messages = client.messages()
        next(messages)
        take_back(bench)
        seen = [message["type"] for message in messages]
    assert seen[-1] == "response.completed"
    assert bench.served_by() == ["first"]


def test_a_tunnel_is_cut(bench: Bench, says: str) -> None:
    """What is not looked into could go on for ever."""
    host = "ab.chatgpt.com"
    with secure(tunnel(bench.proxy, host, says=says), bench.proxy.trust(bench.upstream.ca_file), host) as wire:
        gone = take_back(bench)
        assert over(wire)
        assert clock.monotonic() - gone < SOON


def test_a_request_that_has_begun_is_not_sent(bench: Bench, says: str) -> None:
    """Its head came while the key was good, the end of its body did not."""
    head = {"host": CHATGPT, **bench.headers(), "content-length": str(len(ASK)), "connection": "close"}
    with secure(tunnel(bench.proxy, CHATGPT, says=says), bench.proxy.trust(), CHATGPT) as wire:
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        wire.sendall(f"POST {RESPONSES} HTTP/1.1\r\n{lines}\r\n".encode() + ASK[:-1])
        with http1(bench.proxy, says=says) as other:
            assert turn1(other, bench.headers()).completed  # so the proxy has read what came before
        take_back(bench)
        wire.sendall(ASK[-1:])
        said = b""
        with suppress(ConnectionResetError, ssl.SSLEOFError):
            while piece := wire.recv(65536):
                said += piece
    assert REMOVED.encode() in said
    assert bench.served_by() == ["first"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_last_key_opens_nothing_either_where_it_is_shown(bench: Bench, version: str) -> None:
    """With no key left the owner needs none; who shows one that is gone is not taken for the owner."""
    secret = new_secret()
    bench.store.put_client_key("ann", secret, clock.now()).result()
    with opened(bench, version, f"-:{secret}") as take_turn:
        assert take_turn().completed
        take_back(bench)
        assert take_turn().error["type"] == REMOVED
    assert bench.served_by() == ["first"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_key_holds_at_once_for_what_is_open(bench: Bench, version: str) -> None:
    """Made by another process: not one request more without a key."""
    with opened(bench, version, "") as take_turn:
        assert take_turn().completed
        bench.store.put_client_key("ann", new_secret(), clock.now()).result()
        assert take_turn().error["type"] == "codex_rotate_key_needed"
    bench.store.remove_client_key("ann").result()
    assert bench.served_by() == ["first"]


def test_a_key_that_was_taken_back_is_known_to_a_proxy_that_is_started_afterwards(
    tmp_path: Path, confdir: Path
) -> None:
    """Also with no key left, from the owner's own connection: a relay's is that of whoever runs the relay."""
    home, secret = tmp_path / "rotate", new_secret()
    with StandIn() as upstream:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
        own = upstream.add_account("acc-own")
        with Store(home / "pool.db") as store:
            store.put_client_key("ann", secret, clock.now()).result()
            store.remove_client_key("ann").result()
        with Proxy(upstream, home, confdir) as proxy:
            proxy.output.wait_for(LOADED, seconds=START_SECONDS)
            headers = {"authorization": f"Bearer {own.access_token}", "chatgpt-account-id": own.account_id}
            with http1(proxy, says=f"-:{secret}") as client:
                assert turn1(client, headers).error["type"] == REMOVED
            with http1(proxy) as client:
                assert turn1(client, headers).completed
