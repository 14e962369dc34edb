"""A person may name an account in the way that comes to mind, as long as one account is meant."""

import pytest

from accounts.errors import AmbiguousAccount, UnknownAccount
from accounts.model import Account
from cli.naming import find_account

ACCOUNTS = (
    Account(account_id="acct-1", user_id="ua", label="work", email="ann@example.com"),
    Account(account_id="acct-1", user_id="ub", label="work-2", email="bob@example.com"),
    Account(account_id="acct-3", user_id="ua", label="private", email="ann@example.com"),
    Account(account_id="acct-4", user_id="uc", label="2", email="zed@example.com"),
)


@pytest.mark.parametrize(
    ("wanted", "label"),
    [
        ("work", "work"),
        ("WORK-2", "work-2"),
        ("priv", "private"),
        ("1", "work"),
        ("3", "private"),
        ("2", "2"),
        ("bob@example.com", "work-2"),
        ("Bob@", "work-2"),
        ("acct-3", "private"),
        ("acct-1:ub", "work-2"),
        ("acct-4", "2"),
        (" work ", "work"),
    ],
)
def test_one_account_is_meant(wanted: str, label: str) -> None:
    """An exact name beats the beginning of another, a label beats a number."""
    assert find_account(ACCOUNTS, wanted).label == label


@pytest.mark.parametrize(
    ("wanted", "names"),
    [("wor", "work (1), work-2 (2)"), ("ann@example.com", "work (1), private (3)"), ("acct-1", "work (1), work-2 (2)")],
)
def test_several_could_be_meant(wanted: str, names: str) -> None:
    """The matches are listed with the numbers that tell them apart."""
    with pytest.raises(AmbiguousAccount) as caught:
        find_account(ACCOUNTS, wanted)
    assert names in str(caught.value)


@pytest.mark.parametrize("wanted", ["", " ", "nobody", "5", "0", "-1", "x@example.com"])
def test_none_is_meant(wanted: str) -> None:
    """Nothing is guessed; an empty name begins every label and still means none."""
    with pytest.raises(UnknownAccount, match="codex-rotate list"):
        find_account(ACCOUNTS, wanted)
