"""An account as tests hold it."""

import httpx
import jwt
import pytest

from standin import Account, StandIn, Window
from tests.standin.clients import QUICK, RESPONSES, credentials


def test_auth_json(account: Account) -> None:
    """The exact shape of the official client's file, with claims in the tokens."""
    content = account.auth_json()
    assert set(content) == {"auth_mode", "OPENAI_API_KEY", "tokens", "last_refresh"}
    assert (content["auth_mode"], content["OPENAI_API_KEY"]) == ("chatgpt", None)
    assert set(content["tokens"]) == {"id_token", "access_token", "refresh_token", "account_id"}
    assert content["last_refresh"].endswith("Z")
    for name in ("id_token", "access_token"):
        claims = jwt.decode(content["tokens"][name], options={"verify_signature": False})
        assert claims["https://api.openai.com/auth"] == {
            "chatgpt_account_id": "acc-1",
            "chatgpt_user_id": "user-1",
            "user_id": "user-1",
            "chatgpt_plan_type": "plus",
            "chatgpt_account_is_fedramp": False,
        }
        assert claims["https://api.openai.com/profile"]["email"] == "one@example.com"
        assert claims["exp"] - claims["iat"] == 3600


def test_tokens_that_are_past_their_time() -> None:
    """An access token ends when its `exp` says so, by the stand-in's clock."""
    now = [1_000_000.0]
    with StandIn(clock=lambda: now[0]) as upstream:
        account = upstream.add_account("acc-1", expires_in=60)
        url = f"{upstream.base_url}/codex/responses"
        assert httpx.post(url, headers=credentials(account), json={}, **QUICK).status_code == 200
        now[0] += 60
        refused = httpx.post(url, headers=credentials(account), json={}, **QUICK)
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "token_expired")


def test_limits_show_in_headers(account: Account, http: httpx.Client) -> None:
    """A window that is left out has no header."""
    account.limits(primary=Window(used_percent=99.5, minutes=60, resets_in=5), secondary=None)
    headers = http.post(RESPONSES, headers=credentials(account), json={}).headers
    assert headers["x-codex-primary-used-percent"] == "99.5"
    assert headers["x-codex-primary-window-minutes"] == "60"
    assert "x-codex-secondary-used-percent" not in headers


def test_defaults(upstream: StandIn) -> None:
    """An account needs no more than a name."""
    account = upstream.add_account("acc-9")
    assert account.identity.email == "acc-9@example.com"
    assert account.user_id == "user-of-acc-9"


def test_an_unknown_detail_is_an_error(upstream: StandIn) -> None:
    """A misspelt detail does not pass in silence."""
    with pytest.raises(TypeError, match="palan"):
        upstream.add_account("acc-9", palan="plus")  # type: ignore[call-arg]
