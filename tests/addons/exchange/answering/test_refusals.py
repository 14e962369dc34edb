"""Which request of a client that may not use the proxy gets which answer; in the proxy: tests/proxy/test_refused.py."""

import json

import pytest
from mitmproxy import http

from accounts.people.keys import Refusal, Refused
from accounts.people.rules import Denial, PersonRule
from addons.exchange.answering import refusals

NO_KEY = Refused(Refusal.KEY_NEEDED)
OWN = "0b3a-own"
REMEDIES = {
    Refusal.KEY_EXPIRED: ("codex-rotate keys rotate ann", "codex-rotate join FILE"),
    Refusal.PERSON_PAUSED: ("codex-rotate people resume ann",),
}
"""What is to be done where another key is not the way."""


def asked(method: str, path: str, **headers: str) -> http.Request:
    return http.Request.make(
        method, f"https://chatgpt.com{path}", b"", {n.replace("_", "-"): v for n, v in headers.items()}
    )


@pytest.mark.parametrize("why", Refusal)
def test_a_refusal_says_what_is_wrong_and_what_to_do(why: Refusal) -> None:
    """With a type of our own, on the way that a proxy refuses and on the one that the client prints."""
    for status in (407, 400):
        response = refusals.refused(Refused(why, "ann"), status)
        told = json.loads(response.content or b"")["error"]
        assert (response.status_code, told["type"], told["code"]) == (
            status,
            f"codex_rotate_{why}",
            f"codex_rotate_{why}",
        )
        for remedy in REMEDIES.get(why, ("codex-rotate keys add NAME", "codex-rotate join FILE")):
            assert remedy in told["message"]
        assert "{" not in told["message"]
        assert ("proxy-authenticate" in response.headers) is (status == 407)


def test_a_rule_is_told_so_that_the_client_stops_and_nobody_takes_it_for_upstreams() -> None:
    response = refusals.denied(Denial(rule=PersonRule.TOKENS, sentence="ann has used the 2M tokens of today"))
    told = json.loads(response.content or b"")["error"]
    assert response.status_code == 400
    assert told["type"] == told["code"] == "codex_rotate_token_budget"
    assert told["message"].startswith("codex-rotate: ann has used the 2M tokens of today. ")
    assert "retry-after" not in response.headers


def test_a_key_that_was_taken_back_is_named() -> None:
    assert "key of ann," in refusals.refused(Refused(Refusal.KEY_REMOVED, "ann")).text


def test_the_way_to_the_model_is_opened_with_the_client_s_own_id() -> None:
    """One entry, with exactly that id: with anything else the client gives up before it asks the model."""
    told = refusals.inside(NO_KEY, asked("GET", refusals.ROUTING, chatgpt_account_id=OWN))
    (entry,) = json.loads(told.content or b"")["accounts"]
    assert (told.status_code, entry["id"]) == (200, OWN)
    assert refusals.inside(NO_KEY, asked("GET", f"{refusals.ROUTING}?a=b", chatgpt_account_id=OWN)).status_code == 200


def test_policies_are_answered_with_none() -> None:
    told = refusals.inside(NO_KEY, asked("GET", refusals.POLICY))
    assert (told.status_code, told.content) == (200, b"{}")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/backend-api/codex/responses", {}, 400),
        ("POST", "/backend-api/codex/responses?x=y", {}, 400),
        ("POST", "/backend-api/codex/responses/compact", {}, 400),
        ("POST", "/backend-api/codex/alpha/search", {}, 400),
        ("GET", "/backend-api/codex/responses", {"upgrade": "websocket"}, 400),
        ("GET", "/backend-api/codex/responses", {"upgrade": "WebSocket"}, 400),
        ("GET", "/backend-api/codex/responses", {}, 403),
        ("GET", "/backend-api/codex/other", {"upgrade": "websocket"}, 403),
        ("GET", "/backend-api/codex/models", {}, 403),
        ("GET", "/backend-api/wham/accounts/check", {}, 403),
        ("POST", "/backend-api/wham/accounts/check", {"chatgpt-account-id": OWN}, 403),
        ("GET", "/backend-api/wham/accounts/check/more", {"chatgpt-account-id": OWN}, 403),
        ("GET", "/backend-api/wham/usage", {"chatgpt-account-id": OWN}, 403),
        ("POST", "/backend-api/wham/config/bundle", {}, 403),
        ("POST", "/backend-api/ps/mcp", {}, 403),
        ("POST", "//backend-api/codex/responses", {}, 403),
        ("GET", "/", {}, 403),
    ],
)
def test_everything_else_is_refused(method: str, path: str, headers: dict[str, str], status: int) -> None:
    """What asks a model with 400, which the client prints at once."""
    assert refusals.inside(NO_KEY, asked(method, path, **headers)).status_code == status
