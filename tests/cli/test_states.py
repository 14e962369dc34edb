"""What an account is doing, told by what explains it best, in local time."""

import time
from collections.abc import Iterator

import pytest

from accounts.model import Account, Cooldown, Standing
from cli.states import State, clock_time, in_words, tell

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, a Wednesday."""


@pytest.fixture(autouse=True)
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process can be set on POSIX only")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("standing", "enabled", "until", "state"),
    [
        (Standing.GOOD, True, None, State.READY),
        (Standing.GOOD, True, 100.0, State.READY),
        (Standing.GOOD, True, 100.1, State.RESTING),
        (Standing.GOOD, False, 200.0, State.PAUSED),
        (Standing.NEEDS_LOGIN, False, 200.0, State.NEEDS_LOGIN),
        (Standing.DEACTIVATED, False, 200.0, State.CLOSED),
    ],
)
def test_the_state_that_explains_best(standing: Standing, enabled: bool, until: float | None, state: State) -> None:
    """What only the owner can mend comes before a pause, a pause before a rest; a rest ends at its time."""
    account = Account(account_id="a", user_id="u", label="x", standing=standing, enabled=enabled)
    told = tell(account, Cooldown(until=until, reason="limit") if until is not None else None, now=100.0)
    assert told.state is state
    assert (told.until is not None) == (state is State.RESTING)


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (NOON + 3600, "22:00"),
        (NOON + 3 * 3600, "Thu 00:00"),
        (NOON + 6 * 86400, "Tue 21:00"),
        (NOON + 7 * 86400, "2023-11-22 21:00"),
        (NOON - 86400, "Tue 21:00"),
        (1e18, "9999-12-31 23:59"),
    ],
)
def test_times_are_local(moment: float, shown: str) -> None:
    """Today the time is enough, this week the day, later the date; a time beyond the calendar breaks nothing."""
    assert clock_time(moment, NOON) == shown


def test_in_words() -> None:
    """A rest says until when and why."""
    account = Account(account_id="a", user_id="u", label="x")
    rest = Cooldown(until=NOON + 60, reason="usage_limit_reached")
    assert in_words(tell(account, rest, NOON), NOON) == "resting until 21:01 (usage limit reached)"
    assert in_words(tell(account, Cooldown(until=NOON + 60, reason=""), NOON), NOON) == "resting until 21:01"
    assert in_words(tell(account, None, NOON), NOON) == "ready"
