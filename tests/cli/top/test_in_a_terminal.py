"""The screen where people have it: in a terminal, as a program of its own, beside a proxy that runs."""

import os
import select
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.top.preferences import Preferences, load
from config import paths
from standin import StandIn
from tests.cli.conftest import Fill
from tests.cli.serving import ROTATE, environment, serving, turn_in_the_middle, upstream
from tests.harness import PATIENCE, eventually

fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
__all__ = ["upstream"]  # a fixture

TMUX = shutil.which("tmux") or ""
with_tmux = pytest.mark.skipif(not TMUX, reason="tmux is not installed")


class Pane:
    """`codex-rotate top` in a terminal of its own."""

    def __init__(self, socket: Path) -> None:
        self._tmux = [TMUX, "-S", str(socket), "-f", os.devnull]

    def tell(self, *words: str) -> str:
        return subprocess.run(
            [*self._tmux, *words], check=True, capture_output=True, text=True, timeout=PATIENCE
        ).stdout

    def press(self, *keys: str) -> None:
        self.tell("send-keys", *keys)

    @property
    def text(self) -> str:
        return self.tell("capture-pane", "-p")

    def shows(self, *words: str) -> bool:
        """Whether all of this stands there, now or soon; however its lines are broken."""
        return bool(eventually(lambda: all(word in " ".join(self.text.split()) for word in words), 30))


@contextmanager
def top_in_tmux(home: Path, folder: Path, **variables: str) -> Iterator[Pane]:
    env = {**environment(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", **variables}
    pane = Pane(folder / "tmux")
    exact = " ".join(f"{name}={value}" for name, value in variables.items())
    command = f"env {exact} {ROTATE} top; echo ended with $?; cat"
    start = [TMUX, "-S", str(folder / "tmux"), "-f", os.devnull, "new-session", "-d", "-x", "80", "-y", "24", command]
    subprocess.run(start, env=env, check=True, timeout=PATIENCE)
    try:
        yield pane
    finally:
        pane.tell("kill-server")


@with_tmux
def test_in_tmux_it_is_shown_changed_resized_and_left(fill: Fill, home: Path, tmp_path: Path) -> None:
    fill("ann", "bob")
    with top_in_tmux(home, tmp_path) as pane:
        assert pane.shows("2 of 2 can serve", "[Accounts 2]", "no proxy runs", "q quit")
        assert len(pane.text.splitlines()) == 24
        pane.press("Down", "p")
        assert pane.shows("bob is paused", "1 of 2 can serve")
        pane.tell("resize-window", "-x", "50", "-y", "12")
        assert pane.shows("[Accounts 2]", "ann", "q quit")
        assert eventually(lambda: max(map(len, pane.text.splitlines())) <= 50)
        pane.press("x", "q")
        assert pane.shows("ended with 0")
    assert load(paths.home() / "top.json") == Preferences(detailed=True)


@with_tmux
def test_in_tmux_a_turn_of_a_proxy_is_seen_while_it_runs(upstream: StandIn, home: Path, tmp_path: Path) -> None:
    """And when the proxy has gone, that is said."""
    with top_in_tmux(home, tmp_path) as pane:
        assert pane.shows("no proxy runs")
        with serving(home, upstream=upstream) as (_, _, port):
            assert pane.shows(f"proxy 127.0.0.1:{port}")
            with turn_in_the_middle(upstream, port, paths.ca_folder() / "mitmproxy-ca-cert.pem") as (client, asked):
                pane.press("t")
                assert pane.shows("[Turns 1]", "gpt-5", "acc-1")
                upstream.release()
                client.until(asked, lambda seen: seen.ended)
            assert pane.shows("[Turns 0]", "No turn is under way.")
        assert pane.shows("no proxy runs", "No proxy runs.")
        pane.press("Q")
        assert pane.shows("ended with 0")


@contextmanager
def terminal(home: Path, **variables: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """What it writes can be read from the number, and what is written there is typed."""
    ours, its = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = {**environment(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", **variables}
    process = subprocess.Popen([ROTATE, "top"], stdin=its, stdout=its, stderr=its, env=env, start_new_session=True)
    os.close(its)
    try:
        yield ours, process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        os.close(ours)


def read_until(number: int, wanted: bytes) -> bytes:
    said = b""
    while wanted not in said and select.select([number], [], [], PATIENCE)[0]:
        try:
            said += os.read(number, 65536)
        except OSError:  # its end
            break
    return said


def read_until_quiet(number: int, seconds: float) -> bytes:
    """All that comes until nothing has for so long."""
    said = b""
    while select.select([number], [], [], seconds)[0]:
        said += os.read(number, 65536)
    return said


def test_a_slow_line_gets_little(fill: Fill, home: Path) -> None:
    """One screen is some thousand bytes, a step is a few hundred, and what stands still costs nothing: two looks at the
    pool long nothing is sent."""
    fill("ann", "bob")
    with terminal(home) as (number, process):
        first = read_until(number, b"quit") + read_until_quiet(number, 2.2)
        assert len(first) < 40_000
        os.write(number, b"j")
        assert 0 < len(read_until_quiet(number, 2.2)) < 2_000
        os.write(number, b"q")
        read_until(number, b"\x1b[?1049l")
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("kind", ["dumb", ""])
def test_a_terminal_that_only_prints_lines_gets_one(fill: Fill, home: Path, kind: str) -> None:
    fill("ann")
    with terminal(home, TERM=kind) as (number, process):
        said = read_until(number, b"--json").decode()
        assert "needs a terminal" in said
        assert "\x1b" not in said
        assert process.wait(PATIENCE) == 1


def test_it_goes_into_the_background_with_its_screen_given_back_and_comes_back(fill: Fill, home: Path) -> None:
    fill("ann")
    with terminal(home) as (number, process):
        read_until(number, b"quit")
        os.write(number, b"\x1a")
        assert b"\x1b[?1049l" in read_until(number, b"\x1b[?1049l")
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGCONT)
        assert b"\x1b[?1049h" in read_until(number, b"quit")
        os.write(number, b"q")
        read_until(number, b"\x1b[?1049l")
        assert process.wait(PATIENCE) == 0
