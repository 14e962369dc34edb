"""What an account is doing, told by what explains it best, in local time."""

import pytest

from accounts.model import Account, Cooldown, Standing
from accounts.quota import MAIN, Window
from cli.states import State, Told, ago, described, in_words, remedies, tell

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, a Wednesday."""


pytestmark = pytest.mark.usefixtures("in_tokyo")


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


def test_in_words() -> None:
    """A rest says until when and why."""
    account = Account(account_id="a", user_id="u", label="x")
    rest = Cooldown(until=NOON + 60, reason="usage_limit_reached")
    assert in_words(tell(account, rest, NOON), NOON) == "resting until 21:01 (usage limit reached)"
    assert in_words(tell(account, Cooldown(until=NOON + 60, reason=""), NOON), NOON) == "resting until 21:01"
    assert in_words(tell(account, None, NOON), NOON) == "ready"


def account(label: str = "x", **fields: object) -> Account:
    return Account(**{"account_id": "a", "user_id": "u", "label": label, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "used", "resets_in", "state"),
    [
        (20, 79.9, 60, State.READY),
        (20, 80, 60, State.RESERVED),
        (20, 100, -1, State.READY),
        (0, 100, 60, State.READY),
        (100, 0, 60, State.RESERVED),
    ],
)
def test_what_the_owner_keeps(kept: int, used: float, resets_in: float, state: State) -> None:
    """From there on the account is kept for its owner until its window resets; a window that is over keeps nothing."""
    window = Window(family=MAIN, minutes=300, used_percent=used, resets_at=NOON + resets_in, seen_at=NOON - 60)
    told = tell(account(reserve_percent=kept), None, NOON, (window,))
    assert told.state is state
    assert told.until == (NOON + 60 if state is State.RESERVED else None)
    assert in_words(told, NOON) == ("ready" if state is State.READY else "kept for its owner until 21:01")
    rest = Cooldown(until=NOON + 120, reason="usage_limit")
    assert tell(account(reserve_percent=kept), rest, NOON, (window,)).state is State.RESTING


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "just now"), (59, "just now"), (60, "1m ago"), (7199, "1h ago"), (86_400 * 12, "12d ago")],
)
def test_how_long_ago(seconds: float, shown: str) -> None:
    assert ago(NOON - seconds, NOON) == shown


def test_what_only_a_person_can_mend_comes_with_its_command() -> None:
    """One line for each kind of trouble, however many accounts have it. A label is quoted as a shell needs it."""
    dead, gone, fine = Told(State.NEEDS_LOGIN), Told(State.CLOSED), Told(State.READY)
    (line,) = remedies([(account("ann"), dead), (account("bob"), fine)], NOON)
    assert line == (
        "ann was signed out by the provider. Run `codex-rotate login` with that account: it is renewed in its place."
    )
    many = [(account(f"a{number}"), dead) for number in range(30)]
    (line,) = remedies([*many, (account("bob"), fine)], NOON)
    assert line.startswith("a0, a1, a2, a3, a4, a5, a6, a7 and 22 more were signed out")
    (line,) = remedies([(account("my ann"), gone), (account("bob"), fine)], NOON)
    assert "`codex-rotate remove 'my ann'`" in line
    assert remedies([(account("bob"), fine), (account("cy"), Told(State.PAUSED))], NOON) == []


def test_a_pool_in_which_nobody_serves_says_when_and_how() -> None:
    """With a time if one comes back by itself; a paused account is nearer than a new one."""
    rests, paused = Told(State.RESTING, NOON + 60), Told(State.PAUSED)
    (line,) = remedies([(account(), rests)], NOON)
    assert line == "Nobody can serve before 21:01. `codex-rotate login` brings in another account."
    (line,) = remedies([(account("ann"), rests), (account("-bob"), paused)], NOON)
    assert line == "Nobody can serve before 21:01. `codex-rotate resume -- -bob` brings in a paused account."
    (line,) = remedies([(account("cy"), paused)], NOON)
    assert line.startswith("Nobody can serve now. `codex-rotate resume cy`")
    assert remedies([], NOON) == []


def test_an_account_for_programs() -> None:
    told = described(3, account("ann", email="a@x.org", plan="pro"), Told(State.RESTING, 5.0, "usage_limit"))
    assert (told["number"], told["label"], told["state"]) == (3, "ann", "resting")
    assert (told["resting_until"], told["reason"], told["plan"]) == (5.0, "usage_limit", "pro")
