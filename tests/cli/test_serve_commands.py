"""`serve` runs the real proxy in our place: for this machine only, and as long as it is wanted."""

import os
import re
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from accounts.errors import UsageError
from cli.serve_commands import PortTaken, check_free, parse_listen
from tests.cli.conftest import Fill, Run
from tests.harness import MITMDUMP, ROOT, Output, plain_environment


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("127.0.0.1:8118", ("127.0.0.1", 8118)),
        ("127.9.9.9:1", ("127.9.9.9", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:8118", ("::1", 8118)),
    ],
)
def test_addresses_of_this_machine(listen: str, found: tuple[str, int]) -> None:
    assert parse_listen(listen) == found


@pytest.mark.parametrize(
    "listen", ["8118", ":8118", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:0", "a:65536", "a:²"]
)
def test_what_is_no_address_is_wrong_usage(listen: str) -> None:
    with pytest.raises(UsageError, match=r"such as 127\.0\.0\.1:8118"):
        parse_listen(listen)


@pytest.mark.parametrize("listen", ["0.0.0.0:8118", "[::]:8118", "192.168.1.5:8118", "example.com:8118"])
def test_an_address_that_others_can_reach_is_refused(listen: str) -> None:
    """Whoever reaches the proxy uses the accounts."""
    with pytest.raises(UsageError, match="others"):
        parse_listen(listen)


def test_a_port_that_is_taken_is_said_before_anything_starts() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} .* --listen"):
            check_free("127.0.0.1", port)
    check_free("127.0.0.1", port)


def test_an_empty_pool_is_no_reason_to_start(run: Run) -> None:
    ran = run("serve")
    assert ran.code == 3
    assert "codex-rotate login" in ran.err


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def serving(home: Path, *flags: str) -> Iterator[tuple[subprocess.Popen[str], Output, int]]:
    """The console script as a process of its own; ended by pid."""
    port = free_port()
    env = {**plain_environment(), "HOME": str(home.parent), "CODEX_ROTATE_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [str(MITMDUMP.with_name("codex-rotate")), "serve", "--listen", f"127.0.0.1:{port}", *flags],
        env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    output = Output(process.stderr if "--json" in flags else process.stdout)
    try:
        output.wait_for("codex-rotate: 1 accounts from", seconds=30)
        yield process, output, port
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)
        output.close()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_with_its_own_certificate_until_it_is_told_to_stop(fill: Fill, home: Path, number: int) -> None:
    fill("ann")
    with serving(home) as (process, output, port):
        trust = ssl.create_default_context(cafile=str(home / "ca" / "mitmproxy-ca-cert.pem"))
        with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as raw:
            raw.sendall(b"CONNECT chatgpt.com:443 HTTP/1.1\r\nhost: chatgpt.com:443\r\n\r\n")
            assert raw.recv(4096).startswith(b"HTTP/1.1 200")
            with trust.wrap_socket(raw, server_hostname="chatgpt.com") as secure:
                assert secure.version() == "TLSv1.3"
        process.send_signal(number)
        assert process.wait(20) == 0
        assert "The proxy has stopped" in output.text()


def test_with_json_stdout_holds_one_value(fill: Fill, home: Path) -> None:
    fill("ann")
    with serving(home, "--json") as (process, _, port):
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait(20) == 0
    assert re.fullmatch(r"\{.*\}\n", said, re.DOTALL)
    assert f'"http://127.0.0.1:{port}"' in said


def test_a_proxy_that_ends_by_itself_is_a_failure(
    fill: Fill, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that cannot be used: the proxy says which, and the exit code says that it failed."""
    fill("ann")
    monkeypatch.setenv("CODEX_ROTATE_STRATEGY", "roulette")
    ran = run("serve", "--listen", f"127.0.0.1:{free_port()}")
    assert ran.code == 1
    assert "ended with exit code" in ran.out + ran.err
    assert os.environ["CODEX_ROTATE_HOME"] == str(home)
