"""What a person has to do about accounts comes with its command, one line for each kind of trouble."""

import pytest

from accounts.model import Account
from accounts.states import AccountState, State
from accounts.views.remedies import remedies

NOON = 1_700_049_600.0
"""2023-11-15 12:00 UTC, a Wednesday."""
pytestmark = pytest.mark.usefixtures("in_tokyo")


def account(label: str = "x", **fields: object) -> Account:
    return Account(**{"account_id": "a", "user_id": "u", "label": label, **fields})  # type: ignore[arg-type]


def test_what_only_a_person_can_mend_comes_with_its_command() -> None:
    """One line for each kind of trouble, however many accounts have it. A label is quoted as a shell needs it."""
    dead = AccountState(State.NEEDS_LOGIN, reason="refresh_token_reused", barred=True)
    gone = AccountState(State.CLOSED, barred=True)
    fine = AccountState(State.READY)
    (line,) = remedies([(account("ann"), dead), (account("bob"), fine)], NOON)
    assert line == (
        "ann was signed out by the provider. Run `codex-rotate login` with that account: it is renewed in its place."
    )
    many = [(account(f"a{number}"), dead) for number in range(30)]
    (line,) = remedies([*many, (account("bob"), fine)], NOON)
    assert line.startswith("a0, a1, a2, a3, a4, a5, a6, a7 and 22 more were signed out")
    (line,) = remedies([(account("my ann"), gone), (account("bob"), fine)], NOON)
    assert "`codex-rotate remove 'my ann'`" in line
    assert remedies([(account("bob"), fine), (account("cy"), AccountState(State.PAUSED, barred=True))], NOON) == []


def test_that_the_provider_signed_somebody_out_is_said_only_where_it_has_said_so() -> None:
    lost, unknown = (AccountState(State.NEEDS_LOGIN, reason=reason, barred=True) for reason in ("cut_off", ""))
    fine = (account("bob"), AccountState(State.READY))
    (line,) = remedies([(account("ann"), lost), fine], NOON)
    assert line.startswith("ann needs a login: the answer to its last renewal was lost. Run `codex-rotate login`")
    (line,) = remedies([(account("ann"), unknown), fine], NOON)
    assert line.startswith("ann needs a login. Run `codex-rotate login`")
    (line,) = remedies([(account("ann"), lost), (account("cy"), unknown), fine], NOON)
    assert line.startswith("ann and cy need a login. Run `codex-rotate login` with each")


def test_a_pool_in_which_nobody_serves_says_when_and_how() -> None:
    """With a time if one comes back by itself; a paused account is nearer than a new one."""
    rests, paused = (
        AccountState(State.RESTING, NOON + 60, barred=True, back=NOON + 60),
        AccountState(State.PAUSED, barred=True),
    )
    (line,) = remedies([(account(), rests)], NOON)
    assert line == "Nobody can serve before 21:01. `codex-rotate login` brings in another account."
    (line,) = remedies([(account("ann"), rests), (account("-bob"), paused)], NOON)
    assert line == "Nobody can serve before 21:01. `codex-rotate resume -- -bob` brings in a paused account."
    (line,) = remedies([(account("cy"), paused)], NOON)
    assert line.startswith("Nobody can serve now. `codex-rotate resume cy`")
    assert remedies([], NOON) == []


def test_a_login_that_ends_is_told_before_it_does() -> None:
    seats = [
        (account("ann"), AccountState(State.READY, NOON + 60, "login_ends", ends=NOON + 60)),
        (account("bob"), AccountState(State.RESTING, NOON + 9, ends=NOON + 120)),
    ]
    (line,) = remedies(seats, NOON)
    assert line == (
        "ann serves until 21:01, then needs a login; bob serves until 21:02, then needs a login. "
        "Run `codex-rotate login` before that, and nobody notices."
    )


def test_a_login_that_is_not_there_any_more() -> None:
    ended, none = AccountState(State.LOGIN_ENDED), AccountState(State.NO_LOGIN, barred=True)
    first, last = remedies([(account("ann"), ended), (account("bob"), none)], NOON)
    assert first == "bob and ann: no login that can be used is stored. Run `codex-rotate login` with each."
    assert last == "Nobody can serve now. `codex-rotate login` brings in another account."


def test_a_pool_that_serves_with_one_account_only() -> None:
    """What keeps the others is not that they cannot."""
    pinned = AccountState(State.RESTING, NOON + 60, barred=True, back=NOON + 60)
    (line,) = remedies([(account("ann"), pinned), (account("bob"), AccountState(State.PASSED_OVER, barred=True))], NOON)
    assert (
        line
        == "Nobody can serve before 21:01. `codex-rotate use --auto`, or the setting `strategy`, lets others serve."
    )
