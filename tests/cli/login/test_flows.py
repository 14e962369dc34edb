"""Each way to log in gives a login of the workspace that was asked for, or none."""

import io
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
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
from accounts.logins.oauth_login import CallbackAnswer
from cli.login.flows import NOT_ENDED, Ways, login_by_browser, login_by_device, login_by_hand
from cli.ui.asking import NoAsking
from standin import Account, Fault, FaultKind, StandIn
from tests.builders import NOW, Clock
from tests.cli.logins import (
    ADDRESS,
    Browser,
    Pasting,
    Person,
    lead_to,
    refusal_of,
    ways_to,
)


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
        login_by_browser(replace(ways, send=lambda _: CallbackAnswer(0)), None)


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
        login_by_device(replace(ways, send=lambda _: CallbackAnswer(404)), None)


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
