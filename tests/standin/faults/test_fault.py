"""Which requests a fault is for."""

from dataclasses import replace

from standin import Fault, FaultKind
from standin.faults import TOKEN_PATH, Phase, Point, is_generation
from standin.faults.rules import BIGGEST_MESSAGE
from tests.rows import all_rows
from tests.standin.clients import RESPONSES


def test_paths() -> None:
    """Generation is what spends the account's allowance."""
    assert is_generation(RESPONSES)
    assert is_generation("/backend-api/codex/alpha/search")
    assert not is_generation("/backend-api/codex/models")
    assert not is_generation("/backend-api/codex/analytics-events/events")
    assert not is_generation("/backend-api/wham/usage")


@all_rows(
    ("fault", "path", "phase", "strikes"),
    [
        (Fault(FaultKind.HANG), RESPONSES, Phase.REQUEST, True),
        (Fault(FaultKind.HANG), "/backend-api/codex/models", Phase.REQUEST, False),
        (Fault(FaultKind.HANG, path="/backend-api/codex/models"), "/backend-api/codex/models", Phase.REQUEST, True),
        (Fault(FaultKind.HANG, path="/backend-api/codex/models"), RESPONSES, Phase.REQUEST, False),
        (Fault(FaultKind.HANG), RESPONSES, Phase.UPGRADE, True),
        (Fault(FaultKind.HANG, in_band=True), RESPONSES, Phase.UPGRADE, False),
        (Fault(FaultKind.HANG, after_output=True), RESPONSES, Phase.UPGRADE, False),
        (Fault(FaultKind.STALL), RESPONSES, Phase.UPGRADE, False),
        (Fault(FaultKind.STALL), RESPONSES, Phase.MESSAGE, True),
        (Fault(FaultKind.UPGRADE_REQUIRED), RESPONSES, Phase.UPGRADE, True),
        (Fault(FaultKind.UPGRADE_REQUIRED), RESPONSES, Phase.REQUEST, False),
        (Fault(FaultKind.UPGRADE_REQUIRED), RESPONSES, Phase.MESSAGE, False),
        (Fault(FaultKind.TOKEN_HANG), TOKEN_PATH, Phase.REQUEST, True),
        (Fault(FaultKind.TOKEN_HANG), RESPONSES, Phase.REQUEST, False),
    ],
)
def test_where_a_fault_strikes(fault: Fault, path: str, phase: Phase, strikes: bool) -> None:
    """By path and by occasion."""
    assert fault.strikes(path, phase) is strikes


def test_points() -> None:
    """`after_output` moves any fault behind the first piece of output."""
    assert Fault(FaultKind.RESET).point is Point.HEAD
    assert Fault(FaultKind.RESET, after_output=True).point is Point.OUTPUT
    assert Fault(FaultKind.RESET, at=Point.SHELL).point is Point.SHELL


@all_rows(
    ("fault", "phases"),
    [
        (Fault(FaultKind.SOCKET_CLOSED), {Phase.ACCEPTED}),
        (Fault(FaultKind.SOCKET_CLOSED, in_band=True), {Phase.MESSAGE}),
        (Fault(FaultKind.SOCKET_CLOSED, after_output=True), {Phase.MESSAGE}),
        (Fault(FaultKind.LATE_HEAD), {Phase.REQUEST, Phase.UPGRADE}),
        (Fault(FaultKind.SILENCE), {Phase.MESSAGE}),
        (Fault(FaultKind.GZIP), {Phase.REQUEST}),
        (Fault(FaultKind.BARE, status=413), {Phase.REQUEST, Phase.UPGRADE, Phase.MESSAGE}),
    ],
)
def test_occasions(fault: Fault, phases: set[Phase]) -> None:
    """What only a socket knows is not for a request, and the other way round."""
    assert {phase for phase in Phase if fault.strikes(RESPONSES, phase)} == phases


def test_only_what_is_too_big() -> None:
    """A socket takes no more than 16 MiB in one message; a test may say another number."""
    fault = Fault(FaultKind.MESSAGE_TOO_BIG)
    assert not fault.strikes(RESPONSES, Phase.MESSAGE, size=BIGGEST_MESSAGE)
    assert fault.strikes(RESPONSES, Phase.MESSAGE, size=BIGGEST_MESSAGE + 1)
    assert replace(fault, min_bytes=10).strikes(RESPONSES, Phase.MESSAGE, size=10)


def test_a_shell_is_not_for_a_warm_up() -> None:
    """It has nothing to say, so nothing is begun."""
    fault = Fault(FaultKind.FAILED_EVENT, at=Point.SHELL)
    assert not fault.strikes(RESPONSES, Phase.MESSAGE, warm_up=True)
    assert fault.strikes(RESPONSES, Phase.MESSAGE)
