"""`logout` against the stand-in: our copy goes, the provider is told only when asked to, with this account's token."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import AccountBusy, InputNeeded
from accounts.logins.auth_file import read_auth_file
from accounts.logins.oauth_login import CallbackAnswer
from accounts.store.store import Store
from accounts.tokens import locks
from accounts.tokens.locks import AccountLocks
from cli.commands.accounts.logout import logout
from cli.login.http import send
from cli.ui.asking import NoAsking, SaidYes
from standin import Account, Fault, FaultKind, StandIn
from tests.builders import NOW
from tests.harness import secrets_of, write_login

type Run = Callable[..., Any]


@dataclass
class Says:
    """Answers the questions in order, and remembers them."""

    answers: list[bool]
    asked: list[str] = field(default_factory=list)

    def confirm(self, question: str, option: str) -> bool:
        assert option == "--yes"
        self.asked.append(question)
        return self.answers[len(self.asked) - 1]

    def line(self, question: str, option: str) -> str:
        raise AssertionError("a logout asks for no text")


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as running:
        monkeypatch.setenv("CODEX_APP_SERVER_LOGIN_ISSUER", running.token_url.removesuffix("/oauth/token"))
        monkeypatch.delenv("CODEX_REVOKE_TOKEN_URL_OVERRIDE", raising=False)
        yield running


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


@pytest.fixture
def logged_in(upstream: StandIn, store: Store, tmp_path: Path) -> Account:
    ann = upstream.add_account("acct-ann", user_id="user-ann", email="ann@example.com")
    login = read_auth_file(write_login(ann, tmp_path / "ann.json"))
    store.put_account(login.account, login.credentials).result()
    return ann


def test_logout_is_ours_alone(logged_in: Account, store: Store, upstream: StandIn) -> None:
    """Our copy goes; the provider is not told, and the message says so."""
    result = logout(store, "ann", SaidYes(), None, NOW)
    assert (result.exit_code, store.accounts()) == (0, ())
    assert "At the provider it lives on" in result.message
    assert not upstream.requests_to("/oauth/revoke")
    store.flush()
    assert store.events(1)[0].kind == "logged_out"


def test_the_choice_of_an_account_that_is_logged_out_ends(logged_in: Account, store: Store) -> None:
    """Otherwise nobody could serve any more."""
    store.choose_account(store.accounts()[0].key).result()
    assert "the pool chooses again" in logout(store, "ann", SaidYes(), None, NOW).message
    assert store.chosen_account() == ""


def test_logout_asks(logged_in: Account, store: Store) -> None:
    """No, or nobody there: the account stays."""
    result = logout(store, "ann", Says([False]), send, NOW)
    assert (result.exit_code, result.message) == (1, "ann was not logged out.")
    with pytest.raises(InputNeeded, match="--yes"):
        logout(store, "ann", NoAsking(), None, NOW)
    assert len(store.accounts()) == 1


def test_logout_with_revoke(logged_in: Account, store: Store, upstream: StandIn) -> None:
    """The provider is told first, with this account's own refresh token and nothing else."""
    who = Says([True])
    result = logout(store, "ann", who, send, NOW)
    assert (result.exit_code, store.accounts()) == (0, ())
    assert "the official client loses it" in who.asked[0]
    (told,) = upstream.requests_to("/oauth/revoke")
    assert told.json() == {
        "token": logged_in.refresh_token,
        "token_type_hint": "refresh_token",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
    }
    assert told.authorization is None


def test_a_revoke_that_fails(logged_in: Account, store: Store) -> None:
    """It is told, and the account is kept unless the person wants it gone all the same."""
    who = Says([True, False])
    kept = logout(store, "ann", who, lambda _: CallbackAnswer(503), NOW)
    assert "did not confirm" in who.asked[1]
    assert (kept.exit_code, len(store.accounts())) == (1, 1)
    assert "(503)" in kept.message
    assert "still in the pool" in kept.message
    gone = logout(store, "ann", SaidYes(), lambda _: CallbackAnswer(0), NOW)
    assert (gone.exit_code, store.accounts()) == (1, ())
    assert "no answer came" in gone.message
    assert gone.data == {"removed": "ann", "account_id": "acct-ann", "revoked": False, "backups": []}


def test_a_login_that_is_being_refreshed_is_not_ended(
    logged_in: Account, store: Store, upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider would end the old one, and the refresh would bring a new one that nobody ends."""
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.01)
    (account,) = store.accounts()
    refreshing = AccountLocks(store.path.parent / "locks").account(account.key)
    with refreshing, pytest.raises(AccountBusy):
        logout(store, "ann", SaidYes(), send, NOW)
    assert not upstream.requests_to("/oauth/revoke")
    assert store.accounts() == (account,)


def test_the_command(run: Run, logged_in: Account, store: Store, upstream: StandIn) -> None:
    """Nobody to ask: --yes is needed. A provider that stumbles is told, whatever it answers, without any token."""
    refused = run("logout", "ann", "--revoke")
    assert (refused.code, len(store.accounts())) == (2, 1)
    assert not upstream.requests
    upstream.fault("*", Fault(FaultKind.SERVER_ERROR, path="/oauth/revoke"))
    ran = run("logout", "ann", "--revoke", "--yes", "--json")
    assert (ran.code, ran.json["revoked"], store.accounts()) == (1, False, ())
    for secret in secrets_of([logged_in]):
        assert secret not in ran.out + ran.err + refused.out + refused.err
