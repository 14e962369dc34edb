"""What programs are told of an account, and how long something is past."""

import pytest

from accounts.model import Account
from accounts.states import AccountState, State
from cli.ui.words.states import ago, described

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


def test_an_account_for_programs() -> None:
    """`resting_until` is for what rests or is kept; `until` is when any state ends."""
    told = described(
        3, account("ann", email="a@x.org", plan="pro"), AccountState(State.RESTING, 5.0, "usage_limit"), NOON
    )
    assert (told["number"], told["label"], told["state"]) == (3, "ann", "resting")
    assert (told["resting_until"], told["reason"], told["plan"]) == (5.0, "usage_limit", "pro")
    spent = described(1, account(), AccountState(State.SPENT, NOON + 60, "5h"), NOON)
    assert (spent["state"], spent["until"], spent["resting_until"], spent["serves"]) == (
        "spent",
        NOON + 60,
        None,
        False,
    )
    assert spent["state_in_words"] == "spent until 21:01 (5h)"
