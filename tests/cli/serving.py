"""A `serve` in a process of its own, and what tests ask of it."""

import json
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from config import paths, proxy_files
from standin import Fault, FaultKind, StandIn
from tests.harness import AGAIN, MITMDUMP, PATIENCE, ROOT, Output, eventually, plain_environment
from tests.harness import fill as fill_pool
from tests.proxy.clients import Http2, turn1

ROTATE = str(MITMDUMP.with_name("codex-rotate"))


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    ours = {"HOME": str(home.parent), "CODEX_ROTATE_HOME": str(home), "CODEX_HOME": str(home.parent)}
    return {**plain_environment(), "PYTHONUNBUFFERED": "1", **ours}


@contextmanager
def serving(
    home: Path, *flags: str, upstream: StandIn | None = None
) -> Iterator[tuple[subprocess.Popen[str], Output, int]]:
    """The console script as a process of its own; ended by pid."""
    port = free_port()
    env = environment(home)
    if upstream is not None:
        env["STANDIN_PORT"] = str(upstream.port)
    process = subprocess.Popen(
        [ROTATE, "serve", "--listen", f"127.0.0.1:{port}", *flags],
        env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    output = Output(process, process.stderr if "--json" in flags else None)
    try:
        output.wait_for(f"codex-rotate is listening at http://127.0.0.1:{port}", seconds=30)
        yield process, output, port
    finally:
        for end in (process.terminate, process.terminate, process.kill):  # killed, it would leave its proxy behind
            with suppress(subprocess.TimeoutExpired):
                process.wait(AGAIN)
            if process.poll() is None:
                end()
        process.wait(10)
        output.close()
        process.stdout.close()
        process.stderr.close()


@contextmanager
def through(port: int, host: str, trust: Path) -> Iterator[ssl.SSLSocket]:
    """A client's connection through the proxy, with nothing trusted but that file."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)) as raw:
        raw.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nhost: {host}:443\r\n\r\n".encode())
        assert raw.recv(4096).startswith(b"HTTP/1.1 200")
        with ssl.create_default_context(cafile=str(trust)).wrap_socket(raw, server_hostname=host) as secure:
            yield secure


def ask(port: int, trust: Path) -> str:
    """A turn: what the model said, or all that came instead."""
    address, context = f"http://127.0.0.1:{port}", ssl.create_default_context(cafile=str(trust))
    with httpx.Client(proxy=address, verify=context, trust_env=False, base_url="https://chatgpt.com") as client:
        seen = turn1(client, {"authorization": "Bearer of-the-client", "content-type": "application/json"})
    return seen.text or seen.body.decode()


LEADS_TO_STANDIN = """
import asyncio, os

_open = asyncio.open_connection

def open_connection(host, port, **options):
    return _open("127.0.0.1", int(os.environ["STANDIN_PORT"]), **options)

asyncio.open_connection = open_connection
"""
"""For the interpreter's own start: what a hosts file would do, were the stand-in at port 443."""


@pytest.fixture
def upstream(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """The stand-in, to which every `serve` of the test goes, and whose certificate it knows; and a pool for it."""
    start = tmp_path / "start"
    start.mkdir()
    (start / "sitecustomize.py").write_text(LEADS_TO_STANDIN)
    with StandIn() as upstream:
        monkeypatch.setenv("PYTHONPATH", str(start))
        fill_pool(home, [upstream.add_account("acc-1")], tmp_path)
        for confdir in (paths.ca_folder(), paths.debug_ca_folder()):
            paths.make_private_folder(confdir)
            (confdir / "config.yaml").write_text(json.dumps({"ssl_verify_upstream_trusted_ca": str(upstream.ca_file)}))
        yield upstream


def stopped(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End it as a person or a service manager does; what it said on stderr."""
    process.send_signal(number)
    assert process.wait(20) == 0
    assert process.stderr is not None
    return process.stderr.read()


@contextmanager
def turn_in_the_middle(upstream: StandIn, port: int, trust: Path) -> Iterator[tuple[Http2, int]]:
    """Its first words are there, and upstream waits to be told to go on."""
    upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    with Http2(Led(port, trust)) as client:  # type: ignore[arg-type]
        asked = client.ask({"authorization": "Bearer of-the-client", "content-type": "application/json"})
        client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        yield client, asked


@dataclass(frozen=True)
class Led:
    """What a client has to know of a proxy."""

    port: int
    file: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.file))


def announced(home: Path) -> proxy_files.ProxyInfo:
    """The proxy that has left its file there."""
    assert eventually(lambda: proxy_files.announced(home / "proxies"), 30)
    return proxy_files.announced(home / "proxies")[0]
