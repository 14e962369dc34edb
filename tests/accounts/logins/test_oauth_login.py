"""A login in values: what is asked in the official client's words, and what the answers mean."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from accounts.errors import BadCallback, DeviceLoginOff, LoginFailed, LoginRefused, LoginTimedOut, WrongWorkspace
from accounts.logins import oauth_login as flow
from accounts.logins.oauth_login import CallbackAnswer, DeviceCode, Grant, LoginAttempt, Post
from accounts.model import Credentials
from config.errors import RotateError
from tests.builders import HOUR, NOW, Clock, credentials, token
from tests.rows import all_rows

PLACE = "https://login.example"
ATTEMPT = LoginAttempt(verifier="verifier-nobody-may-see", state="state-of-this-login")
GRANT = Grant(code="code-nobody-may-see", verifier="verifier-nobody-may-see", redirect_uri="http://127.0.0.1:1455/x")
DEVICE = DeviceCode(device_id="device-1", user_code="ABCD-1234", interval=5.0)


def answer(status: int = 200, **payload: Any) -> CallbackAnswer:
    return CallbackAnswer(status, json.dumps(payload).encode())


def tokens(account: str = "acct-a", **changes: Any) -> dict[str, Any]:
    """What the token endpoint gives for a seat of this account."""
    jwt = token({"chatgpt_account_id": account, "chatgpt_user_id": "user-a"}, exp=int(NOW + HOUR), email="a@x.example")
    return {"access_token": jwt, "refresh_token": "refresh-nobody-may-see", "id_token": jwt, **changes}


# --- where -----------------------------------------------------------------------------------------------------------


@all_rows(
    ("environ", "issuer", "revoke"),
    [
        ({}, "https://auth.openai.com", "https://auth.openai.com/oauth/revoke"),
        ({"CODEX_APP_SERVER_LOGIN_ISSUER": ""}, "https://auth.openai.com", "https://auth.openai.com/oauth/revoke"),
        ({"CODEX_APP_SERVER_LOGIN_ISSUER": "http://h:1/"}, "http://h:1", "http://h:1/oauth/revoke"),
        ({"CODEX_REVOKE_TOKEN_URL_OVERRIDE": "http://h:2/r"}, "https://auth.openai.com", "http://h:2/r"),
    ],
)
def test_the_official_clients_own_variables_lead_elsewhere(environ: dict[str, str], issuer: str, revoke: str) -> None:
    assert (flow.issuer(environ), flow.revoke_url(environ)) == (issuer, revoke)


# --- in a browser ----------------------------------------------------------------------------------------------------


def test_the_address_is_the_official_clients() -> None:
    """docs/codex-wire.md section 5: every parameter, and nothing else."""
    url = urlsplit(flow.authorize_url("https://auth.openai.com", ATTEMPT, flow.redirect_uri(1455)))
    assert (url.scheme, url.netloc, url.path) == ("https", "auth.openai.com", "/oauth/authorize")
    assert {name: value for name, (value,) in parse_qs(url.query).items()} == {
        "response_type": "code",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "redirect_uri": "http://127.0.0.1:1455/auth/callback",
        "scope": "openid profile email offline_access api.connectors.read api.connectors.invoke",
        "code_challenge": ATTEMPT.challenge,
        "code_challenge_method": "S256",
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "state": ATTEMPT.state,
        "originator": "codex_cli_rs",
    }
    assert "scope=openid%20profile%20email" in url.query
    limited = flow.authorize_url(PLACE, ATTEMPT, flow.redirect_uri(1457), "acct-a")
    assert parse_qs(urlsplit(limited).query)["allowed_workspace_id"] == ["acct-a"]
    assert ATTEMPT.verifier not in limited


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    digest = hashlib.sha256(ATTEMPT.verifier.encode()).digest()
    assert base64.urlsafe_b64decode(ATTEMPT.challenge + "=") == digest
    assert "=" not in ATTEMPT.challenge


def test_every_attempt_has_its_own_secrets() -> None:
    """As long as the official client's: 64 and 32 bytes."""
    one, other = flow.new_attempt(), flow.new_attempt()
    assert len({one.verifier, other.verifier, one.state, other.state}) == 4
    assert (len(one.verifier), len(one.state)) == (86, 43)
    lengths: list[int] = []
    flow.new_attempt(lambda n: lengths.append(n) or bytes(n))  # type: ignore[func-returns-value]
    assert lengths == [64, 32]


def test_a_callback_that_answers_this_login() -> None:
    query = urlencode({"code": "c/+=1", "state": ATTEMPT.state, "scope": "openid"})
    assert flow.read_callback(query, ATTEMPT.state) == "c/+=1"


@all_rows(
    "query",
    [
        "",
        "code=c",
        "code=c&state=",
        "code=c&state=other",
        "code=c&state=%C3%A9",
        f"code=c&state={ATTEMPT.state}&state={ATTEMPT.state}",
        f"state={ATTEMPT.state}",
        f"code=&state={ATTEMPT.state}",
        f"code=c&code=d&state={ATTEMPT.state}",
        "error=access_denied&state=other",
    ],
)
def test_a_callback_that_does_not(query: str) -> None:
    """No state, another's, several, or no code: it is not this login's, whatever else it says."""
    with pytest.raises(BadCallback):
        flow.read_callback(query, ATTEMPT.state)


@pytest.mark.parametrize(("error", "word"), [("access_denied", "access_denied"), ("<b>NO</b>", "")])
def test_a_callback_that_says_no(error: str, word: str) -> None:
    """The provider's word is repeated if it is one; its text never is."""
    query = urlencode({"error": error, "error_description": "<i>text", "state": ATTEMPT.state})
    with pytest.raises(LoginRefused) as caught:
        flow.read_callback(query, ATTEMPT.state)
    assert caught.value.trouble == word
    assert "<" not in str(caught.value)


@all_rows(
    "pasted",
    [
        f"http://127.0.0.1:1455/auth/callback?code=the-code&state={ATTEMPT.state}",
        f"  http://localhost:1455/auth/callback?state={ATTEMPT.state}&code=the-code#_=_\n",
        f"http://127.0.0.1:1455/auth/callback?code=the-\ncode&state={ATTEMPT.state}",
        f"the-code#{ATTEMPT.state}",
        f" the-code#{ATTEMPT.state} ",
    ],
)
def test_what_a_person_may_paste(pasted: str) -> None:
    assert flow.read_pasted(pasted, ATTEMPT.state) == "the-code"


@all_rows(
    "pasted",
    [
        "",
        "the-code",
        "#",
        "#state-of-this-login",
        "the-code#other",
        "http://127.0.0.1:1455/auth/callback",
        "https://[?x",
    ],
)
def test_what_a_person_may_not_paste(pasted: str) -> None:
    with pytest.raises(BadCallback) as caught:
        flow.read_pasted(pasted, ATTEMPT.state)
    assert "the-code" not in str(caught.value)


# --- with another device ---------------------------------------------------------------------------------------------


@all_rows(
    ("interval", "seconds"),
    [("7", 7.0), (7, 7.0), ("2.5", 2.5), (0, 1.0), (-3, 1.0), (1e9, 60.0), ("soon", 5.0), (None, 5.0), ("nan", 5.0)],
)
def test_the_interval_may_be_text(interval: object, seconds: float) -> None:
    """Nonsense is the usual five seconds; nothing makes us ask without a pause or never again."""
    read = flow.read_usercode(answer(device_auth_id="d", user_code="AB-12", interval=interval))
    assert read == DeviceCode(device_id="d", user_code="AB-12", interval=seconds)


def test_a_device_login_that_is_not_offered() -> None:
    with pytest.raises(DeviceLoginOff, match="--manual"):
        flow.read_usercode(CallbackAnswer(404))


@all_rows(
    "refused",
    [
        CallbackAnswer(0),
        CallbackAnswer(500, b"oops"),
        answer(403, error="x"),
        answer(user_code="AB-12"),
        answer(device_auth_id="d"),
        answer(device_auth_id="d", user_code="\x1b[31m"),
    ],
)
def test_a_device_login_that_does_not_begin(refused: CallbackAnswer) -> None:
    """A code that is no code is not shown: it would be written to a terminal."""
    with pytest.raises(LoginRefused):
        flow.read_usercode(refused)


def poll(*answers: CallbackAnswer, clock: Clock | None = None) -> tuple[list[float], Grant]:
    """Plays the answers; gives the pauses before each request, and the outcome."""
    clock = clock or Clock()
    asking, pauses, left = flow.device_flow(PLACE, DEVICE, clock), list[float](), iter(answers)
    try:
        post = next(asking)
        while True:
            assert post.url == f"{PLACE}/api/accounts/deviceauth/token"
            assert post.body == {"device_auth_id": "device-1", "user_code": "ABCD-1234"}
            assert not post.form
            pauses.append(post.after)
            clock.advance(post.after)
            post = asking.send(next(left))
    except StopIteration as e:
        return pauses, e.value


APPROVED = answer(authorization_code="the-code", code_challenge="c", code_verifier="the-verifier")


def test_pending_until_it_is_approved() -> None:
    """403 and 404 are "not yet"; so is a server that stumbles or does not answer. slow_down and 429 mean longer."""
    pauses, grant = poll(
        answer(403, error={"code": "deviceauth_authorization_pending"}),
        answer(404),
        answer(400, error="authorization_pending"),
        CallbackAnswer(0),
        CallbackAnswer(502, b"<html>"),
        answer(400, error="slow_down"),
        answer(403, error={"code": "slow_down"}),
        CallbackAnswer(429),
        APPROVED,
    )
    assert pauses == [5, 5, 5, 5, 5, 5, 10, 15, 20]
    assert (grant.code, grant.verifier) == ("the-code", "the-verifier")
    assert grant.redirect_uri == "https://auth.openai.com/deviceauth/callback"


@all_rows(
    "refused",
    [
        answer(403, error="access_denied"),
        answer(403, error={"code": "expired_token"}),
        answer(400, error="x"),
        answer(),
        answer(authorization_code="the-code"),
    ],
)
def test_a_no_ends_the_asking(refused: CallbackAnswer) -> None:
    with pytest.raises(LoginRefused) as caught:
        poll(answer(403), refused)
    assert "the-code" not in str(caught.value)


def test_nobody_asks_for_longer_than_a_quarter_of_an_hour() -> None:
    clock = Clock()
    with pytest.raises(LoginTimedOut, match="15 minutes"):
        poll(*[CallbackAnswer(403)] * 500, clock=clock)
    assert clock.now == NOW + 900


# --- tokens ----------------------------------------------------------------------------------------------------------


def test_the_code_is_traded_with_a_form() -> None:
    post = flow.exchange_post(PLACE, GRANT)
    assert (post.url, post.form) == (f"{PLACE}/oauth/token", True)
    assert post.body == {
        "grant_type": "authorization_code",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
        "code": GRANT.code,
        "redirect_uri": GRANT.redirect_uri,
        "code_verifier": GRANT.verifier,
    }


def test_whose_login_it_became() -> None:
    given = tokens()
    login = flow.read_login(answer(**given), None, NOW)
    assert (login.account.account_id, login.account.user_id, login.account.label) == ("acct-a", "user-a", "a")
    assert login.credentials == Credentials(
        access=given["access_token"],
        refresh=given["refresh_token"],
        id_token=given["id_token"],
        expires_at=NOW + HOUR,
        refreshed_at=NOW,
        own=True,
    )
    assert flow.read_login(answer(**given), "acct-a", NOW) == login


def test_only_the_workspace_that_was_asked_for() -> None:
    with pytest.raises(WrongWorkspace, match="acct-a, not acct-b"):
        flow.read_login(answer(**tokens()), "acct-b", NOW)


@all_rows(
    "refused",
    [
        CallbackAnswer(0),
        CallbackAnswer(200, b"no JSON"),
        CallbackAnswer(200, b"[" * 100_000),
        answer(400, error="invalid_grant", error_description="refresh-nobody-may-see"),
        answer(500, **tokens()),
        answer(**tokens(access_token="")),
        answer(**tokens(refresh_token=None)),
        answer(**tokens(refresh_token="two\nlines")),
        answer(**tokens(access_token="opaque", id_token="opaque")),
        answer(**tokens(id_token=token({"chatgpt_account_id": "acct-b"}))),
    ],
)
def test_answers_that_give_no_login(refused: CallbackAnswer) -> None:
    """Not accepted, not readable, without a token, or of no one account: and no token is in what is said."""
    with pytest.raises(LoginRefused) as caught:
        flow.read_login(refused, None, NOW)
    assert "nobody-may-see" not in str(caught.value)


def test_a_login_is_ended_with_its_own_refresh_token() -> None:
    post = flow.revoke_post(f"{PLACE}/oauth/revoke", credentials("a"))
    assert not post.form
    assert post.body == {
        "token": credentials("a").refresh,
        "token_type_hint": "refresh_token",
        "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
    }


# --- everywhere ------------------------------------------------------------------------------------------------------


def test_nothing_shows_a_secret() -> None:
    """Neither values nor requests: repr is what ends up in a traceback."""
    shown = repr((ATTEMPT, GRANT, DEVICE, flow.exchange_post(PLACE, GRANT), answer(**tokens())))
    shown += repr(flow.read_login(answer(**tokens()), None, NOW)) + repr(
        Post(url="u", body={"token": "nobody-may-see"})
    )
    assert "nobody-may-see" not in shown
    assert ATTEMPT.state not in shown
    assert DEVICE.device_id not in shown
    assert tokens()["access_token"] not in shown


def test_a_failed_login_is_an_expected_failure() -> None:
    assert issubclass(LoginFailed, RotateError)
    assert LoginRefused("x").exit_code == 1
