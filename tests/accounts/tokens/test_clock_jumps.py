"""A clock that is set is noticed; one that goes on, or is adjusted by a little, is not."""

import pytest

from accounts.tokens.clock_jumps import NOTICED, ClockJumps


@pytest.mark.parametrize(
    ("told", "jump"), [(60.0, 0.0), (60 + NOTICED, 0.0), (61 + NOTICED, 1 + NOTICED), (-3540.0, -3600.0)]
)
def test_the_two_clocks_go_apart_when_one_is_set(told: float, jump: float) -> None:
    jumps = ClockJumps(1000.0, 5.0)
    assert jumps.since(1000.0 + told, 65.0) == jump
    assert jumps.since(1001.0 + told, 66.0) == 0.0
