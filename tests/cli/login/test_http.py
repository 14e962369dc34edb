"""The one request: a form or JSON, its answer as it is, and silence as status 0."""

import json
import socket
from urllib.parse import parse_qsl

import pytest

from accounts.logins.oauth_login import CallbackAnswer, Post
from cli.login.http import get, send
from config.settings import ConfigError
from standin import Fault, FaultKind, StandIn
from tests.corporate import Corporate, Trouble


def test_a_form_and_json() -> None:
    """The token endpoint reads a form after a login, everything else is JSON; neither bears a credential."""
    with StandIn() as upstream:
        body = {"grant_type": "authorization_code", "code": "a+b/c="}
        form = send(Post(url=upstream.token_url, body=body, form=True))
        assert (form.status, json.loads(form.body)["error"]["code"]) == (400, "invalid_grant")
        send(Post(url=upstream.token_url, body=body))
        as_form, as_json = upstream.requests
        assert as_form.header("content-type") == "application/x-www-form-urlencoded"
        assert dict(parse_qsl(as_form.body.decode())) == as_json.json() == body
        assert as_json.header("content-type") == "application/json"
        assert (as_form.authorization, as_json.authorization) == (None, None)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/x", "no address", "http://[", "ftp://127.0.0.1/"])
def test_no_answer(url: str) -> None:
    """Nobody there, or nowhere to go."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    assert send(Post(url=url.format(port=port), body={"code": "x"})) == CallbackAnswer(0)
    for each in (url.format(port=port), "http://\0", "https://xn--/"):
        assert get(each, {"authorization": "Bearer x"}) == CallbackAnswer(0)


def test_a_question_with_a_token() -> None:
    """It carries what it is given, and a redirect is not followed."""
    with StandIn() as upstream:
        account = upstream.add_account("acct-ann")
        headers = {"authorization": f"Bearer {account.access_token}", "chatgpt-account-id": "acct-ann"}
        asked = f"{upstream.base_url}/wham/usage"
        answer = get(asked, headers)
        assert (answer.status, json.loads(answer.body)["account_id"]) == (200, "acct-ann")
        upstream.fault("acct-ann", Fault(FaultKind.REDIRECT, path="/backend-api/wham/usage"))
        assert 300 <= get(asked, headers).status < 400
        assert [seen.authorization for seen in upstream.requests] == [headers["authorization"]] * 2


def test_through_the_company_s_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent and what is asked goes through its tunnel; when it lets nobody through there is no answer."""
    body = {"grant_type": "authorization_code", "code": "x"}
    post = Post(url="https://auth.openai.com/oauth/token", body=body, form=True)
    usage = "https://chatgpt.com/backend-api/wham/usage"
    with StandIn() as upstream, Corporate({443: upstream.port}, "ann", "right") as corporate:
        account = upstream.add_account("acct-ann")
        headers = {"authorization": f"Bearer {account.access_token}", "chatgpt-account-id": "acct-ann"}
        monkeypatch.setenv("SSL_CERT_FILE", str(upstream.ca_file))
        monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", corporate.url("ann", "right"))
        assert (send(post).status, get(usage, headers).status) == (400, 200)
        assert corporate.targets() == ["auth.openai.com:443", "chatgpt.com:443"]
        assert {seen.header("proxy-authorization") for seen in upstream.requests} == {None}
        corporate.trouble = Trouble.REFUSE
        assert (send(post), get(usage, headers)) == (CallbackAnswer(0), CallbackAnswer(0))
        monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", corporate.url("ann", "wrong"))
        corporate.trouble = None
        assert (send(post), get(usage, headers)) == (CallbackAnswer(0), CallbackAnswer(0))


def test_a_proxy_that_cannot_be_used_is_told_instead_of_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_ROTATE_UPSTREAM_PROXY", "s3cret")
    for ask in (lambda url: send(Post(url=url, body={})), lambda url: get(url, {})):
        with pytest.raises(ConfigError, match="CODEX_ROTATE_UPSTREAM_PROXY: must be"):
            ask("https://auth.openai.com/oauth/token")
