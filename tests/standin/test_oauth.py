"""The login server: refresh tokens that work once, browser login with PKCE, device login, revocation."""

from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from standin import Account, Fault, FaultKind, StandIn
from standin.oauth import DEVICE_REDIRECT, TOKEN_ANSWERS, challenge_of
from standin.tokens import AUTH_CLAIM
from tests.standin.clients import QUICK, RESPONSES, credentials

REDIRECT = "http://127.0.0.1:1455/auth/callback"


def refresh(upstream: StandIn, token: str) -> httpx.Response:
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app"}
    return httpx.post(upstream.token_url, json=body, **QUICK)


def test_a_refresh_token_works_once(upstream: StandIn, account: Account) -> None:
    """It gives a new set; its second use is refused and counted."""
    first = account.refresh_token
    given = refresh(upstream, first).json()
    assert (given["access_token"], given["refresh_token"]) == (account.access_token, account.refresh_token)
    assert account.auth_json()["tokens"]["id_token"] == given["id_token"]
    again = refresh(upstream, first)
    assert (again.status_code, again.json()["error"]["code"]) == (401, "refresh_token_reused")
    assert upstream.reused_refresh_tokens == 1
    assert upstream.refreshes == (("acc-1", 0, True), ("acc-1", 1, False))
    assert account.refresh_tokens_issued == (first, account.refresh_token)


def test_old_access_tokens_live_until_they_expire(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """A refresh does not end the access token before it; `expire` ends all so far."""
    old = credentials(account)
    refresh(upstream, account.refresh_token)
    assert http.post(RESPONSES, headers=old, json={}).status_code == 200
    account.expire()
    refused = http.post(RESPONSES, headers=credentials(account), json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_expired")
    refresh(upstream, account.refresh_token)
    assert http.post(RESPONSES, headers=credentials(account), json={}).status_code == 200


def test_revoked(upstream: StandIn, account: Account, http: httpx.Client) -> None:
    """Both tokens are dead, each with its own code."""
    account.revoke()
    refused = http.post(RESPONSES, headers=credentials(account), json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_invalidated")
    gone = refresh(upstream, account.refresh_token)
    assert (gone.status_code, gone.json()["error"]["code"]) == (401, "refresh_token_invalidated")


def test_an_unknown_refresh_token(upstream: StandIn) -> None:
    """Nobody's token is nobody's refresh."""
    assert refresh(upstream, "rt_made_up").json()["error"]["code"] == "refresh_token_expired"
    assert upstream.refreshes == ((None, 0, False),)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(FaultKind.TOKEN_SERVER_ERROR), 500, None),
        (Fault(FaultKind.TOKEN_SERVER_ERROR, status=503), 503, None),
        (Fault(FaultKind.TOKEN_REFUSED), 401, "refresh_token_invalidated"),
        (Fault(FaultKind.TOKEN_REFUSED, code="refresh_token_expired"), 401, "refresh_token_expired"),
        (Fault(FaultKind.TOKEN_REFUSED, status=400, code="invalid_grant"), 400, "invalid_grant"),
    ],
)
def test_faults(upstream: StandIn, account: Account, fault: Fault, status: int, code: str | None) -> None:
    """A refusal by fault comes before the token is spent."""
    upstream.fault("acc-1", fault, times=1)
    answer = refresh(upstream, account.refresh_token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert refresh(upstream, account.refresh_token).status_code == 200


@pytest.mark.parametrize("name", [name for name, said in TOKEN_ANSWERS.items() if not said.spends])
def test_answers_by_name_that_spend_nothing(upstream: StandIn, account: Account, name: str) -> None:
    account.refreshes_get(name, times=1)
    assert refresh(upstream, account.refresh_token).content == TOKEN_ANSWERS[name].refusal.body
    assert refresh(upstream, account.refresh_token).status_code == 200
    assert [each.ok for each in upstream.refreshes] == [False, True]


@pytest.mark.parametrize("name", [name for name, said in TOKEN_ANSWERS.items() if said.spends])
def test_answers_by_name_that_spend_the_token(upstream: StandIn, account: Account, name: str) -> None:
    """And bring something else than what it has bought."""
    token = account.refresh_token
    account.refreshes_get(name)
    given = refresh(upstream, token).json()
    mine = {"access_token": account.access_token, "refresh_token": account.refresh_token}
    assert mine.items() - given.items() or given["id_token"] != account.auth_json()["tokens"]["id_token"]
    account.refreshes_get("")
    assert refresh(upstream, token).json()["error"]["code"] == "refresh_token_reused"


@pytest.mark.parametrize(
    ("name", "account_id", "user_id"),
    [("other_account", "acc-of-a-stranger", "user-of-a-stranger"), ("other_user", "acc-1", "user-of-a-stranger")],
)
def test_tokens_of_somebody_else(upstream: StandIn, account: Account, name: str, account_id: str, user_id: str) -> None:
    account.refreshes_get(name)
    given = refresh(upstream, account.refresh_token).json()
    claims = jwt.decode(given["access_token"], options={"verify_signature": False})[AUTH_CLAIM]
    assert (claims["chatgpt_account_id"], claims["chatgpt_user_id"]) == (account_id, user_id)


def test_tokens_that_live_for_another_time(upstream: StandIn, account: Account) -> None:
    account.tokens_live = 240
    given = refresh(upstream, account.refresh_token).json()
    claims = jwt.decode(given["access_token"], options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 240


def test_an_answer_that_is_lost(upstream: StandIn, account: Account) -> None:
    """A general fault on the path, after output: the token is spent, and the answer never comes whole."""
    token = account.refresh_token
    upstream.fault("acc-1", Fault(FaultKind.RESET, path="/oauth/token", after_output=True), times=1)
    with pytest.raises(httpx.TransportError):
        refresh(upstream, token)
    assert refresh(upstream, token).json()["error"]["code"] == "refresh_token_reused"


def test_hang(upstream: StandIn, account: Account) -> None:
    """A hanging token endpoint gives nothing and spends nothing until it is released."""
    upstream.fault("acc-1", Fault(FaultKind.TOKEN_HANG), times=1)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            upstream.token_url,
            json={"grant_type": "refresh_token", "refresh_token": account.refresh_token},
            **(QUICK | {"timeout": 0.05}),
        )
    upstream.wait_for(lambda: upstream.requests[0].disconnected)
    assert not upstream.refreshes
    assert refresh(upstream, account.refresh_token).status_code == 200


def authorize(upstream: StandIn, challenge: str, **more: str) -> httpx.Response:
    query = {"redirect_uri": REDIRECT, "state": "st", "code_challenge": challenge, "code_challenge_method": "S256"}
    query |= more
    url = f"http://127.0.0.1:{upstream.plain_port}/oauth/authorize"
    return httpx.get(url, params=query, **QUICK)


def trade(upstream: StandIn, **form: str) -> httpx.Response:
    return httpx.post(upstream.token_url, data={"grant_type": "authorization_code", **form}, **QUICK)


def test_browser_login(upstream: StandIn, account: Account, other: Account) -> None:
    """The code goes to whoever is at the browser, is checked with PKCE, and works once."""
    assert authorize(upstream, "x").status_code == 400
    upstream.login_as("acc-2")
    answer = authorize(upstream, challenge_of("verifier"))
    assert answer.status_code == 302
    assert answer.headers["location"].startswith(f"{REDIRECT}?")
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == ["st"]
    form = {"code": query["code"][0], "redirect_uri": REDIRECT, "code_verifier": "verifier"}
    tokens = trade(upstream, **form).json()
    claims = jwt.decode(tokens["id_token"], options={"verify_signature": False})
    assert claims["email"] == "two@example.com"
    assert other.access_token == tokens["access_token"]
    assert trade(upstream, **form).status_code == 400


def test_a_login_may_name_the_workspace(upstream: StandIn, account: Account) -> None:
    """Of the person at the browser; one that is not theirs changes nothing."""
    team = upstream.add_account("team", user_id="user-1")
    upstream.add_account("elsewhere", user_id="user-2")
    upstream.login_as("acc-1")
    for workspace, seat in {"team": team, "acc-1": account, "elsewhere": account, "nowhere": account}.items():
        location = authorize(upstream, challenge_of("verifier"), allowed_workspace_id=workspace).headers["location"]
        code = parse_qs(urlsplit(location).query)["code"][0]
        tokens = trade(upstream, code=code, redirect_uri=REDIRECT, code_verifier="verifier").json()
        assert tokens["access_token"] == seat.access_token


@pytest.mark.parametrize("wrong", [{"code_verifier": "guess"}, {"redirect_uri": "http://127.0.0.1/"}, {"code": "x"}])
def test_a_code_needs_all_its_parts(upstream: StandIn, account: Account, wrong: dict[str, str]) -> None:
    """A wrong verifier, redirect or code gets nothing."""
    location = authorize(upstream, challenge_of("verifier")).headers["location"]
    code = parse_qs(urlsplit(location).query)["code"][0]
    form = {"code": code, "redirect_uri": REDIRECT, "code_verifier": "verifier"} | wrong
    answer = trade(upstream, **form)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_grant")
    assert len(account.access_tokens_issued) == 1


def test_device_login(upstream: StandIn, account: Account, other: Account) -> None:
    """Pending until approved; then a code that is traded with the device's own redirect."""
    upstream.device_interval = 3
    base = f"http://127.0.0.1:{upstream.plain_port}/api/accounts/deviceauth"
    started = httpx.post(f"{base}/usercode", json={"client_id": "app"}, **QUICK).json()
    assert started["interval"] == "3"
    poll = {"device_auth_id": started["device_auth_id"], "user_code": started["user_code"]}
    assert httpx.post(f"{base}/token", json=poll, **QUICK).status_code == 403
    assert httpx.post(f"{base}/token", json=poll | {"user_code": "X"}, **QUICK).status_code == 404
    upstream.approve_device("acc-2")
    approved = httpx.post(f"{base}/token", json=poll, **QUICK).json()
    form = {"code": approved["authorization_code"], "code_verifier": approved["code_verifier"]}
    tokens = trade(upstream, **form, redirect_uri=DEVICE_REDIRECT).json()
    assert tokens["access_token"] == other.access_token
    assert httpx.post(f"{base}/token", json=poll, **QUICK).status_code == 404


def test_revoke(upstream: StandIn, account: Account) -> None:
    """A revoked refresh token is dead; an unknown one is no error."""
    url = f"http://127.0.0.1:{upstream.plain_port}/oauth/revoke"
    for token in (account.refresh_token, "unknown"):
        assert httpx.post(url, json={"token": token}, **QUICK).status_code == 200
    assert refresh(upstream, account.refresh_token).json()["error"]["code"] == "refresh_token_invalidated"


def test_other_grants(upstream: StandIn) -> None:
    """An API key is refused, as for an account without an organization; nonsense gets 400 too."""
    exchange = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}
    assert httpx.post(upstream.token_url, data=exchange, **QUICK).status_code == 400
    assert httpx.post(upstream.token_url, content=b"[1]", **QUICK).status_code == 400
