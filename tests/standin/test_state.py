"""What the threads share: which fault comes first, what is held and what a release lets go."""

import asyncio

import pytest

from standin import Fault, FaultKind
from standin.faults import Phase
from standin.state import ANY_ACCOUNT, State
from tests.standin.clients import RESPONSES

LIMIT, HANG, RESET = (Fault(kind) for kind in (FaultKind.USAGE_LIMIT, FaultKind.HANG, FaultKind.RESET))


@pytest.fixture
def state() -> State:
    made = State(clock=lambda: 1000.0)
    made.add_account("acc-1", {"user_id": "user-1"})
    return made


def taken(state: State, count: int) -> list[Fault | None]:
    [account] = state.find("acc-1:user-1")
    return [state.take_fault(account, RESPONSES, Phase.REQUEST) for _ in range(count)]


def test_counted_faults_come_first_and_in_order(state: State) -> None:
    """Then the lasting one, for ever."""
    state.set_fault("acc-1", LIMIT, None)
    state.set_fault("acc-1", HANG, 1)
    state.set_fault("acc-1", RESET, 2)
    assert taken(state, 5) == [HANG, RESET, RESET, LIMIT, LIMIT]


def test_a_lasting_fault_replaces_the_one_before(state: State) -> None:
    """For the same name and path only."""
    elsewhere = Fault(FaultKind.HANG, path="/backend-api/codex/models")
    state.set_fault("acc-1", LIMIT, None)
    state.set_fault("acc-1", elsewhere, None)
    state.set_fault("acc-1", RESET, None)
    assert taken(state, 2) == [RESET, RESET]
    assert state.take_fault(None, "/backend-api/codex/models", Phase.REQUEST) is None
    assert state.take_fault(state.find("acc-1")[0], "/backend-api/codex/models", Phase.REQUEST) == elsewhere


@pytest.mark.parametrize("name", ["acc-1", "acc-1:user-1", ANY_ACCOUNT])
def test_names(state: State, name: str) -> None:
    """A fault is for an account id, for one seat, or for all."""
    state.set_fault(name, LIMIT, None)
    assert taken(state, 1) == [LIMIT]
    state.clear("somebody else")
    assert taken(state, 1) == [LIMIT]
    state.clear(name)
    assert taken(state, 1) == [None]


def test_seats_of_one_team(state: State) -> None:
    """Two seats may share the account id; each has faults of its own."""
    second = state.add_account("acc-1", {"user_id": "user-2"})
    state.set_fault("acc-1:user-2", LIMIT, None)
    assert taken(state, 1) == [None]
    assert state.take_fault(second, RESPONSES, Phase.REQUEST) == LIMIT
    assert len(state.find("acc-1")) == 2


def test_mistakes_are_named(state: State) -> None:
    """An unknown account and a seat added twice are errors in the test, and said so."""
    with pytest.raises(KeyError, match="no account 'acc-9'"):
        state.set_fault("acc-9", LIMIT, None)
    with pytest.raises(ValueError, match="an account already"):
        state.add_account("acc-1", {"user_id": "user-1"})


def test_a_fault_can_last_for_a_time() -> None:
    """By the stand-in's clock."""
    now = 1000.0
    state = State(clock=lambda: now)
    state.add_account("acc-1", {"user_id": "user-1"})
    state.set_fault(ANY_ACCOUNT, LIMIT, None, seconds=4)
    assert taken(state, 1) == [LIMIT]
    now = 1004.0
    assert taken(state, 1) == [None]


async def test_a_release_lets_go_what_arrived_before_it(state: State) -> None:
    """Even if it comes to be held only later; what arrives after the release is held."""
    early = state.ticket()
    state.release(asyncio.get_running_loop())
    late = state.ticket()
    await asyncio.wait_for(state.hold(early), 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(state.hold(late), 0.01)
    held = asyncio.ensure_future(state.hold(late))
    await asyncio.sleep(0)
    state.release(asyncio.get_running_loop())
    await asyncio.wait_for(held, 1)
