"""The client's server in the background: found as a real process with a made-up environment."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.doctor import daemon as doctor_daemon
from cli.doctor.daemon import Daemon, Daemons, gather, variables
from cli.doctor.network import At, LedTo
from tests.cli.doctors import NOTE, OK, WARNING, free, only, short

ARGUMENTS = ("app-server", "--listen", "unix://", "--managed-daemon")
linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere processes do not show their environment")


@contextmanager
def daemon(*arguments: str, **environ: str) -> Iterator[int]:
    """A process that looks like it, until we let go of its stdin."""
    wait = "import sys; print('up', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", wait, *arguments], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process.pid


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CODEX_HOME": str(tmp_path / "it's ü"), "CODEX_ROTATE_HOME": str(tmp_path)}


# --- facts -----------------------------------------------------------------------------------------------------------


@linux
def test_one_that_was_started_without_a_proxy(environ: dict[str, str]) -> None:
    home = environ["CODEX_HOME"]
    with daemon(*ARGUMENTS, CODEX_HOME=home, OPENAI_API_KEY="sk-nobody-may-see") as pid:
        found = gather(environ)
    assert found.running == (Daemon(pid=pid),)
    assert "nobody-may-see" not in repr(found)
    assert gather(environ).running == ()


@linux
def test_where_one_was_led(environ: dict[str, str]) -> None:
    with daemon(*ARGUMENTS, CODEX_HOME=environ["CODEX_HOME"], https_proxy=free()) as pid:
        (found,) = gather(environ).running
    assert found.led is not None
    assert (found.pid, found.led.at) == (pid, At.NOTHING)


@linux
def test_what_is_none_of_this_client(environ: dict[str, str], tmp_path: Path) -> None:
    """A server of another CODEX_HOME, and one that an editor talks to."""
    home = environ["CODEX_HOME"]
    with daemon(*ARGUMENTS, CODEX_HOME=str(tmp_path)), daemon("app-server", CODEX_HOME=home):
        assert gather(environ).running == ()


@linux
def test_one_follows_the_env_file_that_was_there_before_it(environ: dict[str, str]) -> None:
    file = Path(environ["CODEX_HOME"]) / ".env"
    file.parent.mkdir()
    file.touch()
    os.utime(file, (1_000_000_000, 1_000_000_000))
    with daemon(*ARGUMENTS, CODEX_HOME=environ["CODEX_HOME"]):
        assert [each.after_bind for each in gather(environ).running] == [True]
        os.utime(file, (4_000_000_000, 4_000_000_000))
        assert [each.after_bind for each in gather(environ).running] == [False]
        file.unlink()
        assert [each.after_bind for each in gather(environ).running] == [False]


def test_where_processes_cannot_be_seen(environ: dict[str, str], tmp_path: Path) -> None:
    assert gather(environ, system="darwin") == Daemons(visible=False)
    (Path(environ["CODEX_HOME"]) / "packages" / "app-server-daemon").mkdir(parents=True)
    assert gather(environ, system="win32") == Daemons(visible=False, installed=True)
    assert gather(environ, proc=tmp_path / "none") == Daemons(visible=False, installed=True)


def test_only_what_leads_somewhere_is_kept_of_an_environment() -> None:
    block = b"A=sk-x\0HTTPS_PROXY=http://a:1\0CODEX_HOME=/c\0\0broken\0OPENAI_API_KEY=\xff\xfe\0"
    assert variables(block) == {"HTTPS_PROXY": "http://a:1", "CODEX_HOME": "/c"}


# --- judgement -------------------------------------------------------------------------------------------------------


def led(at: At, trouble: str = "") -> LedTo:
    return LedTo(name="HTTPS_PROXY", place="" if trouble else "127.0.0.1 port 1", at=at, trouble=trouble)


@pytest.mark.parametrize(
    ("daemon", "bound", "state"),
    [
        (Daemon(pid=7), False, WARNING),
        (Daemon(pid=7), True, WARNING),
        (Daemon(pid=7, after_bind=True), True, OK),
        (Daemon(pid=7, after_bind=True), False, WARNING),
        (Daemon(pid=7, led=led(At.OURS)), False, OK),
        (Daemon(pid=7, led=led(At.OURS, "begins with https://")), False, WARNING),
        (Daemon(pid=7, led=led(At.NOTHING)), False, WARNING),
        (Daemon(pid=7, led=led(At.SOMETHING)), False, WARNING),
        (Daemon(pid=7, readable=False), False, NOTE),
    ],
)
def test_whether_it_goes_past_the_pool(daemon: Daemon, bound: bool, state: object) -> None:
    found = only(doctor_daemon.daemons(Daemons(running=(daemon,)), bound=bound))
    assert (found.state, "daemon stop" in found.remedy) == (state, state is not OK)


def test_none() -> None:
    assert short(doctor_daemon.daemons(Daemons(), bound=False)) == [("client.daemon", OK)]
    assert short(doctor_daemon.daemons(Daemons(visible=False), bound=False)) == []
    assert only(doctor_daemon.daemons(Daemons(visible=False, installed=True), bound=False)).state is NOTE
