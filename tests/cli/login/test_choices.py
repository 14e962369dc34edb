"""Several workspaces under one login, against the stand-in: who is asked, and what becomes of the answer."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import WrongWorkspace
from accounts.logins.adopting import ImportOptions
from accounts.logins.auth_file import Login
from accounts.logins.oauth_login import CallbackAnswer
from accounts.logins.workspaces import Workspace
from accounts.store.store import Store
from cli.commands.accounts import login as login_commands
from cli.commands.accounts.login import keep_login
from cli.login.choices import Seats, other_workspaces
from cli.login.flows import NOT_ENDED, Ways, log_in, login_by_browser, login_by_hand
from cli.ui.asking import NoAsking
from standin import Account, Fault, FaultKind, StandIn
from tests.builders import NOW, Clock
from tests.cli.logins import Browser, Person, lead_to, refusal_of, ways_to
from tests.harness import secrets_of

type Run = Callable[..., Any]
type LogIn = Callable[..., tuple[Login, tuple[str, ...]]]

CHECK = "/backend-api/wham/accounts/check"
REGIONAL = "https://eu.chatgpt.com"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    with StandIn() as running:
        lead_to(running, monkeypatch)
        yield running


@pytest.fixture
def ann(upstream: StandIn) -> Account:
    """Ann's own workspace, which her browser logs her in to."""
    account = upstream.add_account("acct-ann", user_id="user-ann", email="ann@example.com")
    upstream.login_as("acct-ann")
    return account


@pytest.fixture
def team(upstream: StandIn, ann: Account) -> Account:
    """Another workspace of hers, bound to a region, with a seat of somebody else's in it."""
    upstream.add_account("acct-team", user_id="user-bob", name="Example Ltd", plan="team")
    return upstream.add_account(
        "acct-team",
        user_id="user-ann",
        email="ann@example.com",
        plan="team",
        name="Example Ltd",
        backend_origin=REGIONAL,
        routing_override="us_cr",
    )


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def ways(upstream: StandIn, browser: Browser, said: list[str]) -> Ways:
    return ways_to(upstream, browser, said, Clock())


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with Store(home / "pool.db") as opened:
        yield opened


@pytest.fixture
def at_terminal(ways: Ways, browser: Browser, said: list[str], store: Store) -> LogIn:
    """Logs in with the browser, for somebody who types these lines; fails if they are not all asked for."""

    def work(*typed: str, wanted: str | None = None) -> tuple[Login, tuple[str, ...]]:
        person = Person(browser, said, typed=list(typed))
        done = log_in(ways, partial(login_by_browser, ways), wanted, person, store)
        assert not person.typed
        return done

    return work


@pytest.fixture
def command_at_terminal(run: Run, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command with somebody at the terminal who types this; what was said on stderr comes back."""
    clock = Clock()
    monkeypatch.setattr(login_commands, "Ways", partial(Ways, ports=(0,), clock=clock, wait=clock.advance))
    monkeypatch.setattr("cli.login.browser.open_page", browser)

    def work(typed: str, *argv: str) -> str:
        stderr = Terminal()
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdin", Terminal(typed))
            patched.setattr("sys.stderr", stderr)
            assert run(*argv).code == 0, stderr.getvalue()
        return stderr.getvalue()

    return work


# --- one workspace ---------------------------------------------------------------------------------------------------


def test_a_login_with_one_workspace_asks_nothing(at_terminal: LogIn, ann: Account, upstream: StandIn) -> None:
    """The provider is asked with the new token itself, and has nothing to say against chatgpt.com."""
    login, notes = at_terminal()
    assert (login.account.backend_origin, login.account.routing_override, notes) == (None, None, ())
    (asked,) = upstream.requests_to(CHECK)
    assert asked.authorization == f"Bearer {ann.access_token}"
    assert asked.header("chatgpt-account-id") == "acct-ann"


def test_the_account_gets_the_routing_of_its_workspace(
    command_at_terminal: Run, run: Run, team: Account, upstream: StandIn
) -> None:
    """New or renewed; a wish of the owner's is not needed."""
    for _ in range(2):
        command_at_terminal("", "login", "--workspace", "acct-team")
        (stored,) = run("list", "--json").json
        assert (stored["account_id"], stored["user_id"]) == ("acct-team", "user-ann")
        assert (stored["backend_origin"], stored["routing_override"]) == (REGIONAL, "us_cr")


def test_a_renewal_brings_the_routing_to_a_known_seat(at_terminal: LogIn, team: Account, store: Store) -> None:
    login, _ = at_terminal(wanted="acct-team")
    without = replace(login, account=replace(login.account, backend_origin=None, routing_override=None))
    for each in (without, login, without):  # what is not known any more does not take away what was
        keep_login(store, each, ImportOptions(), NOW)
    (stored,) = store.accounts()
    assert (stored.backend_origin, stored.routing_override) == (REGIONAL, "us_cr")


# --- a choice --------------------------------------------------------------------------------------------------------


def test_another_workspace_takes_a_second_login(
    at_terminal: LogIn, ann: Account, team: Account, upstream: StandIn, browser: Browser
) -> None:
    """It names the workspace, and the first login is over at the provider before the second one begins."""
    login, notes = at_terminal("2")
    assert browser.asked_for() == [None, "acct-team"]
    assert (login.account.key, notes) == ("acct-team:user-ann", ())
    assert (login.account.backend_origin, login.account.routing_override) == (REGIONAL, "us_cr")
    assert login.credentials.refresh == team.refresh_token
    assert refusal_of(upstream, ann.refresh_token) == "refresh_token_invalidated"
    paths = [seen.path.partition("?")[0] for seen in upstream.requests]
    assert paths.index("/oauth/revoke") < len(paths) - 1 - paths[::-1].index("/oauth/authorize")


@pytest.mark.parametrize("typed", [("",), ("1",), ("x", "0", ""), ("3", "-1", "2²")])
def test_the_login_stays_as_it_is(
    at_terminal: LogIn, ann: Account, team: Account, said: list[str], browser: Browser, typed: tuple[str, ...]
) -> None:
    """Enter, its own number, or three answers that are no number: it is a good login in any case."""
    login, notes = at_terminal(*typed)
    assert (login.account.account_id, login.credentials.refresh) == ("acct-ann", ann.refresh_token)
    assert (notes, len(browser.opened)) == ((), 1)
    wrong = len(typed) - 1 if typed[-1] in {"", "1"} else 3
    assert sum("not a number from 1 to 2" in line for line in said) == wrong
    assert any("It stays with 1" in line for line in said) == (wrong == 3)


def test_the_list(at_terminal: LogIn, team: Account, store: Store, said: list[str], upstream: StandIn) -> None:
    """Name, plan and id of each, the one that is logged in, and those that the pool has of the same person."""
    upstream.login_as("acct-team:user-bob")
    bob, _ = at_terminal()
    keep_login(store, bob, ImportOptions(), NOW)
    upstream.login_as("acct-ann")
    at_terminal("")
    assert "2  Example Ltd  team  acct-team\n" in said[-1]  # that seat in the pool is somebody else's
    login, _ = at_terminal("2")
    keep_login(store, login, ImportOptions(), NOW)
    at_terminal("")
    assert "#  workspace    plan  id         is\n" in said[-1]
    assert "1  personal     plus  acct-ann   this login\n" in said[-1]
    assert "2  Example Ltd  team  acct-team  in the pool\n" in said[-1]


def test_a_choice_by_hand(ways: Ways, team: Account, browser: Browser, said: list[str], store: Store) -> None:
    """The second address is carried over like the first."""
    person = Person(browser, said, typed=["nonsense", Person.PASTE, "2", Person.PASTE])

    def way(wanted: str | None) -> Login:
        return login_by_hand(ways, wanted, person)

    login, _ = log_in(ways, way, None, person, store)
    assert (login.account.account_id, browser.asked_for()) == ("acct-team", [None, "acct-team"])


def test_the_second_login_may_fail(
    ways: Ways, ann: Account, team: Account, upstream: StandIn, said: list[str], store: Store
) -> None:
    """The provider gives tokens for the first workspace again: both logins are given back, and none is stored."""
    person = Person(Browser(), said, typed=["2"])

    def way(wanted: str | None) -> Login:  # whatever was asked for, the browser stays where it is
        browser = Browser()
        stubborn = replace(ways, open_page=lambda url: browser(url.partition("&allowed_workspace_id")[0]))
        return login_by_browser(stubborn, wanted)

    with pytest.raises(WrongWorkspace, match="acct-ann, not acct-team"):
        log_in(ways, way, None, person, store)
    assert store.accounts() == ()
    given_back = ann.refresh_tokens_issued[1:]
    assert [refusal_of(upstream, each) for each in given_back] == ["refresh_token_invalidated"] * 2


def test_a_login_that_cannot_be_given_back(ways: Ways, team: Account, said: list[str], store: Store) -> None:
    """That is told, and the second login goes on."""
    deaf = replace(ways, revoke_url=f"{ways.issuer}/nowhere")
    person = Person(Browser(), said, typed=["2"])
    login, _ = log_in(deaf, partial(login_by_browser, deaf), None, person, store)
    assert login.account.account_id == "acct-team"
    assert NOT_ENDED.format(trouble=404) in said


def test_the_workspace_on_the_command_line_is_the_answer(
    at_terminal: LogIn, ways: Ways, ann: Account, team: Account, store: Store
) -> None:
    """Nothing is asked, and nothing is told about the others, with and without a terminal."""
    login, notes = at_terminal(wanted="acct-ann")
    assert (login.account.account_id, notes) == ("acct-ann", ())
    login, notes = log_in(ways, partial(login_by_browser, ways), "acct-team", NoAsking(), store)
    assert (login.account.account_id, notes) == ("acct-team", ())


# --- nobody to ask ---------------------------------------------------------------------------------------------------


def test_without_a_terminal_the_others_are_named(
    ways: Ways, ann: Account, team: Account, said: list[str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command for each; whatever is piped in answers nothing."""
    monkeypatch.setattr("sys.stdin", io.StringIO("2\n"))
    login, (note,) = log_in(ways, partial(login_by_browser, ways), None, NoAsking(), store)
    assert (login.account.account_id, login.credentials.refresh) == ("acct-ann", ann.refresh_token)
    assert "Example Ltd (team, acct-team)" in note
    assert note.endswith("To add it: `codex-rotate login --workspace acct-team`")
    assert not [line for line in said if "workspaces" in line]


def test_notes_about_other_workspaces() -> None:
    """One for each, with a command that a shell reads as it is meant."""
    own, strange = Workspace(account_id="acct-a"), Workspace(account_id="acct;b")
    mine = Workspace(account_id="acct-c", structure="personal", plan="plus")
    seats = Seats(listed=(strange, own, mine), own=own, pooled=frozenset({"acct-a", "acct-c"}))
    first, second = other_workspaces(seats)
    assert "workspace, unnamed (acct;b), which was not added." in first
    assert first.endswith("To add it: `codex-rotate login --workspace 'acct;b'`")
    assert "workspace, personal (plus, acct-c), which is in the pool already." in second
    assert second.endswith("To renew it: `codex-rotate login --workspace acct-c`")


def test_a_device_login_asks_for_no_workspace(command_at_terminal: Run, upstream: StandIn, team: Account) -> None:
    """It could not name one: the others are told, even to somebody who could choose."""
    upstream.approve_device("acct-ann")
    told = command_at_terminal("2\n", "login", "--device")
    assert "codex-rotate login --workspace acct-team" in told
    assert "Which one" not in told


def test_the_command_asks_at_a_terminal(
    command_at_terminal: Run, run: Run, ann: Account, team: Account, browser: Browser
) -> None:
    """And what it says there holds no secret."""
    told = command_at_terminal("2\n", "login", "--json")
    assert "Which one is it to be?" in told
    assert [each["account_id"] for each in run("list", "--json").json] == ["acct-team"]
    assert not [secret for secret in secrets_of([ann, team]) if secret in told]


# --- no answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Fault(FaultKind.UNAUTHORIZED_EXPIRED, path=CHECK), "(401)"),
        (Fault(FaultKind.SERVER_ERROR, path=CHECK), "(500)"),
        (Fault(FaultKind.RESET, path=CHECK), "(no answer came)"),
        (Fault(FaultKind.REDIRECT, path=CHECK), "(30"),
    ],
)
def test_a_login_is_not_lost_over_the_question(
    at_terminal: LogIn, ann: Account, team: Account, upstream: StandIn, fault: Fault, trouble: str
) -> None:
    """It is kept as it came, and what that means is told."""
    upstream.fault("acct-ann", fault)
    login, (note,) = at_terminal()
    assert login.credentials.refresh == ann.refresh_token
    assert trouble in note
    assert "chatgpt.com" in note


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"accounts": [{"id": "acct-else"}]}'])
def test_an_answer_that_does_not_list_the_login_is_none(
    ways: Ways, team: Account, browser: Browser, said: list[str], store: Store, body: bytes
) -> None:
    odd = replace(ways, get=lambda *_: CallbackAnswer(200, body))
    login, (note,) = log_in(odd, partial(login_by_browser, odd), None, Person(browser, said), store)
    assert login.account.account_id == "acct-ann"
    assert "its answer was not understood" in note


def test_an_unusable_backend_is_told_before_the_login(
    run: Run, upstream: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No code is traded for tokens that could not be asked with."""
    monkeypatch.setenv("CODEX_ROTATE_CHATGPT_BASE_URL", "http://elsewhere.example/backend-api")
    ran = run("login")
    assert ran.code == 2
    assert "must be https" in ran.err
    assert not upstream.requests
