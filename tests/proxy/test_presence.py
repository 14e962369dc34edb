"""A running proxy can be found and asked what it is, and ends by itself when its clients are gone, if it is to."""

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from accounts.people.keys import new_secret
from cli.running import proxies
from cli.running.proxies import Hold, address, ask, local_key, running
from config import clock, proxy_files
from config.version import current
from standin import StandIn
from tests.harness import PATIENCE, Proxy, eventually, fill, options
from tests.proxy.clients import http1, turn1
from tests.proxy.conftest import Bench


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CODEX_ROTATE_HOME": str(tmp_path / "rotate")}


@pytest.fixture
def alone(tmp_path: Path, confdir: Path) -> Iterator[Proxy]:
    """A proxy that ends a second after its last client."""
    with StandIn() as upstream:
        fill(tmp_path / "rotate", [upstream.add_account("acc-1")], tmp_path)
        proxy = Proxy(upstream, tmp_path / "rotate", confdir, options(rotate_stop_when_unused=1))
        with proxy:
            yield proxy


def pids(environ: dict[str, str]) -> list[int]:
    return [told.pid for told in proxy_files.announced(proxy_files.folder(environ))]


def test_a_proxy_is_found_and_says_what_it_is(alone: Proxy, environ: dict[str, str], confdir: Path) -> None:
    with Hold(told := found(environ)):
        assert (told.pid, told.url, told.version) == (alone.process.pid, alone.url, current())
        assert (told.home, told.certificate) == (environ["CODEX_ROTATE_HOME"], str(confdir / "mitmproxy-ca-cert.pem"))
        assert not told.everything
        assert ask(told.url).presence == told
        assert httpx.get(f"http://{proxy_files.HOST}/any", proxy=alone.url, trust_env=False).json()["pid"] == told.pid
        assert alone.upstream.requests == ()


def found(environ: dict[str, str]) -> proxy_files.ProxyInfo:
    assert eventually(lambda: running(environ), seconds=20)
    return running(environ)[0]


def test_it_ends_a_moment_after_its_last_client_and_takes_its_file_away(alone: Proxy, environ: dict[str, str]) -> None:
    told = found(environ)
    with Hold(told) as first, Hold(told):
        assert pids(environ) == [told.pid]
    assert not first.gone.is_set()
    assert alone.process.wait(PATIENCE) == 0
    assert pids(environ) == []


def test_a_client_that_only_listens_keeps_it_alive(alone: Proxy, environ: dict[str, str]) -> None:
    told = found(environ)
    with Hold(told), http1(alone) as client:
        assert client.get(f"http://{proxy_files.HOST}/").json()["pid"] == told.pid
        with closing(connected(told)) as quiet:
            quiet.settimeout(1.5)
            with pytest.raises(TimeoutError):
                quiet.recv(1)
        assert alone.process.poll() is None


def connected(told: proxy_files.ProxyInfo) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(told.url.rpartition(":")[2])), PATIENCE)


def test_whoever_needs_it_is_told_when_it_is_gone(alone: Proxy, environ: dict[str, str]) -> None:
    with Hold(found(environ)) as hold:
        alone.process.kill()
        assert hold.gone.wait(PATIENCE)
    assert running(environ) == []  # its file is still there
    assert pids(environ) == [alone.process.pid]


def test_a_port_that_somebody_else_has_now_is_not_the_proxy(alone: Proxy, environ: dict[str, str]) -> None:
    told = found(environ)
    with Hold(told) as hold:
        port = int(told.url.rpartition(":")[2])
        with closing(socket.socket()) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.process.kill()
            alone.process.wait(PATIENCE)
            other.bind(("127.0.0.1", port))
            other.listen()
            assert hold.gone.wait(PATIENCE + proxies.ASK_SECONDS)


def test_an_idle_connection_that_the_proxy_closes_is_made_anew(bench: Bench) -> None:
    """mitmproxy does so after a while (`tcp_timeout`); that is not the end of the proxy."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        told = proxy_files.ProxyInfo(
            url=f"http://127.0.0.1:{port}", pid=7, home="", certificate="", version="", everything=False
        )
        with Hold(told) as hold:
            server.accept()[0].close()
            again = server.accept()[0]
            asking = server.accept()[0]
            assert asking.recv(4096).startswith(b"GET http://codex-rotate.invalid/")
            body = proxy_files.as_json(told).encode()
            asking.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            again.settimeout(0.2)
            with pytest.raises(TimeoutError):
                again.recv(1)
            assert not hold.gone.is_set()
            for each in (again, asking):
                each.close()


def test_with_keys_a_command_of_the_owner_still_finds_it(bench: Bench) -> None:
    """By a key of its own."""
    environ = {"CODEX_ROTATE_HOME": str(bench.folder / "rotate")}
    assert eventually(lambda: running(environ))
    secret = new_secret()
    bench.store.put_client_key("local", secret, clock.now()).result()
    bench.store.put_client_key("ann", new_secret(), clock.now()).result()
    with http1(bench.proxy, says=f"-:{secret}") as client:
        assert turn1(client, bench.headers()).completed
        assert eventually(lambda: ask(bench.proxy.url).status == 407)
        assert (local_key(environ), running(environ)) == ("", [])
        (bench.folder / "rotate" / "client.key").write_text(f"{secret}\n")
        assert [told.url for told in running(environ)] == [bench.proxy.url]
    (bench.folder / "rotate" / "client.key").unlink()
    for name in ("local", "ann"):
        bench.store.remove_client_key(name).result()


@pytest.mark.parametrize(
    ("said", "status"),
    [(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200), (b"SSH-2.0-OpenSSH\r\n", 0), (b"", 0)],
)
def test_what_listens_there_and_is_none_of_ours(said: bytes, status: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        import threading

        def serve() -> None:
            with closing(server.accept()[0]) as one:
                one.recv(4096)
                one.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        answer = ask(f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join(PATIENCE)
    assert (answer.presence, answer.status) == (None, status)


@pytest.mark.parametrize(
    ("key", "account", "led"),
    [
        ("", "", "http://127.0.0.1:1"),
        ("k_-", "", "http://-:k_-@127.0.0.1:1"),
        ("", "account-0a", "http://account-0a@127.0.0.1:1"),
        ("k", "account-0a", "http://account-0a:k@127.0.0.1:1"),
        ("a/b@c", "büro 1", "http://b%C3%BCro%201:a%2Fb%40c@127.0.0.1:1"),
    ],
)
def test_the_address_of_a_client(key: str, account: str, led: str) -> None:
    assert address("http://127.0.0.1:1", key, account) == led
