"""What was found out about accounts, for programs: the verdict, the state, and an exit code for all of them."""

import pytest

from accounts.provider.checking import Checked
from accounts.provider.usage import AccountFinding, Verdict
from accounts.states import AccountState, State
from cli.ui.checked import as_data, exit_code
from tests.builders import account


def checked(verdict: Verdict) -> Checked:
    return Checked(account("ann"), AccountFinding(verdict=verdict, detail="d"), AccountState(State.READY))


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], 0),
        ([Verdict.USABLE, Verdict.USABLE], 0),
        ([Verdict.USABLE, Verdict.UNKNOWN], 1),
        ([Verdict.NEEDS_LOGIN], 3),
    ],
)
def test_the_exit_code_says_how_many_can_be_used(verdicts: list[Verdict], code: int) -> None:
    assert exit_code([checked(each) for each in verdicts]) == code


def test_a_record_of_one_account() -> None:
    told = as_data(checked(Verdict.DEACTIVATED))
    assert (told["label"], told["verdict"], told["state"], told["detail"]) == ("ann", "deactivated", "ready", "d")
