"""Accounts, their tokens, and logins with two owners."""

from pathlib import Path

from accounts.states import AccountState, State
from accounts.store.store import Store
from cli.doctor import accounts
from cli.doctor.accounts import AccountFacts, PoolFacts, gather
from tests.builders import NOW, account, credentials
from tests.cli.conftest import Run, WriteLogin
from tests.cli.doctors import NOTE, OK, PROBLEM, WARNING, only, short
from tests.rows import all_rows


def seat(label: str = "ann", state: State = State.READY, until: float | None = None, **more: object) -> AccountFacts:
    told = AccountState(state, until, barred=state not in {State.READY, State.SPENT}, back=until)
    return AccountFacts(label=label, told=told, **more)  # type: ignore[arg-type]


@all_rows(
    ("seats", "found"),
    [
        ((), [("accounts.any", PROBLEM)]),
        ((seat(),), [("accounts.ready", OK)]),
        ((seat(), seat("b", State.NEEDS_LOGIN)), [("accounts.logins.oauth_login", WARNING), ("accounts.ready", OK)]),
        ((seat(), seat("b", State.CLOSED)), [("accounts.closed", WARNING), ("accounts.ready", OK)]),
        ((seat(), seat("b", State.PAUSED)), [("accounts.paused", NOTE), ("accounts.ready", OK)]),
        ((seat(), seat("b", State.RESTING, NOW + 9)), [("accounts.resting", NOTE), ("accounts.ready", OK)]),
        ((seat("b", State.RESTING, NOW + 9),), [("accounts.resting", NOTE), ("accounts.ready", PROBLEM)]),
        ((seat("b", State.SPENT, NOW + 9),), [("accounts.resting", NOTE), ("accounts.ready", PROBLEM)]),
        ((seat("b", State.PAUSED),), [("accounts.paused", NOTE), ("accounts.ready", PROBLEM)]),
    ],
)
def test_who_can_serve(seats: tuple[AccountFacts, ...], found: list[object]) -> None:
    assert short(accounts.accounts(PoolFacts(seats=seats), NOW)) == found


def test_all_resting_says_until_when() -> None:
    seats = (seat("a", State.RESTING, NOW + 7200), seat("b", State.RESTING, NOW + 60))
    from config.times.local_time import clock_time

    each, all_of_them = accounts.accounts(PoolFacts(seats=seats), NOW)
    assert all_of_them.what == f"No account can serve before {clock_time(NOW + 60, NOW)}."
    assert each.what.endswith(f"; b: resting until {clock_time(NOW + 60, NOW)}.")


@all_rows(
    ("found", "states"),
    [
        (seat(expires_at=NOW + 9), [("tokens.fresh", OK)]),
        (seat(expires_at=None), [("tokens.fresh", OK)]),
        (seat(expires_at=NOW - 9), [("tokens.expired", NOTE)]),
        (seat(expires_at=NOW + 9, ended="no_refresh_token"), [("tokens.refresh", WARNING)]),
        (seat(expires_at=NOW - 9, ended="invalid_grant"), [("tokens.refresh", PROBLEM)]),
        (seat(has_login=False), [("tokens.login", PROBLEM)]),
        (seat(state=State.NEEDS_LOGIN, ended="invalid_grant"), []),
    ],
)
def test_tokens(found: AccountFacts, states: list[object]) -> None:
    assert short(accounts.tokens(PoolFacts(seats=(found,)), NOW)) == states


def test_a_login_that_nothing_renews_is_told_with_its_end_and_with_who_ended_it() -> None:
    from config.times.local_time import clock_time

    def told(expires_at: float | None, ended: str) -> str:
        return only(accounts.tokens(PoolFacts(seats=(seat(expires_at=expires_at, ended=ended),)), NOW)).what

    assert told(NOW + 60, "refresh_token_reused").endswith(
        f"cannot be renewed: the provider said refresh_token_reused. It serves until {clock_time(NOW + 60, NOW)}, "
        "then needs a login."
    )
    assert told(NOW - 1, "cut_off").endswith("the answer to its last renewal was lost. It has ended.")
    assert told(None, "cut_off").endswith("It serves until its token is refused, then needs a login.")


def test_of_a_pool_that_cannot_be_opened_it_is_said_that_nobody_can_look() -> None:
    assert "cannot be looked at" in only(accounts.accounts(None, NOW)).what
    assert [*accounts.tokens(None, NOW), *accounts.shared(None)] == []


def test_a_shared_login() -> None:
    """With the sync on the two follow each other; without it the next refresh may sign the other one out."""
    found = only(accounts.shared(PoolFacts(shared=("ann",))))
    assert (found.state, "codex-rotate login" in found.remedy) == (NOTE, True)
    found = only(accounts.shared(PoolFacts(shared=("ann",), sync_off="CODEX_ROTATE_SYNC")))
    assert (found.state, "Unset CODEX_ROTATE_SYNC" in found.remedy) == (WARNING, True)
    assert short(accounts.shared(PoolFacts(client_trouble="x is not JSON. Mend it."))) == [("accounts.shared", WARNING)]


def test_the_facts_come_from_both_sides_and_hold_no_token(
    run: Run, write_login: WriteLogin, home: Path, tmp_path: Path
) -> None:
    """As `sync status` says it; the look itself is not counted."""
    login = write_login("ann")
    (tmp_path / "auth.json").write_text(login.read_text())
    assert run("sync", "pull").code == 0
    with Store(home / "pool.db") as store:
        store.put_account(account("bob"), credentials("bob", refresh="", expires_at=NOW)).result()
        before = store.counters()
        found = gather(store, {"CODEX_HOME": str(tmp_path), "CODEX_ROTATE_SYNC": "0"}, NOW)
        assert store.counters() == before
    assert (found.shared, found.sync_off) == (("ann",), "CODEX_ROTATE_SYNC")
    assert [(each.label, each.ended) for each in found.seats] == [("bob", "no_refresh_token"), ("ann", "")]
    assert "secret" not in repr(found)
    assert "nobody-may-see" not in repr(found)
    (tmp_path / "auth.json").write_text("{")
    with Store(home / "pool.db") as store:
        assert "auth.json" in gather(store, {"CODEX_HOME": str(tmp_path)}, NOW).client_trouble
