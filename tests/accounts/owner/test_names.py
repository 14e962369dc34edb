"""A person may name an account in the way that comes to mind, as long as one account is meant."""

import pytest

from accounts.errors import AmbiguousAccount, UnknownAccount
from accounts.model import Account
from accounts.owner.names import find_account, find_accounts, listed, typed
from tests.rows import all_rows

ACCOUNTS = (
    Account(account_id="acct-1", user_id="ua", label="work", email="ann@example.com"),
    Account(account_id="acct-1", user_id="ub", label="work-2", email="bob@example.com"),
    Account(account_id="acct-3", user_id="ua", label="private", email="ann@example.com"),
    Account(account_id="acct-4", user_id="uc", label="2", email="zed@example.com"),
)


@all_rows(
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


@all_rows("wanted", ["", " ", "nobody", "5", "0", "-1", "x@example.com"])
def test_none_is_meant(wanted: str) -> None:
    """Nothing is guessed; an empty name begins every label and still means none."""
    with pytest.raises(UnknownAccount, match="codex-rotate list"):
        find_account(ACCOUNTS, wanted)


def test_many_matches_are_not_all_listed() -> None:
    many = [Account(account_id=f"a{n}", user_id="u", label=f"seat-{n}") for n in range(30)]
    with pytest.raises(AmbiguousAccount, match=r"seat-7 \(8\), 22 more\."):
        find_account(many, "seat")


def test_several_accounts_by_several_names() -> None:
    """Each once, in the order of the names; one unknown name and there is none."""
    assert [each.label for each in find_accounts(ACCOUNTS, ["priv", "1", "work", "bob@"])] == [
        "private",
        "work",
        "work-2",
    ]
    with pytest.raises(UnknownAccount):
        find_accounts(ACCOUNTS, ["work", "nobody"])


@pytest.mark.parametrize(
    ("labels", "said"), [(["a"], "a"), (["a", "b"], "a and b"), (["a"] * 9, "a, a, a, a, a, a, a, a and a")]
)
def test_accounts_in_a_sentence(labels: list[str], said: str) -> None:
    """Nobody is hidden behind "1 more"."""
    assert listed(labels) == said


@all_rows(
    ("label", "words"),
    [("ann", "ann"), ("my ann", "'my ann'"), ("it's", "'it'\"'\"'s'"), ("-x", "-- -x"), ("$(x)", "'$(x)'")],
)
def test_a_label_in_a_command_that_is_suggested(label: str, words: str) -> None:
    assert typed(label) == words
