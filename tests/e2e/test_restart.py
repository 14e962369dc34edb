"""A proxy that is started anew in the middle of a turn: the user of the official CLI notices nothing."""

import signal
from dataclasses import replace

from config import clock
from standin import Fault, FaultKind
from tests.e2e.codex import finish
from tests.e2e.conftest import SetUp
from tests.e2e.test_rotation import SAY_HI, asking, said_upstream, unnoticed
from tests.harness import PATIENCE

RESTART_SECONDS = 2.0
"""What a service manager leaves between the two."""
TURN_SECONDS = 15.0


def test_a_restart_in_the_middle_of_a_turn_is_not_noticed_and_not_paid_twice(set_up: SetUp, transport: str):
    scene = set_up()
    upstream, port = scene.upstream, scene.proxy.port
    upstream.fault("acc-1", Fault(FaultKind.STALL, after_output=True), times=1)
    running = scene.codex.start(SAY_HI)
    assert upstream.wait_for(lambda: asking(scene.codex), seconds=20)
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
