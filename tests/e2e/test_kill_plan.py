"""What is drawn for a turn, and that it can be had again by its name."""

from functools import cache

import pytest

from scripts.kill import alone, asked_for
from standin.faults import Phase
from tests.e2e.cases import HTTP, WEBSOCKET
from tests.e2e.desk import RESPONSES
from tests.e2e.kill_plan import MODES, MOST_DEATHS, PLOTS, Choice, Death, Turn, counted, moments


@cache
def drawn() -> list[Turn]:
    """Late: every process that looks for tests would draw them."""
    return [turn for number in range(150) for turn in Choice().conversation(f"seed {number}")]


def test_a_seed_draws_the_same_again() -> None:
    assert Choice().conversation("seed") == Choice().conversation("seed")
    assert Choice().conversation("seed") != Choice().conversation("another")


def test_every_mode_plot_and_transport_is_drawn() -> None:
    assert {death.mode for turn in drawn() for death in turn.deaths} == {*MODES}
    assert {turn.plot for turn in drawn()} == PLOTS.keys()
    assert {(turn.transport, turn.resumed, turn.sealed, turn.paced) for turn in drawn()} >= {
        (transport, resumed, sealed, paced)
        for transport in (WEBSOCKET, HTTP)
        for resumed in (True, False)
        for sealed in (True, False)
        for paced in (True, False)
    }


def test_one_account_is_always_well() -> None:
    assert {len(turn.deaths) for turn in drawn()} == set(range(1, MOST_DEATHS + 1))


def test_a_thread_begins_with_a_new_turn() -> None:
    assert [turn.resumed for turn in Choice().conversation("seed 3")][:1] == [False]


def test_a_death_has_a_name() -> None:
    for turn in drawn():
        for death in turn.deaths:
            assert Death.named(death.written, death.moment) == death


@pytest.mark.parametrize("transport", [WEBSOCKET, HTTP])
@pytest.mark.parametrize("mode", MODES)
def test_every_death_can_come_about(mode: str, transport: str) -> None:
    """There is an occasion for it: a fault that never strikes would look like a turn that went well."""
    socket = {Phase.UPGRADE, Phase.ACCEPTED, Phase.MESSAGE}
    phases = socket if transport == WEBSOCKET else {Phase.REQUEST}
    for plot in PLOTS:
        for some in moments(mode, plot, transport).values():
            for moment in some:
                fault = Death(mode, moment).fault()
                assert any(
                    fault.strikes(RESPONSES, phase, warm_up=moment == "warm-up", size=1, step=fault.step)
                    for phase in phases
                ), (mode, moment)


def test_the_events_of_a_socket_are_one_more() -> None:
    """It opens with the state of the quota."""
    for plot in PLOTS:
        assert [each - 1 for each in counted(plot, WEBSOCKET)] == counted(plot, HTTP)


def test_the_options_say_all_of_a_turn() -> None:
    turn = Turn(WEBSOCKET, "json", "tool", True, True, True, (Death("limit", "0:3"), Death("reset", "1", False)))
    assert alone(asked_for(turn.again.split()))[-1] == turn
    assert alone(asked_for(Turn(HTTP).again.split())) == [Turn(HTTP)]
