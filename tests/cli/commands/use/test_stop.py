"""`stop` ends the proxies of this pool, and nobody else's."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.commands.use.stop import complete_port
from cli.running.proxies import running
from config import proxy_files
from standin import StandIn
from tests.cli.commands.use.test_run import World
from tests.cli.conftest import Fill, Run
from tests.cli.running.test_guarding import WAIT, another
from tests.cli.serving import ROTATE, environment, free_port, serving, turn_in_the_middle, upstream
from tests.harness import PATIENCE, ROOT, eventually

__all__ = ["upstream"]  # a fixture
pytestmark = pytest.mark.usefixtures("warm_starts")

STRANGER = """
import os, sys
from cli.commands.use import stop
from config.proxy_files import ProxyInfo
os.setuid(65534)
try:
    stop.tell(ProxyInfo(url="http://127.0.0.1:1", pid=int(sys.argv[1]), home="", certificate="", version=""))
except stop.StopRefused as e:
    sys.exit(str(e))
"""


def stopping(home: Path, *words: str) -> "subprocess.Popen[str]":
    """The command as a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([ROTATE, "stop", *words], env=environment(home), cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def stop(home: Path, *words: str) -> tuple[int, str, str]:
    """The same, to its end."""
    process = stopping(home, *words)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_where_none_runs_there_is_nothing_to_stop(run: Run) -> None:
    port = free_port()
    ran = run("stop")
    assert (ran.code, ran.err) == (3, "codex-rotate: No proxy of this pool runs, so there is nothing to stop.\n")
    assert run("stop", "--all").code == 3
    ran = run("stop", str(port), "--json")
    assert (ran.code, ran.json["exit_code"]) == (3, 3)
    assert f"at port {port}" in ran.json["error"]


def test_wrong_usage(run: Run) -> None:
    assert run("stop", "0").code == 2
    assert run("stop", "eight").code == 2
    assert run("stop", "8118", "--all").code == 2


def test_the_only_one_needs_no_name(fill: Fill, home: Path) -> None:
    """`serve`, in the foreground, ends as with Ctrl-C."""
    fill("ann")
    with serving(home) as (process, output, port):
        code, out, err = stop(home)
        assert (code, out, err) == (0, f"The proxy at http://127.0.0.1:{port} has stopped.\n", "")
        assert process.wait(PATIENCE) == 0
        assert "The proxy has stopped" in output.text()
    assert running(environment(home)) == []


def test_of_several_one_has_to_be_named_or_all_are_meant(fill: Fill, home: Path) -> None:
    fill("ann")
    with serving(home) as (first, _, port), serving(home) as (second, _, other), serving(home) as (third, _, last):
        code, _, err = stop(home)
        assert (code, ", ".join(map(str, sorted((port, other, last)))) in err, "--all" in err) == (2, True, True)
        assert set(complete_port("")) == {str(port), str(other), str(last)}
        assert complete_port(str(other)) == [str(other)]
        (told,) = [each for each in running(environment(home)) if each.url.endswith(f":{other}")]
        code, out, _ = stop(home, str(other), "--json")
        assert (code, json.loads(out)) == (0, {"stopped": [{"proxy": told.url, "pid": told.pid}]})
        assert second.wait(PATIENCE) == 0
        assert (first.poll(), third.poll()) == (None, None)
        assert stop(home, "--all")[0] == 0
        assert (first.wait(PATIENCE), third.wait(PATIENCE)) == (0, 0)


def test_it_waits_for_a_turn_and_says_so_and_with_now_it_does_not(upstream: StandIn, home: Path) -> None:
    """A second `stop` without --now waits as well, and cuts nothing off."""
    trust = home / "ca" / "trusted.pem"
    waits = "waits for 1 turn to end; `codex-rotate stop --now` does not wait\n"
    with serving(home, upstream=upstream) as (process, _, port):
        with turn_in_the_middle(upstream, port, trust) as (client, asked):
            first = stopping(home)
            assert eventually(lambda: [each.turns for each in proxy_files.announced(home / "proxies")] == [1])
            second = stopping(home, str(port))
            assert (
                second.stderr.readline() == first.stderr.readline() == f"codex-rotate: http://127.0.0.1:{port} {waits}"
            )
            assert process.poll() is None
            upstream.release()
            assert client.answer(asked).completed
        assert [each.communicate(timeout=PATIENCE)[1] for each in (first, second)] == ["", ""]
        assert (first.returncode, second.returncode, process.wait(PATIENCE)) == (0, 0, 0)
    with serving(home, upstream=upstream) as (process, _, port):
        with turn_in_the_middle(upstream, port, trust) as (client, asked):
            assert stop(home, "--now")[0] == 0
            assert client.answer(asked).cut
        assert process.wait(PATIENCE) == 0


def test_what_is_not_of_this_pool_is_left_alone(
    fill: Fill, home: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("ann")
    with serving(home) as (process, _, port):
        monkeypatch.setenv("CODEX_ROTATE_HOME", str(home.parent / "another"))
        ran = run("stop", str(port))
        assert (ran.code, f"a proxy of another pool, in {home}" in ran.err) == (1, True)
        assert process.poll() is None
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def hang_up() -> None:
            for _ in range(2):
                server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        ran = run("stop", str(server.getsockname()[1]))
        thread.join(PATIENCE)
        assert (ran.code, "another program. Nothing was stopped" in ran.err) == (1, True)


@pytest.fixture
def world(home: Path, fill: Fill) -> Iterator[World]:
    fill("ann")
    made = World(home)
    yield made
    assert made.stopped(), "a proxy did not end"


def test_one_that_a_client_needs_is_replaced_by_its_run(world: World) -> None:
    """And ends with that client."""
    process = world.waiting(WAIT)
    (told,) = running(world.environ)
    assert stop(world.home)[0] == 0
    another(world, told)
    assert world.ended(process, "")[0] == 0


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_proxy_of_another_user_is_named(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as other:
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, str(other.pid)], cwd=ROOT, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert (done.returncode, "belongs to another user" in done.stderr) == (1, True)
        assert other.poll() is None
        other.send_signal(signal.SIGKILL)
