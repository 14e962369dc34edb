"""Both sides of the sync as values: newer tokens win, and there is one row per seat whatever the input."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.codex_files.reconcile import (
    COUNTERS,
    Changes,
    ClientState,
    HeldLogin,
    PoolState,
    by_legacy,
    newer,
    reconcile,
    shown_counters,
    switched_off,
)
from accounts.logins.auth_file import Login
from accounts.model import Account, Credentials, Standing
from tests.builders import NOW, account
from tests.rows import all_rows

FILE = Path("auth.json")


def tokens(name: str, age: float | None = 1, *, refreshed: float = 0, refresh: str = "") -> Credentials:
    """The tokens number `age` of an account; None does not say when it ends."""
    return Credentials(
        access=f"access-{name}-{age}",
        refresh=refresh or f"refresh-{name}-{age}",
        expires_at=age,
        refreshed_at=refreshed,
    )


def held(seat: Account, credentials: Credentials, **more: bool) -> HeldLogin:
    return HeldLogin(login=Login(account=seat, credentials=credentials), path=FILE, place="tokens", **more)


def pool(*logins: tuple[Account, Credentials], selected_ms: int = 0) -> PoolState:
    stored = {seat.key: credentials for seat, credentials in logins}
    return PoolState(accounts=tuple(seat for seat, _ in logins), credentials=stored, selected_ms=selected_ms)


def merged(state: PoolState, *found: HeldLogin) -> Changes:
    return reconcile(state, ClientState(held=found), NOW)


def test_a_login_that_only_the_client_has_is_added() -> None:
    """It is as old as the moment it was seen."""
    (login,) = merged(pool(), held(account("a"), tokens("a"))).adds
    assert (login.account.key, login.account.added_at, login.credentials) == (account("a").key, NOW, tokens("a"))


@all_rows(
    ("given_tokens", "stored", "wins"),
    [
        (tokens("a", 2), tokens("a", 1), True),
        (tokens("a", 1), tokens("a", 2), False),
        (tokens("a", 1), tokens("a", 1), False),
        (tokens("a", 1, refresh="x", refreshed=5), tokens("a", 1, refreshed=4), True),
        (tokens("a", 1, refresh="x", refreshed=4), tokens("a", 1, refreshed=4), False),
        (tokens("a", None, refresh="x", refreshed=5), tokens("a", 9, refreshed=4), True),
        (tokens("a", 1, refresh="x", refreshed=9), tokens("a", 2, refreshed=4), False),
        (tokens("a", None, refresh="x"), tokens("a", None), False),
    ],
)
def test_the_newer_tokens_win(given_tokens: Credentials, stored: Credentials, wins: bool) -> None:
    """By when the access token ends, else by when it was refreshed; what cannot be told apart stays as it is."""
    assert newer(given_tokens, stored) is wins
    changes = merged(pool((account("a"), stored)), held(account("a"), given_tokens))
    assert [each.credentials for each in changes.renewals] == ([given_tokens] if wins else [])
    assert [each.replaces for each in changes.renewals] == ([stored.refresh] if wins else [])
    assert bool(changes) is wins
    assert changes.kept == (() if wins else (account("a").key,))


def test_a_dead_login_takes_what_may_be_alive() -> None:
    """When the pool's refresh token is known to be dead, another one of unknown age is better; an older one is not."""
    dead = account("a", standing=Standing.NEEDS_LOGIN)
    unknown = tokens("a", None, refresh="another")
    assert merged(pool((dead, tokens("a", None))), held(account("a"), unknown)).renewals
    assert not merged(pool((account("a"), tokens("a", None))), held(account("a"), unknown)).renewals
    for own in (False, True):
        ended = replace(tokens("a", None), ended="invalid_grant", own=own)
        assert merged(pool((account("a"), ended)), held(account("a"), unknown)).renewals
    assert not merged(pool((dead, tokens("a", 2))), held(account("a"), tokens("a", 1))).renewals


def test_an_account_without_tokens_takes_any() -> None:
    """There is nothing they could replace."""
    state = PoolState(accounts=(account("a"),), credentials={})
    (renewal,) = merged(state, held(account("a"), tokens("a"))).renewals
    assert renewal.replaces is None


NAMELESS = account("a", account_id="", user_id="")


@all_rows(
    ("given_account", "refresh"),
    [
        (account("a"), "other"),
        (account("a", user_id="acct-a"), "refresh-a-1"),
        (account("a", user_id="a@b.c", email=" A@b.C"), "other"),
        (NAMELESS, "refresh-a-1"),
        (account("a", account_id="", user_id="a@b.c", email="A@B.c "), "other"),
    ],
    ids=["seat", "workspace and refresh token", "workspace and e-mail", "refresh token", "e-mail"],
)
def test_how_an_account_is_recognised(given_account: Account, refresh: str) -> None:
    """By its seat, by its e-mail in a workspace, by its refresh token, by its e-mail where no workspace is named."""
    mine = account("a", email="a@b.c")
    changes = merged(
        pool((mine, tokens("a")), (account("b"), tokens("b"))), held(given_account, tokens("a", 2, refresh=refresh))
    )
    assert [each.account.key for each in changes.renewals] == [mine.key]
    assert not changes.adds


@pytest.mark.parametrize(
    "given_account",
    [
        account("a", user_id="user-b"),
        account("a", account_id="acct-b", email="a@b.c"),
        account("a", user_id="z@b.c", email="z@b.c"),
    ],
    ids=["another seat of a team", "another workspace of a person", "another e-mail in the workspace"],
)
def test_what_only_looks_like_the_same_account(given_account: Account) -> None:
    """A team shares an account id and a person owns several accounts: those are rows of their own."""
    changes = merged(pool((account("a", email="a@b.c"), tokens("a"))), held(given_account, tokens("b", 2)))
    assert len(changes.adds) == 1
    assert not changes.renewals


def test_one_refresh_token_under_two_names() -> None:
    """Tokens are not taken for an account whose id they contradict, and no second row gets the same token."""
    other = account("b")
    changes = merged(pool((account("a"), tokens("a"))), held(other, tokens("b", 9, refresh="refresh-a-1")))
    assert not changes


def test_a_login_of_nobody() -> None:
    """One that names no account and is not known is handed back, with its place."""
    found = held(NAMELESS, tokens("x"))
    assert merged(pool(), found).unplaced == (found,)


def test_copies_of_one_login_become_one_row() -> None:
    """The newest of them counts, in any order."""
    copies = [held(account("a"), tokens("a", age)) for age in (2, 3, 1)]
    changes = merged(pool(), *copies)
    assert [each.credentials for each in changes.adds] == [tokens("a", 3)]


def test_a_file_beside_only_renews() -> None:
    """What is not the preferred file adds nothing, but its newer tokens count."""
    beside = (held(account("a"), tokens("a", 2), known_only=True), held(account("b"), tokens("b"), known_only=True))
    changes = merged(pool((account("a"), tokens("a"))), *beside)
    assert (len(changes.renewals), changes.adds) == (1, ())


@all_rows(
    ("client_ms", "exact", "counts"),
    [(5000, True, True), (4999, True, False), (4999, False, True), (4000, False, True), (3999, False, False)],
)
def test_whose_selection_is_later(client_ms: int, exact: bool, counts: bool) -> None:
    """A written version is compared to the millisecond, a file's time with a second of tolerance."""
    client = ClientState(held=(held(account("a"), tokens("a"), active=True),), selected_ms=client_ms, exact=exact)
    changes = reconcile(pool((account("a"), tokens("a")), selected_ms=5000), client, NOW)
    assert changes.active == (account("a").key if counts else None)


SEATS = st.builds(
    lambda workspace, user, mail: Account(
        account_id=workspace, user_id=user or mail or workspace, label="x", email=mail.upper()
    ),
    st.sampled_from(["", "w1", "w2"]),
    st.sampled_from(["", "u1", "u2"]),
    st.sampled_from(["", "m1@x.y", "m2@x.y"]),
)
LOGINS = st.builds(lambda seat, age: (seat, tokens(seat.key, age)), SEATS, st.sampled_from([None, 1, 2, 3]))
"""No two seats have the same refresh token, as the provider sees to it."""


@given(st.lists(LOGINS, max_size=4), st.lists(LOGINS, max_size=5))
def test_one_row_per_seat_whatever_the_input(
    mine: list[tuple[Account, Credentials]], theirs: list[tuple[Account, Credentials]]
) -> None:
    """Adds are new and differ from each other, renewals are of known accounts and never older, and a second time
    nothing is left to do."""
    unique = {seat.key: (seat, credentials) for seat, credentials in mine if seat.account_id}
    state = pool(*unique.values())
    changes = merged(state, *(held(*each) for each in theirs))
    added = [each.account.key for each in changes.adds]
    assert len({*added, *unique}) == len(added) + len(unique)
    for renewal in changes.renewals:
        assert not newer(unique[renewal.account.key][1], renewal.credentials)
    after = unique | {each.account.key: (each.account, each.credentials) for each in changes.adds}
    after |= {each.account.key: (each.account, each.credentials) for each in changes.renewals}
    assert not merged(pool(*after.values()), *(held(*each) for each in theirs)).adds


@all_rows(
    ("environ", "off"),
    [
        ({}, ""),
        ({"CODEX_ROTATE_SYNC": "0"}, "CODEX_ROTATE_SYNC"),
        ({"CODEX_MULTI_AUTH_SYNC_CODEX_CLI": "0"}, "CODEX_MULTI_AUTH_SYNC_CODEX_CLI"),
        ({"CODEX_AUTH_SYNC_CODEX_CLI": "0"}, "CODEX_AUTH_SYNC_CODEX_CLI"),
        ({"CODEX_ROTATE_SYNC": "1", "CODEX_AUTH_SYNC_CODEX_CLI": "0"}, ""),
        ({"CODEX_ROTATE_SYNC": "", "CODEX_AUTH_SYNC_CODEX_CLI": "off"}, "CODEX_AUTH_SYNC_CODEX_CLI"),
    ],
)
def test_it_can_be_switched_off(environ: dict[str, str], off: str) -> None:
    """By three variables, of which the first one that is set decides."""
    assert switched_off(environ) == off
    assert by_legacy(environ) is (off == "CODEX_AUTH_SYNC_CODEX_CLI")


def test_counters_that_never_counted_are_shown() -> None:
    """All of them, in their order."""
    shown = shown_counters({"write_attempts": 2, "another": 1})
    assert tuple(shown) == COUNTERS
    assert (shown["write_attempts"], shown["read_attempts"]) == (2, 0)


def test_a_login_without_a_user_among_those_of_a_team() -> None:
    """With nothing but the workspace in common it is a row of its own, however often and in whatever order."""
    team = [account(name, account_id="w") for name in "bc"]
    found = [
        held(account("a", account_id="w", user_id="w"), tokens("a", 9)),
        *(held(seat, tokens(seat.label)) for seat in team),
    ]
    changes = merged(pool(), *found)
    assert {each.account.key for each in changes.adds} == {"w:w", "w:user-b", "w:user-c"}
    after = pool(*((each.account, each.credentials) for each in changes.adds))
    assert not merged(after, *reversed(found))
