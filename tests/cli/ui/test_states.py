"""What to do about accounts that do not serve, and what programs are told of each."""

import pytest

from accounts.model import Account
from accounts.states import State, Told
from cli.ui.states import ago, described, remedies

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, a Wednesday."""


pytestmark = pytest.mark.usefixtures("in_tokyo")


def account(label: str = "x", **fields: object) -> Account:
    return Account(**{"account_id": "a", "user_id": "u", "label": label, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "just now"), (59, "just now"), (60, "1m ago"), (7199, "1h ago"), (86_400 * 12, "12d ago")],
)
def test_how_long_ago(seconds: float, shown: str) -> None:
    assert ago(NOON - seconds, NOON) == shown


def test_what_only_a_person_can_mend_comes_with_its_command() -> None:
    """One line for each kind of trouble, however many accounts have it. A label is quoted as a shell needs it."""
    dead, gone = Told(State.NEEDS_LOGIN, barred=True), Told(State.CLOSED, barred=True)
    fine = Told(State.READY)
    (line,) = remedies([(account("ann"), dead), (account("bob"), fine)], NOON)
    assert line == (
        "ann was signed out by the provider. Run `codex-rotate login` with that account: it is renewed in its place."
    )
    many = [(account(f"a{number}"), dead) for number in range(30)]
    (line,) = remedies([*many, (account("bob"), fine)], NOON)
    assert line.startswith("a0, a1, a2, a3, a4, a5, a6, a7 and 22 more were signed out")
    (line,) = remedies([(account("my ann"), gone), (account("bob"), fine)], NOON)
    assert "`codex-rotate remove 'my ann'`" in line
    assert remedies([(account("bob"), fine), (account("cy"), Told(State.PAUSED, barred=True))], NOON) == []


def test_a_pool_in_which_nobody_serves_says_when_and_how() -> None:
    """With a time if one comes back by itself; a paused account is nearer than a new one."""
    rests, paused = Told(State.RESTING, NOON + 60, barred=True, back=NOON + 60), Told(State.PAUSED, barred=True)
    (line,) = remedies([(account(), rests)], NOON)
    assert line == "Nobody can serve before 21:01. `codex-rotate login` brings in another account."
    (line,) = remedies([(account("ann"), rests), (account("-bob"), paused)], NOON)
    assert line == "Nobody can serve before 21:01. `codex-rotate resume -- -bob` brings in a paused account."
    (line,) = remedies([(account("cy"), paused)], NOON)
    assert line.startswith("Nobody can serve now. `codex-rotate resume cy`")
    assert remedies([], NOON) == []


def test_a_login_that_is_not_there_any_more() -> None:
    ended, none = Told(State.LOGIN_ENDED), Told(State.NO_LOGIN, barred=True)
    first, last = remedies([(account("ann"), ended), (account("bob"), none)], NOON)
    assert first == "bob and ann: no login that can be used is stored. Run `codex-rotate login` with each."
    assert last == "Nobody can serve now. `codex-rotate login` brings in another account."


def test_a_pool_that_serves_with_one_account_only() -> None:
    """What keeps the others is not that they cannot."""
    pinned = Told(State.RESTING, NOON + 60, barred=True, back=NOON + 60)
    (line,) = remedies([(account("ann"), pinned), (account("bob"), Told(State.PASSED_OVER, barred=True))], NOON)
    assert (
        line
        == "Nobody can serve before 21:01. `codex-rotate use --auto`, or the setting `strategy`, lets others serve."
    )


def test_an_account_for_programs() -> None:
    """`resting_until` is for what rests or is kept; `until` is when any state ends."""
    told = described(3, account("ann", email="a@x.org", plan="pro"), Told(State.RESTING, 5.0, "usage_limit"), NOON)
    assert (told["number"], told["label"], told["state"]) == (3, "ann", "resting")
    assert (told["resting_until"], told["reason"], told["plan"]) == (5.0, "usage_limit", "pro")
    spent = described(1, account(), Told(State.SPENT, NOON + 60, "5h"), NOON)
    assert (spent["state"], spent["until"], spent["resting_until"], spent["serves"]) == (
        "spent",
        NOON + 60,
        None,
        False,
    )
    assert spent["state_in_words"] == "spent until 21:01 (5h)"
