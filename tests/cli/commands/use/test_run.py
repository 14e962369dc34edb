"""`run` starts one client behind the proxy, as if it had been started alone, and the proxy where none runs."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from accounts.errors import UsageError
from cli.running import proxies
from cli.running.proxies import running
from config import dotenv, proxy_files
from config.proxy_files import ProxyInfo
from standin import StandIn
from tests.cli.conftest import Fill, Run
from tests.harness import MITMDUMP, PATIENCE, eventually, fill, plain_environment

ROTATE = str(MITMDUMP.with_name("codex-rotate"))
pytestmark = pytest.mark.usefixtures("warm_starts")
SHOW = "import os, json; print(json.dumps(dict(os.environ)))"
COUNT = """
import os, signal
counted, got = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}, []
signal.pthread_sigmask(signal.SIG_BLOCK, counted)  # a handler can be interrupted by the next one before it has counted
os.write(1, b"ready\\n")
while got[-1:] in ([], ["SIGINT"]):
    got.append(signal.sigwait(counted).name)
os.write(1, (" ".join(got) + "\\n").encode())
os._exit(42)
"""
"""A client that counts the signals it gets, and ends at the first one that is no SIGINT."""


# --- what is started -------------------------------------------------------------------------------------------------


# --- the client's own .env -------------------------------------------------------------------------------------------


def test_a_pin_needs_the_environment(run: Run, fill: Fill, home: Path, tmp_path: Path) -> None:
    """The block in the client's file would win over it, and the account would not be used."""
    fill("work")
    variables = {"HTTPS_PROXY": "http://127.0.0.1:8118", "SSL_CERT_FILE": "/b.pem", "NO_PROXY": "x"}
    (tmp_path / ".env").write_bytes(dotenv.bind(None, variables))
    ran = run("run", "--account", "work", sys.executable)
    assert (ran.code, "unbind" in ran.err) == (UsageError.exit_code, True)


# --- what goes wrong before anything is started ----------------------------------------------------------------------


def test_an_empty_pool(run: Run) -> None:
    ran = run("run", sys.executable)
    assert (ran.code, "codex-rotate login" in ran.err) == (3, True)


def test_an_account_that_is_not_there(run: Run, fill: Fill) -> None:
    fill("work")
    assert run("run", "--account", "home", sys.executable).code == 2


def test_errors_of_ours_as_json(run: Run, fill: Fill) -> None:
    """With --json before the client's command; one behind it is the client's."""
    fill("work")
    assert run("run", "--json", "no-such-client").json["exit_code"] == 127
    assert run("run", "--account", "work", "--json", "--", "no-such-client").json["exit_code"] == 127
    for words in (
        ["no-such-client", "--json"],
        ["--", "no-such-client", "--json"],
        ["--account", "work", "x-x", "--json"],
    ):
        ran = run("run", *words)
        assert (ran.code, ran.out, ran.err.startswith("codex-rotate: ")) == (127, "", True)


# --- the real thing --------------------------------------------------------------------------------------------------


@dataclass
class World:
    """A pool in a folder with a space in its name, and the console script."""

    home: Path

    @property
    def environ(self) -> dict[str, str]:
        return {**plain_environment(), "CODEX_ROTATE_HOME": str(self.home), "HOME": str(self.home.parent)}

    def start(self, *words: str, **more: object) -> "subprocess.Popen[str]":
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([ROTATE, "run", *words], env=self.environ, text=True, **settings)  # type: ignore[call-overload, no-any-return]

    def python(self, code: str, **more: object) -> "subprocess.Popen[str]":
        return self.start("--", sys.executable, "-c", code, **more)

    def waiting(self, code: str) -> "subprocess.Popen[str]":
        """A client that runs: it has said "ready"."""
        process = self.python(code, stdin=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def ended(self, process: "subprocess.Popen[str]", stdin: str | None = None) -> tuple[int, str, str]:
        try:
            out, err = process.communicate(stdin, timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return process.returncode, out, err

    def stopped(self) -> bool:
        """End the proxies; whether all have."""
        told = self.announced()
        for each in told:
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGTERM)
        return eventually(lambda: not any(alive(each.pid) for each in told), 20)

    def announced(self) -> list[ProxyInfo]:
        return proxy_files.announced(proxy_files.folder(self.environ))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("with space") / "its home"
    folder.mkdir()
    with StandIn() as upstream:
        fill(folder / "rotate", [upstream.add_account("acc-1"), upstream.add_account("acc-2")], folder)
    made = World(folder / "rotate")
    yield made
    assert made.stopped(), "a proxy did not end"


def test_the_client_has_its_input_output_and_exit_code(world: World) -> None:
    """And nothing else is said."""
    code = "import sys; print(sys.stdin.read().upper()); print('err', file=sys.stderr); sys.exit(7)"
    process = world.python(code, stdin=subprocess.PIPE)
    assert world.ended(process, "hello") == (7, "HELLO\n", "err\n")


def test_the_client_is_led_through_a_proxy_that_answers(world: World) -> None:
    code, out, _ = world.ended(world.python(SHOW))
    led = json.loads(out)
    assert code == 0
    (told,) = running(world.environ)
    assert led["HTTPS_PROXY"] == told.url
    assert Path(led["CODEX_CA_CERTIFICATE"]).read_text().startswith("-----BEGIN CERTIFICATE")
    assert "PRIVATE" not in Path(led["CODEX_CA_CERTIFICATE"]).read_text()


def test_an_account_of_its_own_is_in_the_clients_address(world: World) -> None:
    code, out, _ = world.ended(world.start("--account", "acc-2", sys.executable, "-c", SHOW))
    assert code == 0
    assert re.fullmatch(r"http://account-[0-9a-f]{16}@127\.0\.0\.1:\d+", json.loads(out)["HTTPS_PROXY"])


@pytest.mark.usefixtures("cold")
def test_two_at_once_share_one_proxy_which_stays_for_the_second(world: World) -> None:
    """And ends by itself when nobody is left."""
    assert world.stopped()
    wait = "import sys; print('ready', flush=True); sys.stdin.read()"
    both = [world.python(wait, stdin=subprocess.PIPE) for _ in range(2)]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    (told,) = world.announced()
    assert world.ended(both[0], "")[0] == 0
    assert running(world.environ) == [told]
    assert world.ended(both[1], "")[0] == 0
    assert eventually(lambda: not world.announced(), proxies.UNUSED_SECONDS + PATIENCE)
    assert eventually(lambda: not alive(told.pid))


def alive(pid: int) -> bool:
    """Whether a process with this number runs; one that has ended and is nobody's child is gone."""
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not Path("/proc/self").exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.mark.parametrize(("name", "said"), [("SIGTERM", "SIGTERM"), ("SIGUSR1", "SIGUSR1")])
def test_signals_go_to_the_client(world: World, name: str, said: str) -> None:
    """Who sends us one means the client, and gets its exit code."""
    process = world.python(COUNT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    assert world.ended(process) == (42, f"{said}\n", "")


def test_an_interrupt_without_a_terminal_goes_to_the_client_once(world: World) -> None:
    process = world.python(COUNT, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert world.ended(process) == (42, "SIGINT SIGTERM\n", "")


def test_ctrl_c_at_a_terminal_reaches_the_client_once(world: World) -> None:
    """The terminal sends it to both of us: passed on as well, the client would see two."""
    with on_a_terminal(world, COUNT) as (process, screen):
        assert read_until(screen, b"ready")
        screen.write(b"\x03")
        assert read_until(screen, b"^C")
        process.send_signal(signal.SIGTERM)
        assert read_until(screen, b"SIGTERM\r\n") == b"SIGINT SIGTERM\r\n"
        assert process.wait(PATIENCE) == 42


@contextmanager
def on_a_terminal(world: World, code: str) -> Iterator[tuple["subprocess.Popen[bytes]", BinaryIO]]:
    """A client under `run` with a terminal of its own, and what that shows."""
    controller, terminal = pty.openpty()
    lead = "import fcntl, termios, os, sys; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", lead, ROTATE, "run", "--", sys.executable, "-c", code],
        env=world.environ, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    with os.fdopen(controller, "r+b", buffering=0) as screen:
        try:
            yield process, screen
            process.wait(PATIENCE)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def read_until(screen: BinaryIO, words: bytes) -> bytes:
    seen = b""
    while words not in seen:
        with suppress(OSError):
            seen += screen.read(4096)
            continue
        return b""
    return seen


def test_a_client_that_is_killed_is_told_as_a_shell_does(world: World) -> None:
    code, out, err = world.ended(world.python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    assert (code, out, err) == (128 + signal.SIGKILL, "", "")


def test_a_killed_run_leaves_no_proxy_behind(world: World) -> None:
    process = world.python("import os, sys; print(os.getpid(), flush=True); sys.stdin.read()", stdin=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    (told,) = running(world.environ)
    process.kill()
    process.communicate()
    assert eventually(lambda: not alive(child))  # its input has ended
    assert eventually(lambda: not world.announced(), proxies.UNUSED_SECONDS + PATIENCE)
    assert eventually(lambda: not alive(told.pid))


def test_a_program_that_cannot_be_started(world: World, tmp_path: Path) -> None:
    broken = tmp_path / "a client"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    code, out, err = world.ended(world.start(str(broken)))
    assert (code, out) == (126, "")
    assert "cannot be started" in err


def test_a_client_that_is_bound_gets_its_proxy_where_it_expects_it(world: World) -> None:
    """Its file goes before the environment, so the address in it has to become true."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
        file = world.home.parent / ".codex" / ".env"
        file.parent.mkdir()
        variables = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "SSL_CERT_FILE": "/b.pem", "NO_PROXY": "x"}
        file.write_bytes(dotenv.bind(None, variables))
        code, _, err = world.ended(world.python(SHOW))
        assert (code, f"Port {port}" in err) == (1, True)
    try:
        code, out, _ = world.ended(world.python(SHOW))
        assert (code, json.loads(out)["HTTPS_PROXY"]) == (0, f"http://127.0.0.1:{port}")
        assert f"http://127.0.0.1:{port}" in [told.url for told in running(world.environ)]
    finally:
        file.unlink()
        file.parent.rmdir()


def test_a_proxy_that_cannot_start_says_why(world: World) -> None:
    """Its own last words, and where the log is."""
    assert world.stopped()
    (world.home / "config.toml").write_text('strategy = "none"\n')
    try:
        code, out, err = world.ended(world.python(SHOW))
    finally:
        (world.home / "config.toml").unlink()
    assert (code, out) == (1, "")
    assert "The proxy did not start" in err
    assert "strategy" in err


def test_output_of_a_client_is_not_held_back(world: World) -> None:
    process = world.python("import sys; print('at once', flush=True); sys.stdin.read()", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "at once\n"
    assert process.poll() is None
    assert world.ended(process, "")[0] == 0
