"""Whoever takes the port of a proxy of ours is not told the key, whatever it says of itself."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from accounts.people.keys import LOCAL, new_secret
from cli.running import leading, proxies
from config import clock, paths, proxy_files
from config.files import write_private
from config.proxy_files import ProxyInfo
from tests.harness import PATIENCE
from tests.proxy.conftest import Bench

type Reply = Callable[[bytes], bytes]


@contextmanager
def impostor(reply: Reply) -> Iterator[tuple[str, list[bytes]]]:
    """A program that listens and answers: where, and what it was told."""
    heard: list[bytes] = []

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                client.settimeout(PATIENCE)
                with client, suppress(OSError):
                    while piece := client.recv(65536):
                        heard.append(piece)
                        client.sendall(reply(piece))

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=serve, args=(server,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", heard
        server.shutdown(socket.SHUT_RDWR)
    thread.join(PATIENCE)


def response(status: str, body: str = "{}", *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "content-type: application/json", *more]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


@pytest.fixture
def environ(bench: Bench) -> Iterator[dict[str, str]]:
    """Our commands', which have a key in a file."""
    file, secret = bench.folder / "rotate" / "client.key", new_secret()
    write_private(file, secret.encode())
    for name, each in ((LOCAL, secret), ("ann", new_secret())):
        bench.store.put_client_key(name, each, clock.now()).result()
    yield {paths.HOME: str(bench.folder / "rotate")}
    for name in bench.store.client_keys().values():
        bench.store.remove_client_key(name).result()
    file.unlink()


def told(environ: dict[str, str], url: str) -> ProxyInfo:
    """What a proxy of ours has left in its folder that was killed: its port is another's by now."""
    return ProxyInfo(url=url, pid=os.getpid(), home=environ[paths.HOME], certificate="/x/ca.pem", version="1")


REFUSING = response("407 no", "{}", f"proxy-authenticate: Basic realm={proxies.REALM}")


def as_ours(environ: dict[str, str], url: str) -> Reply:
    return lambda _: response("200 OK", proxy_files.as_json(told(environ, url)))


def signing(key: bytes) -> Reply:
    """Refuses with a signature of a key of its own."""
    return lambda _: response("407 no", "{}", REFUSING.decode().split("\r\n")[3], f"{proxy_files.PROOF}: {key.hex()}")


@pytest.mark.parametrize("claims", ["to be ours", "to need a key", "a proof"])
def test_who_took_the_port_is_told_no_key_and_is_not_found(bench: Bench, environ: dict[str, str], claims: str) -> None:
    said: list[Reply] = []
    with impostor(lambda piece: said[-1](piece)) as (url, heard):  # noqa: PLW0108 - it is not there yet
        ways = {"to be ours": as_ours(environ, url), "to need a key": lambda _: REFUSING, "a proof": signing(b"guess")}
        said.append(ways[claims])
        file = proxy_files.announce(told(environ, url), proxy_files.folder(environ))
        try:
            assert [each.pid for each in proxies.running(environ)] == [bench.proxy.process.pid]
        finally:
            file.unlink()
        assert proxies.ask_own(url, environ).presence is None
    assert heard
    assert b"authorization" not in b"".join(heard).lower()


def test_a_proof_cannot_be_had_from_a_proxy_elsewhere(bench: Bench, environ: dict[str, str]) -> None:
    """What relays each question to a proxy of ours that runs at another port."""

    def relayed(piece: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", bench.proxy.port), timeout=PATIENCE) as onward:
            onward.sendall(piece)
            return onward.recv(65536)

    with impostor(relayed) as (url, heard):
        assert proxies.ask_own(url, environ).presence is None
    assert proxy_files.CHALLENGE.encode() in b"".join(heard)
    assert b"authorization" not in b"".join(heard).lower()


def test_env_and_bind_put_no_key_into_an_address_of_a_stranger(
    bench: Bench, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where they lead by themselves, nor where a person says."""
    with impostor(lambda _: response("400 what")) as (url, _):
        assert proxies.local_key(environ) not in leading.led_to(url, environ).url
        monkeypatch.setattr(leading, "DEFAULT_PROXY", url)
        with pytest.raises(leading.StrangersPort, match="does not prove to be your codex-rotate"):
            leading.own({**environ, paths.HOME: str(_home_without_proxy(bench, environ))})


def _home_without_proxy(bench: Bench, environ: dict[str, str]) -> Path:
    home = bench.folder / "other"
    home.mkdir(mode=0o700)
    write_private(home / "client.key", proxies.local_key(environ).encode())
    return home


def test_ours_is_believed_and_told_the_key(bench: Bench, environ: dict[str, str]) -> None:
    assert leading.own(environ).url == proxies.address(bench.proxy.url, proxies.local_key(environ))
    assert leading.led_to(bench.proxy.url, environ).url == leading.own(environ).url


def test_what_says_to_be_ours_and_does_not_prove_it_is_named(bench: Bench, environ: dict[str, str]) -> None:
    """As a proxy of an earlier version does, which needs no key or does: it has to be started again."""
    for says in (as_ours, lambda *_: lambda _: REFUSING):
        said: list[Reply] = []
        with impostor(lambda piece: said[-1](piece)) as (url, heard):  # noqa: PLW0108, B023 - it is not there yet
            said.append(says(environ, url))
            file = proxy_files.announce(told(environ, url), proxy_files.folder(environ))
            try:
                (found,) = proxies.unproven(environ)
            finally:
                file.unlink()
        assert found.url == url
        assert f"End process {os.getpid()} and start it again" in proxies.not_proven(found)
        assert b"authorization" not in b"".join(heard).lower()
    assert proxies.unproven(environ) == []
