"""`login` against the stand-in: every way in ends in one seat, and no secret is ever shown."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from accounts.logins.adopting import ImportOptions
from accounts.model import Standing
from accounts.store.store import Store
from cli.commands.accounts import login as login_commands
from cli.commands.accounts.login import keep_login
from cli.login.flows import Ways, login_by_browser
from standin import Account, StandIn
from tests.builders import NOW, Clock
from tests.cli.logins import (
    ADDRESS,
    Browser,
    issuer_of,
    lead_to,
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
