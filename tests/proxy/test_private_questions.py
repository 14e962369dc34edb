"""Commands of the proxy's owner ask it on a socket of its owner; whoever sits at its port is not asked then."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.people.keys import LOCAL, new_secret
from cli.running import proxies
from config import clock, paths, private_socket, proxy_files
from config.files import write_private
from tests.harness import eventually
from tests.proxy.conftest import Bench

pytestmark = pytest.mark.skipif(not private_socket.usable(), reason="this system has no such sockets")


@pytest.fixture
def environ(bench: Bench) -> dict[str, str]:
    return {paths.HOME: str(bench.folder / "rotate")}


@pytest.fixture
def place(bench: Bench, environ: dict[str, str]) -> Path:
    assert eventually(lambda: proxies.running(environ))
    (told,) = proxies.running(environ)
    return Path(told.socket)


@pytest.fixture
def keyed(bench: Bench, environ: dict[str, str]) -> Iterator[str]:
    """The pool has a key for ann, and one for our commands, which the file does not have yet."""
    secret = new_secret()
    for name, key in ((LOCAL, secret), ("ann", new_secret())):
        bench.store.put_client_key(name, key, clock.now()).result()
    yield secret
    for name in (LOCAL, "ann"):
        bench.store.remove_client_key(name).result()
    paths.client_key_file(environ).unlink(missing_ok=True)


def test_it_is_the_owners_only_and_says_what_the_proxy_is(bench: Bench, place: Path) -> None:
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    told = proxy_files.from_json(private_socket.ask(place, b""))
    assert told is not None
    assert (told.pid, told.url) == (bench.proxy.process.pid, bench.proxy.url)


def test_a_key_is_judged_there_as_at_the_port(bench: Bench, environ: dict[str, str], place: Path, keyed: str) -> None:
    for said in (b"", b"k" * 43, b"\xff", b"x" * 10_000):
        assert private_socket.ask(place, said) == b""
    assert proxies.ask_own(bench.proxy.url, environ).refused
    write_private(paths.client_key_file(environ), keyed.encode())
    assert proxies.from_socket(bench.proxy.url, keyed, environ) is not None
    assert proxies.ask_own(bench.proxy.url, environ).presence is not None


def test_without_the_socket_the_port_is_asked(bench: Bench, environ: dict[str, str], place: Path) -> None:
    file = proxy_files.folder(environ) / f"{bench.proxy.process.pid}.json"
    before = file.read_bytes()
    told = proxy_files.from_json(before)
    assert told is not None
    write_private(file, proxy_files.as_json(replace(told, socket="")).encode())
    try:
        assert proxies.from_socket(bench.proxy.url, "", environ) is None
        assert proxies.running(environ)
    finally:
        write_private(file, before)


def test_another_address_is_not_vouched_for(bench: Bench, environ: dict[str, str], place: Path) -> None:
    """A file that names the socket of a proxy for the port of somebody else."""
    told = proxy_files.from_json(private_socket.ask(place, b""))
    assert told is not None
    stranger = replace(told, url="http://127.0.0.1:9", pid=os.getpid())
    file = proxy_files.announce(stranger, proxy_files.folder(environ))
    try:
        assert proxies.from_socket(stranger.url, "", environ) is None
    finally:
        file.unlink()


def test_nothing_of_it_stays(tmp_path: Path, confdir: Path) -> None:
    from standin import StandIn
    from tests.harness import Proxy, fill

    home = tmp_path / "rotate"
    with StandIn() as upstream:
        fill(home, [upstream.add_account("acc-1")], tmp_path)
        with Proxy(upstream, home, confdir):
            assert eventually(lambda: proxies.running({paths.HOME: str(home)}), seconds=60)
            (told,) = proxies.running({paths.HOME: str(home)})
            assert Path(told.socket).exists()
    assert not Path(told.socket).exists()
