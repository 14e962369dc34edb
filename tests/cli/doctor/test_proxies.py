"""Proxies that run, that hang, that are gone, and that sign with another CA than clients trust."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from certs import ca as authority
from cli.doctor import proxies
from cli.doctor.network import At, LedTo
from cli.doctor.proxies import Proxies, RunningProxy, Signs, forget, gather, gone, signs
from config import clock, proxy_files
from config.access import DiskRefusal
from config.proxy_files import ProxyInfo
from standin import StandIn
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, free, listening, only, short
from tests.harness import Proxy, eventually, fill

TOLD = ProxyInfo(url="http://127.0.0.1:1", pid=7, home="/h", certificate="/h/ca/c.pem", version="1")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A real one with our own CA."""
    folder = tmp_path_factory.mktemp("proxies")
    authority.create(folder / "rotate" / "ca", clock.now())
    with StandIn() as upstream:
        fill(folder / "rotate", [upstream.add_account("acc-1")], folder)
        with Proxy(upstream, folder / "rotate", folder / "rotate" / "ca") as running:
            assert running.port
            yield running


# --- facts -----------------------------------------------------------------------------------------------------------


def test_a_running_one_is_found_and_shakes_hands(proxy: Proxy) -> None:
    """Nothing reaches upstream for that."""
    environ = {"CODEX_ROTATE_HOME": str(proxy.home)}
    assert eventually(lambda: gather(environ).running)
    found = gather(environ)
    assert [(each.presence.pid, each.signs) for each in found.running] == [(proxy.process.pid, Signs.PRESENT)]
    assert (found.silent, found.stale) == ((), ())
    assert proxy.upstream.requests == ()


def test_one_from_before_a_renewal(proxy: Proxy, tmp_path: Path) -> None:
    """Clients trust it until its CA expires, unless they are told not to."""
    folder = tmp_path / "ca"
    shutil.copytree(proxy.confdir, folder)
    told = replace(TOLD, url=proxy.url, certificate=str(folder / "mitmproxy-ca-cert.pem"))
    assert signs(told, "") is Signs.PRESENT
    authority.renew(folder, clock.now(), force=True)
    assert signs(told, "") is Signs.REPLACED
    authority.renew(folder, clock.now(), leaked=True)
    assert signs(told, "") is Signs.UNKNOWN
    shutil.rmtree(folder)
    assert signs(told, "") is Signs.UNKNOWN


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 407 No\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nno TLS here", b"x" * 9000]
)
def test_one_that_lets_nobody_through(tmp_path: Path, answer: bytes) -> None:
    authority.create(tmp_path, clock.now())
    with listening(answer) as url:
        assert signs(replace(TOLD, url=url, certificate=str(tmp_path / "mitmproxy-ca-cert.pem")), "") is Signs.SILENT


def test_what_a_dead_one_left_is_removed(tmp_path: Path) -> None:
    environ = {"CODEX_ROTATE_HOME": str(tmp_path)}
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    file = proxy_files.announce(replace(TOLD, pid=ended.pid, url=free()), proxy_files.folder(environ))
    other = file.with_name("notes.json")
    other.write_text("{")
    assert gather(environ).stale == (file,)
    assert str(file) in forget(file)
    assert (gather(environ).stale, other.exists()) == ((), True)


def test_one_that_hangs_is_not_taken_for_gone(tmp_path: Path) -> None:
    """Its process is there and its port is taken: its file stays."""
    environ = {"CODEX_ROTATE_HOME": str(tmp_path)}
    with listening(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n") as url:
        told = replace(TOLD, pid=os.getpid(), url=url)
        proxy_files.announce(told, proxy_files.folder(environ))
        found = gather(environ)
    assert (found.silent, found.stale) == (((told, 407),), ())


@pytest.mark.skipif(os.name != "posix", reason="elsewhere processes cannot be asked after")
def test_a_dead_one_whose_port_somebody_else_has_is_gone() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with listening() as url:
        assert gone(replace(TOLD, pid=ended.pid, url=url))
        assert not gone(replace(TOLD, pid=os.getpid(), url=url))
    assert gone(replace(TOLD, pid=os.getpid(), url="nonsense"))


# --- judgement -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "found"),
    [
        (RunningProxy(presence=TOLD), [("proxy.running", OK)]),
        (RunningProxy(presence=replace(TOLD, version="0")), [("proxy.version", WARNING), ("proxy.running", OK)]),
        (RunningProxy(presence=TOLD, signs=Signs.REPLACED), [("proxy.certificate", WARNING)]),
        (RunningProxy(presence=TOLD, signs=Signs.UNKNOWN), [("proxy.certificate", PROBLEM)]),
        (RunningProxy(presence=TOLD, signs=Signs.SILENT), [("proxy.running", PROBLEM)]),
        (RunningProxy(presence=replace(TOLD, everything=True)), [("proxy.running", NOTE)]),
        (RunningProxy(presence=replace(TOLD, insecure=True)), [("proxy.insecure", WARNING), ("proxy.running", OK)]),
    ],
)
def test_running_proxies(running: RunningProxy, found: list[object]) -> None:
    assert short(proxies.running(Proxies(running=(running,), version="1"))) == found


def test_none_is_needed() -> None:
    nothing = Proxies()
    assert short(proxies.running(nothing)) == [("proxy.running", OK)]
    assert [*proxies.silent(nothing), *proxies.stale(nothing), *proxies.usual_port(nothing)] == []


def test_silent_ones() -> None:
    assert short(proxies.silent(Proxies(silent=((TOLD, proxies.UNPROVEN), (TOLD, 407), (TOLD, 0))))) == [
        ("proxy.unproven", PROBLEM),
        ("proxy.key", PROBLEM),
        ("proxy.silent", PROBLEM),
    ]


def test_leftovers() -> None:
    assert only(proxies.stale(Proxies(stale=(Path("/h/7.json"),)))).state is NOTE


@pytest.mark.parametrize(
    ("at", "found"),
    [(At.OURS, []), (At.NOTHING, [OK]), (At.OTHER_POOL, [NOTE]), (At.SOMETHING, [WARNING])],
)
def test_the_usual_port(at: At, found: list[object]) -> None:
    usual = LedTo(name="", place="127.0.0.1 port 8118", at=at)
    assert [state for _, state in short(proxies.usual_port(Proxies(usual=usual)))] == found


def test_where_nobody_can_look_which_ones_run(tmp_path: Path) -> None:
    """It is not said that none does."""
    refused = DiskRefusal(tmp_path, "belongs to root, and you are ann", "Run `sudo chown x`.")
    found = only(proxies.running(Proxies(refused=refused)))
    assert (found.state, found.remedy) == (WARNING, "Run `sudo chown x`.")
    assert found.what == f"Which proxies run cannot be looked at: {tmp_path} belongs to root, and you are ann."
