"""Who may use the proxy, and for which account a client asks: by what it says with its CONNECT."""

import socket
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from accounts.people.keys import new_secret
from config import clock
from standin import FaultKind
from tests.harness import PATIENCE
from tests.proxy.clients import Got, Http2, Socket, http1, turn1, turn_ws
from tests.proxy.conftest import Bench

ONE_HTTP = True

VERSIONS = ["http1", "http2", "ws"]


def turn(bench: Bench, version: str, says: str) -> Got:
    """One turn of a client that says this with its CONNECT."""
    if version == "ws":
        return turn_ws(bench.proxy, bench.headers(), says=says)
    if version == "http2":
        with Http2(bench.proxy, says=says) as client:
            return client.turn(bench.headers())
    with http1(bench.proxy, says=says) as client:
        return turn1(client, bench.headers())


@pytest.fixture
def key(bench: Bench) -> Iterator[str]:
    """The pool has a client key."""
    secret = new_secret()
    bench.store.put_client_key("ann", secret, clock.now()).result()
    with http1(bench.proxy, says=f"-:{secret}") as client:
        assert turn1(client, bench.headers(thread_id="")).completed  # the proxy has noticed
    bench.begin()
    yield secret
    for name in bench.store.client_keys().values():
        bench.store.remove_client_key(name).result()
    assert turn(bench, "http1", "").completed


# --- the account of a client -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["label", "handle", "label in capitals"])
def test_a_client_gets_the_account_it_asks_for(bench: Bench, version: str, name: str) -> None:
    """And another client of the same proxy, at the same time, whichever the pool prefers."""
    label = bench.second.account_id
    seat = next(each for each in bench.store.accounts() if each.label == label)
    says = {"label": label, "handle": seat.handle, "label in capitals": label.upper()}[name]
    assert turn(bench, version, f"{says}:").completed
    bench.thread += "-other"
    assert turn(bench, version, "").completed
    assert bench.served_by() == ["second", "first"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_asks_for_one_account_gets_no_other(bench: Bench, version: str) -> None:
    """Its limit is told as what it is, a rule that somebody chose."""
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=7200)
    told = turn(bench, version, f"{bench.second.account_id}:").error
    assert told["type"] == "codex_rotate_pinned"
    assert "--account" in told["message"]
    assert bench.served_by() == ["second"]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_account_that_is_not_there_is_named(bench: Bench, version: str) -> None:
    told = turn(bench, version, "wrok:").error
    assert told["type"] == "codex_rotate_pinned"
    assert "wrok: there is no such account" in told["message"]
    assert bench.served_by() == []


def test_turns_on_an_open_socket_stay_with_the_account_asked_for(bench: Bench) -> None:
    with Socket(bench.proxy, bench.headers(), says=f"{bench.second.account_id}:") as client:
        assert client.turn().completed
        assert client.turn().completed
    assert bench.served_by() == ["second"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("account", ["-", "wrok", "the second"])
def test_a_guest_hears_nothing_of_single_accounts(bench: Bench, key: str, version: str, account: str) -> None:
    """The same sentence whether an account is there or not; the owner's log has their names and what they suffer."""
    for each in bench.accounts:
        bench.store.update_account(bench.keys[each.account_id], enabled=False).result()
    name = bench.second.account_id if account == "the second" else account
    told = turn(bench, version, f"{name}:{key}").error
    assert told["type"].startswith("codex_rotate_")
    assert "its owner can see why" in told["message"]
    assert "acc-" not in told["message"]
    assert "there is no such account" not in told["message"]
    bench.proxy.output.wait_for(r"request of a guest: \{.+\}", seconds=5)
    for each in bench.accounts:
        bench.store.update_account(bench.keys[each.account_id], enabled=True).result()


# --- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_with_a_key_in_the_pool_everybody_needs_one(bench: Bench, key: str, version: str) -> None:
    """Here on loopback too; what the client asked for never leaves."""
    for says in ("", "-:wrong", "ann:", f"-:{key}x"):
        told = turn(bench, version, says).error
        assert told["type"] == ("codex_rotate_key_unknown" if says.partition(":")[2] else "codex_rotate_key_needed")
        with socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE) as raw:
            assert b" 407 " in refused(raw, says)
    assert turn(bench, version, f"-:{key}").completed
    assert turn(bench, version, f"{key}:").completed
    assert bench.served_by() == ["first"] * 2


def refused(raw: socket.socket, says: str, host: str = "example.test") -> bytes:
    """The first bytes of the answer to a CONNECT."""
    more = f"proxy-authorization: Basic {b64encode(says.encode()).decode()}\r\n" if says else ""
    raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n{more}\r\n".encode())
    return raw.recv(4096)


def test_a_refusal_says_what_to_do(bench: Bench, key: str) -> None:
    with httpx.Client(proxy=bench.proxy.url, trust_env=False) as client:
        answer = client.get("http://example.test/")
    assert answer.status_code == 407
    assert answer.headers["proxy-authenticate"].startswith("Basic")
    assert "keys add" in answer.json()["error"]["message"]
    assert key not in answer.text


@pytest.mark.parametrize("host", ["ab.chatgpt.com", "auth.openai.com", "example.test"])
def test_hosts_that_are_only_passed_on_need_a_key_as_well(bench: Bench, key: str, host: str) -> None:
    with socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE) as raw:
        assert b" 407 " in refused(raw, "", host)


def test_a_key_and_an_account(bench: Bench, key: str) -> None:
    assert turn(bench, "http1", f"{bench.second.account_id}:{key}").completed
    assert bench.served_by() == ["second"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_is_taken_back_ends_open_connections_too(bench: Bench, key: str, version: str) -> None:
    """From the next request on, in an open WebSocket as well, with words of its own."""
    bench.store.put_client_key("bob", new_secret(), clock.now()).result()
    with opened(bench, version, f"-:{key}") as take_turn:
        assert take_turn().completed
        bench.store.remove_client_key("ann").result()
        told = take_turn().error
    assert told["type"] == "codex_rotate_key_removed"
    assert "of ann" in told["message"]
    assert turn(bench, version, f"-:{key}").error["type"] == "codex_rotate_key_removed"
    assert bench.served_by() == ["first"]


@contextmanager
def opened(bench: Bench, version: str, says: str) -> Iterator[Callable[[], Got]]:
    """One connection in which a client takes turns."""
    if version == "ws":
        with Socket(bench.proxy, bench.headers(), says=says) as socket_:
            yield socket_.turn
    elif version == "http2":
        with Http2(bench.proxy, says=says) as wire:
            yield lambda: wire.turn(bench.headers())
    else:
        with http1(bench.proxy, says=says) as client:
            yield lambda: turn1(client, bench.headers())


def test_what_a_client_says_of_itself_reaches_nobody(bench: Bench, key: str) -> None:
    """Neither upstream nor the log nor the pool."""
    assert turn(bench, "http1", f"-:{key}").completed
    for seen in bench.seen():
        assert "proxy-authorization" not in {name.lower() for name, _ in seen.headers}
    bench.settle()
    files = [file for file in (bench.folder / "rotate").rglob("*") if file.is_file()]
    assert key not in bench.proxy.output.text()
    assert key.encode() not in b"".join(file.read_bytes() for file in files)
