"""A proxy that ends or dies in the middle of the work of the official CLI: the user notices nothing, or a line."""

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config import clock
from standin import Fault, FaultKind
from tests.e2e.codex import finish
from tests.e2e.conftest import BOTH_TRANSPORTS, SetUp
from tests.e2e.desk import ROTATE, Desk, open_desk
from tests.e2e.terminal import Screen
from tests.e2e.test_rotation import SAY_HI, asking, said_upstream, unnoticed
from tests.harness import PATIENCE, eventually

RESTART_SECONDS = 2.0
"""What a service manager leaves between the two."""
TURN_SECONDS = 15.0
REPLACED = "codex-rotate: the proxy ended ({how}); another one runs at the same address since."


@pytest.fixture
def desk(binary: Path, transport: str, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(binary, tmp_path / "a desk", transport, cold=False) as opened:
        yield opened


def test_a_restart_in_the_middle_of_a_turn_is_not_noticed_and_not_paid_twice(set_up: SetUp, transport: str):
    scene = set_up()
    upstream, port = scene.upstream, scene.proxy.port
    upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    running = scene.codex.start(SAY_HI)
    assert upstream.wait_for(lambda: asking(scene.codex), seconds=60)
    began = clock.monotonic()
    scene.proxy.process.send_signal(signal.SIGTERM)
    scene.proxy.output.wait_for("waiting for 1 turn to end")
    clock.pause(RESTART_SECONDS)
    flags = (*scene.proxy.flags, "--listen-port", str(port))
    with replace(scene.proxy, flags=flags) as second:
        assert second.port == port
        clock.pause(max(0.0, began + TURN_SECONDS - clock.monotonic()))
        assert scene.proxy.process.poll() is None
        upstream.release()
        assert unnoticed(finish(running), "Hello from acc-1.", transport)
        assert scene.proxy.process.wait(PATIENCE) == 0
        assert asking(scene.codex) == ["acc-1"]
        again = replace(scene.codex, proxy=second).run("resume", "--last", "and again")
        assert unnoticed(again, "Hello from acc-1.", transport, prompt="and again")
        assert said_upstream(scene.codex, "Hello from acc-1.")
        assert asking(scene.codex) == ["acc-1"] * 2


# --- under `run` -----------------------------------------------------------------------------------------------------


def resumed(desk: Desk) -> list[str]:
    """The next turn of the same thread, as a command."""
    return [ROTATE, "run", "--", *desk.client("resume", "--last", "and again")]


@BOTH_TRANSPORTS
def test_a_proxy_that_is_killed_in_the_middle_of_a_turn_is_replaced(desk: Desk, transport: str) -> None:
    """The client asks again by itself, and gets its answer from the new one at the same address."""
    desk.upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    running = desk.start([ROTATE, "run", "--", *desk.client(SAY_HI)])
    assert desk.upstream.wait_for(desk.turns, 20)
    (told,) = desk.proxies()
    os.kill(told.pid, signal.SIGKILL)
    ran = finish(running)
    assert (ran.code, ran.out) == (0, "Hello from acc-1.\n"), ran.err
    assert ran.err.count(REPLACED.format(how="killed by signal 9")) == 1
    assert [each.url for each in desk.proxies() if each.pid != told.pid] == [told.url]
    assert desk.turns() == ["acc-1"] * 2
    again = finish(desk.start(resumed(desk)))
    assert unnoticed(again, "Hello from acc-1.", transport, prompt="and again")


def test_a_proxy_that_is_told_to_end_in_the_middle_of_a_turn_finishes_it(desk: Desk, transport: str) -> None:
    """Another one is there before; the client notices nothing, and the turn is paid once."""
    desk.upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    running = desk.start([ROTATE, "run", "--", *desk.client(SAY_HI)])
    assert desk.upstream.wait_for(desk.turns, 20)
    (told,) = desk.proxies()
    os.kill(told.pid, signal.SIGTERM)
    assert eventually(lambda: [each.url for each in desk.proxies() if each.pid != told.pid] == [told.url], 30)
    desk.upstream.release()
    ran = finish(running)
    assert (ran.code, ran.out) == (0, "Hello from acc-1.\n"), ran.err
    ours = [line for line in ran.err.splitlines() if line.startswith("codex-rotate")]
    assert ours == [REPLACED.format(how="it was told to")]
    assert "Reconnecting" not in ran.err
    assert desk.turns() == ["acc-1"]
    again = finish(desk.start(resumed(desk)))
    assert unnoticed(again, "Hello from acc-1.", transport, prompt="and again")


def test_without_a_login_of_the_client_nothing_is_started(desk: Desk) -> None:
    """It says which command logs in; one with an API key goes past the pool as well."""
    login = desk.folder / "client" / "auth.json"
    login.unlink()
    ran = desk.run(SAY_HI)
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(r"codex-rotate: The client is not logged in,.* Run `codex login`.*\n", ran.err)
    login.write_text('{"OPENAI_API_KEY": "sk-of-the-client"}')
    ran = desk.run(SAY_HI)
    assert (ran.code, "API key" in ran.err, "`codex login`" in ran.err) == (1, True, True)
    assert desk.proxies() == []
    assert desk.upstream.requests == ()


@pytest.mark.parametrize("transport", ["auto"], indirect=True)
def test_the_full_screen_client_lives_through_the_death_of_its_proxy(desk: Desk) -> None:
    """Its screen stays as it is: what there is to say is said when it has ended."""
    desk.trust_folder()
    screen = Screen([desk.rotate_program, "run", "--", str(desk.binary)], desk.environ, desk.folder / "work")
    try:
        screen.wait_for("Ask Codex to do anything")
        screen.ask("Say hello.")
        screen.wait_for("Hello from acc-1.")
        (told,) = desk.proxies()
        os.kill(told.pid, signal.SIGKILL)
        assert eventually(lambda: [each.url for each in desk.proxies() if each.pid != told.pid] == [told.url], 30)
        desk.upstream.answer_with("acc-1", "And hello again.")
        screen.ask("Say it again.")
        screen.wait_for("And hello again.")
        assert "codex-rotate:" not in screen.text
        screen.ask("/quit")
        assert screen.ended() == 0
        assert screen.text.rstrip().endswith(REPLACED.format(how="killed by signal 9"))
    finally:
        screen.close()
