"""`login` against the stand-in: every way in ends in one seat, and no secret is ever shown."""

import io
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from accounts.errors import (
    BadCallback,
    DeviceLoginOff,
    InputNeeded,
    LoginRefused,
    LoginTimedOut,
    PortsBusy,
    WrongWorkspace,
)
from accounts.logins.adopting import ImportOptions
from accounts.logins.oauth_login import Answer
from accounts.model import Standing
from accounts.store.store import Store
from cli.commands.accounts import login as login_commands
from cli.commands.accounts.login import NOT_ENDED, Ways, keep_login, login_by_browser, login_by_device, login_by_hand
from cli.ui.asking import NoAsking
from standin import Account, Fault, FaultKind, StandIn
from tests.builders import NOW, Clock
from tests.cli.logins import (
    ADDRESS,
    Browser,
    Pasting,
    Person,
    issuer_of,
    lead_to,
    refusal_of,
    secrets_seen,
    ways_to,
)
from tests.harness import plain_environment, secrets_of

type Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as running:
        lead_to(running, monkeypatch)
        yield running


@pytest.fixture
def ann(upstream: StandIn) -> Account:
    account = upstream.add_account("acct-ann", user_id="user-ann", email="ann@example.com")
    upstream.login_as("acct-ann")
    return account


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ways(upstream: StandIn, browser: Browser, said: list[str], clock: Clock) -> Ways:
    return ways_to(upstream, browser, said, clock)


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


# --- in a browser ----------------------------------------------------------------------------------------------------


def test_a_login_in_the_browser(ways: Ways, ann: Account, upstream: StandIn, said: list[str], clock: Clock) -> None:
    """The stand-in checks code, redirect and PKCE; what comes of it is the seat that logged in."""
    login = login_by_browser(ways, None)
    assert (login.account.account_id, login.account.user_id, login.account.label) == ("acct-ann", "user-ann", "ann")
    assert (login.credentials.access, login.credentials.refresh) == (ann.access_token, ann.refresh_token)
    assert login.credentials.refreshed_at == clock.now
    (traded,) = upstream.requests_to("/oauth/token")
    assert traded.header("content-type") == "application/x-www-form-urlencoded"
    assert traded.authorization is None
    assert ADDRESS.search("\n".join(said))


def test_the_address_is_printed_even_without_a_browser(ways: Ways, ann: Account, said: list[str]) -> None:
    """Nobody came: that is told, and what else there is."""
    with pytest.raises(LoginTimedOut):
        login_by_browser(replace(ways, open_page=lambda _: False, patience=0.0), None)
    assert ADDRESS.search("\n".join(said))
    assert "--device" in said[-1]


def test_busy_ports(ways: Ways, ann: Account, browser: Browser) -> None:
    """The second port is as good as the first; without any, another way is named and nothing is opened."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        busy = holder.getsockname()[1]
        assert login_by_browser(replace(ways, ports=(busy, 0)), None).account.label == "ann"
        assert f"%3A{busy}%2F" not in browser.opened[0]
        with pytest.raises(PortsBusy, match="--device"):
            login_by_browser(replace(ways, ports=(busy, busy)), None)
    assert len(browser.opened) == 1


def test_only_the_workspace_that_was_asked_for(ways: Ways, ann: Account, browser: Browser) -> None:
    """The provider is told, and what comes back is checked all the same."""
    assert login_by_browser(ways, "acct-ann").account.account_id == "acct-ann"
    assert parse_qs(urlsplit(browser.opened[0]).query)["allowed_workspace_id"] == ["acct-ann"]
    with pytest.raises(WrongWorkspace, match="acct-ann, not acct-bob"):
        login_by_browser(ways, "acct-bob")


def test_a_login_for_the_wrong_workspace_is_given_back(
    ways: Ways, ann: Account, upstream: StandIn, said: list[str]
) -> None:
    """Nobody stores it, so nobody shall be able to use it. If that fails it is told, and nothing else changes."""
    for issued, revoke_url in ((2, ways.revoke_url), (3, f"{ways.issuer}/nowhere")):
        with pytest.raises(WrongWorkspace, match="nothing was stored"):
            login_by_browser(replace(ways, revoke_url=revoke_url), "acct-bob")
        assert len(ann.refresh_tokens_issued) == issued
    before, given_back, kept = ann.refresh_tokens_issued
    assert refusal_of(upstream, given_back) == "refresh_token_invalidated"
    assert refusal_of(upstream, kept) == refusal_of(upstream, before) == ""
    assert [line for line in said if "did not confirm" in line] == [NOT_ENDED.format(trouble=404)]


def test_a_provider_that_fails(ways: Ways, ann: Account, upstream: StandIn) -> None:
    """A server error at the last step is told as such; nobody answering is, too."""
    upstream.fault("*", Fault(FaultKind.TOKEN_SERVER_ERROR), times=1)
    with pytest.raises(LoginRefused, match="50"):
        login_by_browser(ways, None)
    with pytest.raises(LoginRefused, match="no answer came"):
        login_by_browser(replace(ways, send=lambda _: Answer(0)), None)


# --- with another device ---------------------------------------------------------------------------------------------


def test_a_login_by_device(ways: Ways, ann: Account, upstream: StandIn, said: list[str], clock: Clock) -> None:
    """The code is shown, and the provider is asked at its own pace until the person has typed it."""
    upstream.device_interval = 7
    waits: list[float] = []

    def wait(seconds: float) -> None:
        clock.advance(seconds)
        waits.append(seconds)
        if len(waits) == 3:
            upstream.approve_device("acct-ann")

    login = login_by_device(replace(ways, wait=wait), None)
    assert login.account.account_id == "acct-ann"
    assert waits == [7, 7, 7]
    assert [seen.status for seen in upstream.requests_to("/api/accounts/deviceauth/token")] == [403, 403, 200]
    assert re.search(r"/codex/device .*TEST-[0-9A-F]{6}", said[0], re.DOTALL)


def test_a_device_login_nobody_finishes(ways: Ways, ann: Account, upstream: StandIn, clock: Clock) -> None:
    """A quarter of an hour of the clock that was passed in."""
    upstream.device_interval = 60
    with pytest.raises(LoginTimedOut, match="15 minutes"):
        login_by_device(ways, None)
    assert clock.now == NOW + 900


def test_a_device_login_that_is_not_offered(ways: Ways) -> None:
    with pytest.raises(DeviceLoginOff, match="--manual"):
        login_by_device(replace(ways, send=lambda _: Answer(404)), None)


# --- by hand ---------------------------------------------------------------------------------------------------------


def test_a_login_by_hand(ways: Ways, ann: Account, browser: Browser, said: list[str]) -> None:
    """No port is needed: the person carries the answer over."""
    login = login_by_hand(replace(ways, ports=()), None, Pasting(browser, said))
    assert login.account.account_id == "acct-ann"
    assert browser.led_to[0].startswith("http://127.0.0.1:1455/auth/callback?")


def test_pasting_something_else(ways: Ways, ann: Account, upstream: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another login's answer, or nothing: the provider is not even asked."""
    monkeypatch.setattr("sys.stdin", io.StringIO("http://127.0.0.1:1455/auth/callback?code=sesame&state=other\n"))
    with pytest.raises(BadCallback) as caught:
        login_by_hand(ways, None, NoAsking())
    assert "sesame" not in str(caught.value)
    with pytest.raises(InputNeeded, match="--device"):
        login_by_hand(ways, None, NoAsking())
    assert not upstream.requests


def test_somebody_at_a_terminal_may_paste_again(ways: Ways, ann: Account, browser: Browser, said: list[str]) -> None:
    """What is wrong is told, without what was pasted; the third try is the last one."""
    other = "http://127.0.0.1:1455/auth/callback?code=sesame&state=other"
    ann_at_terminal = Person(browser, said, typed=[other, "", Person.PASTE])
    assert login_by_hand(ways, None, ann_at_terminal).account.account_id == "acct-ann"
    assert len(ann_at_terminal.asked) == 3
    assert ["another login's" in said[-2], "it has no code" in said[-1]] == [True, True]
    with pytest.raises(BadCallback, match="another login's"):
        login_by_hand(ways, None, Person(browser, said, typed=["", other, other, Person.PASTE]))
    assert "sesame" not in "".join(said)


def test_a_login_by_hand_over_a_pipe(upstream: StandIn, ann: Account, browser: Browser, home: Path) -> None:
    """Nothing is asked; one line on stdin is the answer, and stdout is the result alone."""
    environment = plain_environment() | {
        "CODEX_APP_SERVER_LOGIN_ISSUER": issuer_of(upstream),
        "CODEX_ROTATE_CHATGPT_BASE_URL": upstream.base_url,
        "CODEX_ROTATE_HOME": str(home),
    }
    code = "from cli.app import main; raise SystemExit(main(['login', '--manual', '--json']))"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = next(found.group() for line in process.stderr if (found := ADDRESS.search(line)))
        out, err = process.communicate(browser.sign_in(address) + "\n", timeout=30)
    assert process.returncode == 0, err
    assert '"result": "imported"' in out
    assert "Which address" not in err
    for secret in secrets_seen(upstream, browser) | secrets_of([ann]):
        assert secret not in out + err


# --- what becomes of a login -----------------------------------------------------------------------------------------


def test_a_known_seat_is_renewed_in_place(ways: Ways, ann: Account, store: Store) -> None:
    """It keeps its name, is in good standing again, and the message says that it was renewed."""
    first = keep_login(store, login_by_browser(ways, None), ImportOptions(label="work"), NOW)
    assert first.message.startswith("work (ann@example.com) was added to the pool.")
    (before,) = store.accounts()
    store.set_standing(before.key, Standing.NEEDS_LOGIN).result()
    again = keep_login(store, login_by_browser(ways, None), ImportOptions(), NOW + 1)
    assert again.message.startswith("work (ann@example.com) was renewed and keeps its label.")
    assert again.notes == ()  # it needed a login, so it is the one that was meant
    assert store.accounts() == (before,)
    stored = store.credentials(before.key)
    assert stored is not None
    assert stored.refresh == ann.refresh_token


def test_a_login_is_not_lost_over_a_name(ways: Ways, ann: Account, upstream: StandIn, store: Store) -> None:
    """The label is another account's: the login is kept under its own name, and that is told."""
    keep_login(store, login_by_browser(ways, None), ImportOptions(label="work"), NOW)
    upstream.add_account("acct-bob", email="bob@example.com")
    upstream.login_as("acct-bob")
    result = keep_login(store, login_by_browser(ways, None), ImportOptions(label="WORK"), NOW + 1)
    assert [account.label for account in store.accounts()] == ["work", "bob"]
    assert "'WORK' is another account's label" in result.notes[0]


def test_a_login_that_lands_on_the_account_of_the_first(ways: Ways, ann: Account, store: Store) -> None:
    """Most who log in once more want another account: it is said which one this is, and how to get to another. Its
    label is the owner's, whatever name was wished for."""
    keep_login(store, login_by_browser(ways, None), ImportOptions(label="work"), NOW)
    for wished in (None, "second", "work"):
        again = keep_login(store, login_by_browser(ways, None), ImportOptions(label=wished), NOW + 1)
        assert again.message.startswith(
            "work (ann@example.com) is in the pool already: this login is of the same account, workspace acct-ann. It "
            "was renewed and keeps its label."
        )
        assert ("To call it 'second', run `codex-rotate label work second`." in again.message) is (wished == "second")
        assert again.exit_code == 0
        assert isinstance(again.data, dict)
        assert (again.data["known"], again.data["account"]["label"]) == (True, "work")
        (note,) = again.notes
        assert "log out at https://chatgpt.com" in note
        assert "private window" in note
        assert "--workspace ID" in note
    (only,) = store.accounts()
    stored = store.credentials(only.key)
    assert stored is not None
    assert stored.refresh == ann.refresh_token  # the newest login counts


def test_another_workspace_of_the_same_e_mail_is_another_account(
    ways: Ways, ann: Account, upstream: StandIn, store: Store
) -> None:
    keep_login(store, login_by_browser(ways, None), ImportOptions(), NOW)
    upstream.add_account("acct-two", email="ann@example.com")
    upstream.login_as("acct-two")
    result = keep_login(store, login_by_browser(ways, None), ImportOptions(label="second"), NOW + 1)
    assert result.message.startswith("second (ann@example.com) was added to the pool.")
    assert (result.data["known"], result.notes) == (False, ())  # type: ignore[index]


# --- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def free_ports(monkeypatch: pytest.MonkeyPatch, browser: Browser) -> None:
    """The commands with any port instead of the provider's, no real waiting, and the test's browser."""
    monkeypatch.setattr(login_commands, "Ways", partial(Ways, ports=(0,), wait=lambda _: None))
    monkeypatch.setattr("cli.login.browser.open_page", browser)


@pytest.mark.usefixtures("free_ports")
def test_no_command_shows_a_secret(run: Run, ann: Account, upstream: StandIn, browser: Browser) -> None:
    """Neither a login that succeeds nor one that fails, for people or programs, on either stream."""
    shown = ""
    for options in ("", "--json", "--label work", "--workspace other"):
        ran = run("login", *options.split())
        shown += ran.out + ran.err
    upstream.approve_device("acct-ann")
    ran = run("login", "--device")
    assert "ann (ann@example.com) is in the pool already" in ran.out
    assert "private window" in ran.err
    shown += ran.out + ran.err
    for command in ("list --json", "status", "logout ann@example.com --revoke --yes"):
        ran = run(*command.split())
        assert ran.code == 0
        shown += ran.out + ran.err
    planted = secrets_seen(upstream, browser) | secrets_of([ann])
    assert len(planted) > 10
    assert not [secret for secret in planted if secret in shown]
    assert ADDRESS.search(shown)


@pytest.mark.usefixtures("free_ports")
def test_login_for_programs(run: Run, ann: Account) -> None:
    """One value on stdout; the address is on stderr."""
    ran = run("login", "--json")
    assert (ran.code, ran.json["result"], ran.json["account"]["label"]) == (0, "imported", "ann")
    assert "/oauth/authorize?" in ran.err
    assert run("login", "--json").json["result"] == "renewed"


@pytest.mark.usefixtures("free_ports")
def test_no_browser(run: Run, ann: Account, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address is printed, nothing is opened, and the wait ends."""
    monkeypatch.setattr(login_commands, "Ways", partial(Ways, ports=(0,), patience=0.0))
    ran = run("login", "--no-browser")
    assert (ran.code, ran.out, browser.opened) == (1, "", [])
    assert ADDRESS.search(ran.err)
    assert run("list", "--json").json == []


@pytest.mark.usefixtures("free_ports")
def test_the_wrong_workspace_is_not_stored(run: Run, ann: Account) -> None:
    ran = run("login", "--workspace", "acct-other")
    assert (ran.code, ran.out) == (1, "")
    assert "acct-ann, not acct-other" in ran.err
    assert run("list", "--json").json == []


@pytest.mark.parametrize("words", [("--device", "--manual"), ("--workspace", " "), ("--label", " x")])
def test_wrong_usage(run: Run, upstream: StandIn, words: tuple[str, ...]) -> None:
    """Told before anything is opened or asked."""
    assert run("login", *words).code == 2
    assert not upstream.requests
