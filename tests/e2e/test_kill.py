"""Accounts die at random moments of turns of the official CLI, and its user notices nothing.

`make kill` plays as many of these as somebody wants.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.cases import HTTP, WEBSOCKET
from tests.e2e.kill_plan import EXEC, JSON, MODES, Choice, Turn
from tests.e2e.kill_turns import Outcome, open_table

SEED: Final = "in the small"
TALKS: Final = 3 if "COLD" in os.environ else 2
"""Conversations over each transport."""
QUICK: Final = tuple(mode for mode in MODES if mode != "silence")
"""What is silent takes as long as the proxy is patient."""


def talks(transport: str) -> list[list[Turn]]:
    choice = Choice(QUICK, (transport,), ways={EXEC: 0.7, JSON: 0.3})
    return [choice.conversation(f"{SEED} {number}") for number in range(TALKS)]


@pytest.fixture(scope="module")
def outcomes(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Outcome]]:
    """Both transports at the same time."""

    def play(transport: str) -> list[Outcome]:
        folder = tmp_path_factory.mktemp("kill") / "a desk"
        with open_table(binary, folder, transport, cold=False) as table:
            found = []
            for conversation in talks(transport):
                table.begin()
                found += [table.play(turn) for turn in conversation]
            return found

    with ThreadPoolExecutor() as pool:
        yield [each for some in pool.map(play, (WEBSOCKET, HTTP)) for each in some]


def test_every_answer_is_there_once_and_whole(outcomes: list[Outcome]) -> None:
    assert {each.turn.again: each.lost for each in outcomes if each.lost} == {}


def test_no_line_of_trouble_is_shown(outcomes: list[Outcome]) -> None:
    assert {each.turn.again: each.noisy for each in outcomes if each.noisy} == {}


def test_every_history_is_one_that_can_have_come_about(outcomes: list[Outcome]) -> None:
    assert {each.turn.again: each.broken for each in outcomes if each.broken} == {}


def test_accounts_have_died(outcomes: list[Outcome]) -> None:
    """Otherwise all this would say nothing."""
    assert sum(len(each.struck) for each in outcomes) >= len(outcomes) / 2
