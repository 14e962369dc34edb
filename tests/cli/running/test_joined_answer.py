"""A joined proxy is told its key once it has proven whose it is; nobody else is."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.people.keys import new_secret
from accounts.store.store import Store
from certs import ca
from cli.running import joined, proxies
from cli.running.joined_answer import ask_joined, is_at
from config import clock, proxy_files
from config.join_file import Invitation
from config.proxy_files import ProxyInfo
from standin import StandIn
from tests.harness import PATIENCE, Proxy, eventually, fill


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Somebody else's."""
    folder = tmp_path_factory.mktemp("theirs")
    home = folder / "rotate"
    with StandIn() as upstream:
        fill(home, [upstream.add_account("acc-1")], folder)
        ca.create(home / "ca", clock.now())
        with Proxy(upstream, home, home / "ca") as running:
            assert eventually(lambda: proxies.running({"CODEX_ROTATE_HOME": str(home)}), seconds=60)
            yield running


@pytest.fixture
def invitation(proxy: Proxy) -> Iterator[Invitation]:
    """With a key for ann; bob has one as well."""
    secret = new_secret()
    certificate = (proxy.confdir / "trusted.pem").read_text()
    with Store(proxy.home / "pool.db") as store:
        for name, key in (("ann", secret), ("bob", new_secret())):
            store.put_client_key(name, key, clock.now()).result()
        yield Invitation(host="127.0.0.1", port=proxy.port, name="ann", key=secret, certificate=certificate)
        for name in ("ann", "bob"):
            store.remove_client_key(name).result()


@contextmanager
def relay(port: int, reply: bytes = b"") -> Iterator[tuple[int, bytearray]]:
    """A program that has a port of its own and passes all on to this one, or has an answer of its own: where, and what
    it was told."""
    heard = bytearray()

    def pump(source: socket.socket, sink: socket.socket, note: bytearray) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                note += piece
                sink.sendall(reply or piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                if reply:
                    pump(client, client, heard)
                    client.close()
                    continue
                onward = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                back = threading.Thread(target=pump, args=(onward, client, bytearray()), daemon=True)
                back.start()
                pump(client, onward, heard)
                back.join(PATIENCE)
                client.close()
                onward.close()

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


def test_the_one_that_was_joined_is_believed(proxy: Proxy, invitation: Invitation, tmp_path: Path) -> None:
    """With the certificate that is here, and not the path that it has over there. Its owner reads nothing of it."""
    answer = ask_joined(invitation)
    assert answer.presence is not None
    assert answer.presence.pid == proxy.process.pid
    environ = {"CODEX_ROTATE_HOME": str(tmp_path)}
    found = joined.presence(invitation, environ)
    assert (found.url, found.certificate) == (invitation.url, str(tmp_path / "joined" / "mitmproxy-ca-cert.pem"))
    assert "a client is refused" not in proxy.output.text()
    assert proxy.upstream.requests == ()


@pytest.mark.parametrize("key", ["k" * 43, ""])
def test_a_key_that_it_does_not_know_is_refused(invitation: Invitation, key: str) -> None:
    answer = ask_joined(replace(invitation, key=key))
    assert (answer.presence, answer.refused) == (None, True)


def test_the_key_is_said_inside_of_tls_only(proxy: Proxy, invitation: Invitation) -> None:
    with relay(proxy.port) as (port, heard):
        assert ask_joined(replace(invitation, port=port)).presence is None
    assert heard
    assert b"authorization" not in heard.lower()


def test_who_passes_it_on_from_another_port_is_not_believed(proxy: Proxy, invitation: Invitation) -> None:
    """Clients would tell the key to that one."""
    with relay(proxy.port) as (port, _):
        answer = ask_joined(replace(invitation, port=port))
    assert (answer.presence, answer.refused, answer.status) == (None, False, 1)


def test_who_has_another_authority_is_not_believed(proxy: Proxy, invitation: Invitation, tmp_path: Path) -> None:
    other = ca.create(tmp_path / "other", clock.now()).trusted_file.read_text()
    answer = ask_joined(replace(invitation, certificate=other))
    assert (answer.presence, answer.refused, answer.status) == (None, False, 1)


@pytest.mark.parametrize("says", ["that it is ours", "that it leads on", "nonsense"])
def test_who_took_the_port_is_told_nothing(invitation: Invitation, says: str) -> None:
    told = proxy_files.as_json(ProxyInfo(url=invitation.url, pid=1, home="/h", certificate="/c", version="1"))
    ways = {
        "that it is ours": f"HTTP/1.1 200 OK\r\ncontent-length: {len(told)}\r\n\r\n{told}",
        "that it leads on": "HTTP/1.1 200 OK\r\n\r\n",
        "nonsense": "what?\r\n\r\n",
    }
    with relay(0, ways[says].encode()) as (port, heard):
        answer = ask_joined(replace(invitation, port=port))
    assert (answer.presence, answer.refused, answer.status) == (None, False, 1)
    assert b"authorization" not in heard.lower()


def test_silence_is_no_answer(invitation: Invitation) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    assert ask_joined(replace(invitation, port=port)).status == 0


@pytest.mark.parametrize(
    ("told", "peer", "is_there"),
    [
        ("127.0.0.1 8118", ("127.0.0.1", 8118), True),
        ("::1 8118", ("::1", 8118), True),
        ("127.0.0.1 8118", ("127.0.0.1", 9000), False),
        ("127.0.0.2 8118", ("127.0.0.1", 8118), False),
        ("10.0.0.2 8118", ("203.0.113.9", 443), True),
        ("", ("203.0.113.9", 443), False),
        ("", ("127.0.0.1", 8118), False),
    ],
)
def test_where_it_was_reached_has_to_fit_on_this_machine(told: str, peer: tuple[str, int], is_there: bool) -> None:
    """From another one it may be known by another address than its own."""
    assert is_at(told, peer) is is_there
