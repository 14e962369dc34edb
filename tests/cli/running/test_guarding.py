"""A proxy that dies under a client is replaced at its address, whoever started it and however it died."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from cli.running import proxies
from cli.running.proxies import running, telling
from config import proxy_files
from config.proxy_files import ProxyInfo
from standin import StandIn
from tests.cli.commands.use.test_run import World, alive, on_a_terminal, read_until
from tests.cli.serving import serving
from tests.harness import PATIENCE, eventually, fill

pytestmark = pytest.mark.usefixtures("warm_starts")
WAIT = "import sys; print('ready', flush=True); sys.stdin.read(); print('done', flush=True)"
"""A client that says when it runs, and ends when its input does."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "its home"
    folder.mkdir()
    with StandIn() as upstream:
        fill(folder / "rotate", [upstream.add_account("acc-1")], folder)
    made = World(folder / "rotate")
    yield made
    assert made.stopped(), "a proxy did not end"


def kill(told: ProxyInfo) -> None:
    os.kill(told.pid, signal.SIGKILL)
    assert eventually(lambda: not alive(told.pid))


def another(world: World, told: ProxyInfo) -> ProxyInfo:
    """The proxy that runs at the address of one that ran."""
    assert eventually(lambda: [each for each in running(world.environ) if each.pid != told.pid], 30)
    (found,) = running(world.environ)
    assert (found.url, found.certificate) == (told.url, told.certificate)
    return found


def test_one_that_is_killed_is_replaced_and_the_client_goes_on(world: World) -> None:
    """One line says so. The new one ends like any other: by a signal, or when nobody needs it."""
    process = world.waiting(WAIT)
    (told,) = running(world.environ)
    kill(told)
    new = another(world, told)
    status = Path(f"/proc/{new.pid}/status")
    if status.exists():  # the thread that has started it keeps every signal from itself
        assert re.search(r"^SigBlk:\s*0+$", status.read_text(), re.MULTILINE)
    assert world.ended(process, "") == (
        0,
        "done\n",
        "codex-rotate: the proxy ended (killed by signal 9); another one runs at the same address since.\n",
    )
    os.kill(new.pid, signal.SIGTERM)
    assert eventually(lambda: not alive(new.pid))


def test_two_clients_of_one_proxy_share_the_next_one_too(world: World) -> None:
    both = [world.waiting(WAIT) for _ in range(2)]
    (told,) = running(world.environ)
    kill(told)
    another(world, told)
    said = [world.ended(process, "") for process in both]
    assert [(code, out) for code, out, _ in said] == [(0, "done\n")] * 2
    assert all("another one runs at the same address" in err for _, _, err in said)


def test_one_that_its_owner_ends_is_replaced_too(world: World) -> None:
    """Somebody else's child: how it ended is not known."""
    with serving(world.home) as (serve, _, port):
        process = world.waiting(WAIT)
        assert [told.url for told in running(world.environ)] == [f"http://127.0.0.1:{port}"]
        (told,) = running(world.environ)
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(20) == 0
        another(world, told)
        code, _, err = world.ended(process, "")
    assert (code, err) == (0, "codex-rotate: the proxy ended; another one runs at the same address since.\n")


def test_one_that_is_told_to_end_is_replaced_at_once(world: World) -> None:
    process = world.waiting(WAIT)
    (told,) = running(world.environ)
    os.kill(told.pid, signal.SIGTERM)
    another(world, told)
    code, _, err = world.ended(process, "")
    assert code == 0
    assert "the proxy ended (it was told to)" in err


def noticed(pid: int) -> bool:
    """Whether the thread of a `run` that watches its proxy has come to its end, where the system tells."""
    threads = Path(f"/proc/{pid}/task")
    return not threads.exists() or len(list(threads.iterdir())) == 1


def test_after_three_deaths_within_a_minute_it_gives_up_and_says_why(world: World) -> None:
    """However well the client thinks it went."""
    process = world.waiting(WAIT)
    (told,) = running(world.environ)
    for _ in range(2):
        kill(told)
        told = another(world, told)
        assert process.stderr is not None
        assert process.stderr.readline().endswith("another one runs at the same address since.\n")
    kill(told)
    assert eventually(lambda: noticed(process.pid))  # a client that ends well before that has lost nothing
    code, out, last = world.ended(process, "")
    assert (code, out, last.count("\n")) == (1, "done\n", 1)
    assert "3 times within a minute; the last time: killed by signal 9. The conversation is not lost" in last
    assert running(world.environ) == []


def test_an_address_that_another_program_has_by_then_is_given_up(world: World) -> None:
    """Nobody else's port is worth waiting for, and nothing is sent there."""
    process = world.waiting(WAIT)
    (told,) = running(world.environ)
    port = int(told.url.rpartition(":")[2])
    with closing(socket.socket()) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with proxies.alone(proxy_files.folder(world.environ)):  # so that `run` cannot be faster
            kill(told)
            assert eventually(lambda: bound(other, port))  # its threads may be there for a moment longer
            other.listen()
        other.settimeout(PATIENCE)
        if not asked(other):  # it was still quick enough to hold on, and asks what that is
            asked(other)
            asked(other)
        assert eventually(lambda: noticed(process.pid))  # a client that ends before that has lost nothing
        code, _, err = world.ended(process, "")
    assert code == 1
    assert f"killed by signal 9, and another program has its address {told.url} now" in err


def asked(server: socket.socket) -> bool:
    """Whether the next connection asks something: one that only holds on says nothing."""
    with closing(server.accept()[0]) as one:
        one.settimeout(3)  # a machine that is busy takes its time to ask
        with suppress(TimeoutError):
            return one.recv(4096) != b""
    return False


def bound(one: socket.socket, port: int) -> bool:
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def test_what_cannot_be_started_again_is_told_with_its_reason(world: World) -> None:
    """Here the pool is gone meanwhile."""
    process = world.waiting(WAIT)
    (told,) = running(world.environ)
    for file in world.home.glob("pool.db*"):
        file.unlink()
    kill(told)
    logs = world.home / "logs"
    assert eventually(lambda: sum("exiting" in log.read_text() for log in logs.glob("started-*")) == 2, 60)
    code, _, err = world.ended(process, "")
    assert code == 1
    assert "3 times within a minute; the last time: The proxy did not start." in err
    assert "codex-rotate login" in err


def test_a_full_screen_client_is_not_garbled(world: World) -> None:
    """What is to say is said after its end."""
    with on_a_terminal(world, WAIT) as (process, screen):
        assert read_until(screen, b"ready")
        (told,) = running(world.environ)
        kill(told)
        another(world, told)
        screen.write(b"\x04")
        before, _, after = read_until(screen, b"done").partition(b"done")
        assert b"ended" not in before
        if b"since." not in after:  # it may have come with the rest
            after += read_until(screen, b"since.")
        assert b"the proxy ended (killed by signal 9); another one" in after
        assert process.wait(PATIENCE) == 0


def test_the_words_of_a_log_that_tell_something() -> None:
    """What asyncio and Python add about themselves does not; of a traceback the last line does."""
    log = """
[12:00:00.123] codex-rotate: something told
[12:00:00.123][127.0.0.1:5] client connect
Traceback (most recent call last):
  File "x.py", line 1, in <module>
    main()
    ~~~~^^
MemoryError: too much
Task was destroyed but it is pending!
task: <Task pending name='x' coro=<y() running at z.py:1>>
x.py:1: RuntimeWarning: coroutine 'y' was never awaited
Error logged during startup, exiting...
[12:00:00.123] codex-rotate: waiting for 1 turn to end; stop once more to end at once
"""
    assert telling(log.splitlines()) == ["codex-rotate: something told", "client connect", "MemoryError: too much"]
