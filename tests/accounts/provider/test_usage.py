"""What an answer says about an account, and where its token may go to ask."""

import json

import pytest

from accounts.errors import UnsafeBackend
from accounts.provider import usage
from accounts.provider.usage import AccountFinding, ProviderAnswer, Verdict
from accounts.tokens.oauth import Renewal
from tests.builders import NOW, account, credentials


def answer(status: int, content: object = None, **headers: str) -> ProviderAnswer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return ProviderAnswer(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body
    )


def error(code: str) -> dict[str, object]:
    return {"error": {"code": code, "message": "words"}}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (
            answer(200, {"rate_limit": {"allowed": True, "limit_reached": False}}),
            AccountFinding(verdict=Verdict.USABLE),
        ),
        (answer(200, {"rate_limit": None}), AccountFinding(verdict=Verdict.USABLE)),
        (answer(200, {"rate_limit": {"limit_reached": True}}), AccountFinding(verdict=Verdict.USABLE, at_limit=True)),
        (answer(200, {"rate_limit": {"allowed": False}}), AccountFinding(verdict=Verdict.USABLE, at_limit=True)),
    ],
)
def test_an_account_that_answers(given: ProviderAnswer, found: AccountFinding) -> None:
    """Its login is good, whether or not it is at its limit."""
    assert usage.read_answer(given, NOW) == found


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer(200, b"<html>"), Verdict.UNKNOWN),
        (answer(200, []), Verdict.UNKNOWN),
        (answer(200, {"rate_limit": "x"}), Verdict.UNKNOWN),
        (answer(200, b"[" * 100_000), Verdict.UNKNOWN),
        (answer(401, error("token_expired")), Verdict.STALE),
        (answer(401, error("token_invalidated")), Verdict.STALE),
        (answer(401, b""), Verdict.STALE),
        (answer(402, error("anything")), Verdict.DEACTIVATED),
        (answer(403, error("account_deactivated")), Verdict.DEACTIVATED),
        (answer(403, {"detail": {"code": "deactivated_workspace"}}), Verdict.DEACTIVATED),
        (answer(403, error("forbidden")), Verdict.UNKNOWN),
        (answer(403, b"<html>", cf_mitigated="challenge"), Verdict.UNKNOWN),
        (answer(302, b"", location="https://evil.example"), Verdict.UNKNOWN),
        (answer(429, error("rate_limit_exceeded")), Verdict.UNKNOWN),
        (answer(500, b"\xff"), Verdict.UNKNOWN),
    ],
)
def test_every_other_answer(given: ProviderAnswer, verdict: Verdict) -> None:
    """Only what is certain changes an account; the rest is unknown."""
    assert usage.read_answer(given, NOW).verdict is verdict


def test_a_refresh_without_tokens() -> None:
    assert usage.read_renewal(Renewal(dead=True, detail="401")).verdict is Verdict.NEEDS_LOGIN
    assert usage.read_renewal(Renewal(detail="503")).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"expires_at": None}, False),
        ({"expires_at": NOW + 61}, False),
        ({"expires_at": NOW + 59}, True),
        ({"expires_at": 0.0, "access": ""}, True),
        ({"access": ""}, True),
    ],
)
def test_tokens_that_need_no_question(changes: dict[str, object], stale: bool) -> None:
    assert usage.is_stale(credentials("a", **changes), NOW) is stale


@pytest.mark.parametrize("base", ["https://chatgpt.com/backend-api", "http://127.0.0.1:1/x/", "http://localhost/x"])
def test_where_a_token_may_go(base: str) -> None:
    assert usage.usage_url(base) == f"{base.rstrip('/')}/wham/usage"


@pytest.mark.parametrize(
    "base", ["http://chatgpt.com/backend-api", "http://127.0.0.1.evil.example", "ftp://x", "", "x"]
)
def test_where_it_may_not(base: str) -> None:
    """In the clear a token only goes to this machine."""
    with pytest.raises(UnsafeBackend, match="chatgpt_base_url"):
        usage.usage_url(base)


def test_what_the_question_carries() -> None:
    """The account's own token and id, and its routing where it has one."""
    plain = usage.headers(account("a"), credentials("a"))
    assert plain == {"authorization": f"Bearer {credentials('a').access}", "chatgpt-account-id": "acct-a"}
    routed = usage.headers(account("a", fedramp=True, routing_override="us"), credentials("a"))
    assert routed.keys() - plain.keys() == {"x-openai-fedramp", "x-openai-account-routing-override"}
