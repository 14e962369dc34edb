"""`serve` runs as long as it is wanted: a turn is finished, and whoever is concerned hears of the end."""

import os
import pty
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from addons.draining import SAME_SECONDS
from config import proxy_files
from standin import StandIn
from tests.cli.conftest import Fill, Run
from tests.cli.serving import (
    ROTATE,
    announced,
    environment,
    free_port,
    serving,
    stopped,
    through,
    turn_in_the_middle,
    upstream,
)
from tests.harness import ROOT, eventually

__all__ = ["upstream"]  # a fixture
pytestmark = pytest.mark.usefixtures("warm_starts")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_with_its_own_certificate_until_it_is_told_to_stop(
    fill: Fill, home: Path, number: int, request: pytest.FixtureRequest
) -> None:
    if number == signal.SIGINT:
        request.getfixturevalue("cold")  # one of the two starts as a user's does
    fill("ann")
    with serving(home) as (process, output, port):
        for name in ("mitmproxy-ca-cert.pem", "trusted.pem"):
            with through(port, "chatgpt.com", home / "ca" / name) as secure:
                assert secure.version() == "TLSv1.3"
        assert stopped(process, number) == ""
        assert "The proxy has stopped" in output.text()


def test_a_turn_is_finished_before_it_stops_and_a_second_signal_stops_it_at_once(upstream: StandIn, home: Path) -> None:
    """`serve` passes both on, and what it says of the turn is on the screen."""
    with serving(home, upstream=upstream) as (process, output, port):
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            process.send_signal(signal.SIGTERM)
            output.wait_for("waiting for 1 turn to end; stop once more to end at once")
            upstream.release()
            assert client.answer(asked).completed
        assert process.wait(20) == 0
        assert "The proxy has stopped" in output.text()
    with serving(home, upstream=upstream) as (process, output, port):
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            process.send_signal(signal.SIGINT)
            output.wait_for("waiting for 1 turn to end")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2 * SAME_SECONDS)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert client.answer(asked).cut
        assert "told to stop once more: 1 turn was cut off" in output.text()


def test_when_only_its_parent_is_hung_up_the_proxy_ends_all_the_same(upstream: StandIn, home: Path) -> None:
    with serving(home, upstream=upstream) as (process, output, port):
        proxy = announced(home)
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            process.send_signal(signal.SIGHUP)
            output.wait_for("waiting for 1 turn")
            upstream.release()
            assert client.answer(asked).completed
        assert process.wait(20) == 0
        assert eventually(lambda: not proxy_files.announced(home / "proxies"))
        with pytest.raises(ProcessLookupError):
            os.kill(proxy.pid, 0)


def test_when_its_terminal_is_closed_the_turn_is_finished_and_nothing_stays(upstream: StandIn, home: Path) -> None:
    """The terminal hangs up on both of them, and what they print goes nowhere."""
    controller, terminal = pty.openpty()
    lead = "import fcntl, termios, os, sys; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", lead, ROTATE, "serve", "--listen", f"127.0.0.1:{port}"],
        env=environment(home) | {"STANDIN_PORT": str(upstream.port)}, cwd=ROOT,
        stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    screen = Screen(controller)
    try:
        proxy = announced(home)
        with turn_in_the_middle(upstream, port, home / "ca" / "trusted.pem") as (client, asked):
            screen.close()
            assert eventually(lambda: [each.turns for each in proxy_files.announced(home / "proxies")] == [1])
            upstream.release()
            assert client.answer(asked).completed
        process.wait(20)
        assert proxy_files.announced(home / "proxies") == []
        with pytest.raises(ProcessLookupError):
            os.kill(proxy.pid, 0)
    finally:
        upstream.release()
        process.kill()
        process.wait(10)


class Screen:
    """A terminal that is looked at until it is closed. Whoever still reads from it keeps it open."""

    def __init__(self, controller: int) -> None:
        self.controller = controller
        self.over = threading.Event()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        while not self.over.is_set():
            if select.select([self.controller], [], [], 0.05)[0]:
                os.read(self.controller, 65536)

    def close(self) -> None:
        self.over.set()
        self.reader.join()
        os.close(self.controller)


def test_at_its_end_whoever_is_bound_to_it_is_told(fill: Fill, home: Path, run: Run) -> None:
    """Once, on stderr; the block is the user's to keep."""
    fill("ann")
    with serving(home) as (process, _, port):
        assert run("bind", "--proxy", f"http://127.0.0.1:{port}").code == 0
        block = (home.parent / ".env").read_bytes()
        said = stopped(process)
    assert said.count("\n") == 1
    assert str(home.parent / ".env") in said
    assert "codex-rotate unbind" in said
    assert (home.parent / ".env").read_bytes() == block


def test_a_block_that_leads_elsewhere_is_no_concern_of_it(fill: Fill, home: Path, run: Run) -> None:
    fill("ann")
    with serving(home) as (process, _, _):
        assert run("bind", "--proxy", f"http://127.0.0.1:{free_port()}", "--force").code == 0
        assert stopped(process) == ""


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
