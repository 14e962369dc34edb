"""How long an attempt is waited for: nothing that is alive is cut before its client would do so itself."""

from dataclasses import dataclass

import pytest

from accounts.choice.outcomes import Kind, Rest
from accounts.turn.state import CLIENT_SECONDS
from addons.exchange.patience import (
    CARRY_SECONDS,
    HELD_SECONDS,
    STALL_SECONDS,
    UPGRADE_SECONDS,
    USUAL,
    Limits,
    Patience,
    left_after,
)
from tests.builders import NOW


@dataclass
class Reading:
    """What is known of an answer."""

    began_at: float = NOW
    delivered: bool = False
    is_refusal: bool = False
    is_stream: bool = False
    silent: float = 0.0


def waited(reading: Reading, *, upgrade: bool = False, head: float = CLIENT_SECONDS, looks: int = 9) -> list[float]:
    """The seconds at which it is looked at, until it is over."""
    patience, now, at = Patience(Limits(head_seconds=head), upgrade, NOW), reading.began_at, []
    while len(at) < looks:
        now += patience.left(reading, now)  # type: ignore[arg-type]
        at.append(now - NOW)
        if patience.is_over(reading, now):  # type: ignore[arg-type]
            return at
    raise AssertionError(f"looked at for ever: {at}")


def test_an_answer_that_does_not_begin_is_waited_for_as_long_as_the_client_waits() -> None:
    assert waited(Reading())[-1] == CLIENT_SECONDS


def test_one_that_has_begun_without_output_goes_to_the_client_before_its_patience_is_over() -> None:
    assert waited(Reading(is_stream=True)) == [HELD_SECONDS]
    assert HELD_SECONDS < CLIENT_SECONDS


def test_a_refusal_has_little_time_to_say_why() -> None:
    assert waited(Reading(is_refusal=True)) == [15]


@pytest.mark.parametrize(("later", "until"), [(0, 14), (8, 14), (13.5, 14.5)])
def test_all_attempts_at_an_upgrade_together_are_over_before_the_client_complains(later: float, until: float) -> None:
    assert UPGRADE_SECONDS < 15
    assert waited(Reading(began_at=NOW + later), upgrade=True) == [until]


def test_a_shorter_time_is_the_owner_s_to_set() -> None:
    assert waited(Reading(), head=7) == [7]
    assert waited(Reading(is_stream=True), head=7) == [7]


def test_what_is_delivered_is_not_given_up_before_the_client_has_done_so() -> None:
    assert waited(Reading(delivered=True, silent=STALL_SECONDS)) == [1]
    patience = Patience(USUAL, False, NOW)
    assert patience.left(Reading(delivered=True, silent=10), NOW) == CARRY_SECONDS - 10  # type: ignore[arg-type]
    assert patience.left(Reading(delivered=True, silent=CARRY_SECONDS), NOW) == 1  # type: ignore[arg-type]
    assert patience.left(Reading(delivered=True, silent=CARRY_SECONDS), NOW, unhelped=True) == 40  # type: ignore[arg-type]
    assert not patience.is_over(Reading(delivered=True, silent=CLIENT_SECONDS), NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(("silent", "kind"), [(0, Kind.CLIENT_GONE), (290, Kind.CLIENT_GONE), (299, Kind.HEAD_TIMEOUT)])
def test_a_client_that_leaves_after_its_patience_is_led_elsewhere_and_nobody_rests(silent: float, kind: Kind) -> None:
    outcome = left_after(silent)
    assert (outcome.kind, outcome.rule.rest) == (kind, Rest.NONE)
