"""What an answer says about an account, and where its token may go to ask."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    ("said", "found"),
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
def test_an_account_that_answers(said: ProviderAnswer, found: AccountFinding) -> None:
    """Its login is good, whether or not it is at its limit."""
    assert usage.read_answer(said, NOW) == found


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (answer(200, b"<html>"), Verdict.UNKNOWN),
        (answer(200, []), Verdict.UNKNOWN),
        (answer(200, {"rate_limit": "x"}), Verdict.UNKNOWN),
        (answer(200, b"[" * 100_000), Verdict.UNKNOWN),
        (answer(401, error("token_expired")), Verdict.STALE),
        (answer(401, error("token_invalidated")), Verdict.STALE),
        (answer(401, b""), Verdict.STALE),
        (answer(402, error("anything")), Verdict.UNKNOWN),
        (answer(402, b"<html>"), Verdict.UNKNOWN),
        (answer(402, {"detail": {"code": "deactivated_workspace"}}), Verdict.DEACTIVATED),
        (answer(401, error("account_deactivated")), Verdict.DEACTIVATED),
        (answer(401, {"error": {"message": "Your account has been deactivated"}}), Verdict.STALE),
        (answer(404, b""), Verdict.UNKNOWN),
        (answer(200, {}), Verdict.UNKNOWN),
        (answer(200, {"rate_limit": {}}), Verdict.UNKNOWN),
        (answer(200, {"error": {"code": "account_deactivated"}}), Verdict.UNKNOWN),
        (answer(403, error("account_deactivated")), Verdict.DEACTIVATED),
        (answer(403, {"detail": {"code": "deactivated_workspace"}}), Verdict.DEACTIVATED),
        (answer(403, error("forbidden")), Verdict.UNKNOWN),
        (answer(403, b"<html>", cf_mitigated="challenge"), Verdict.UNKNOWN),
        (answer(302, b"", location="https://evil.example"), Verdict.UNKNOWN),
        (answer(429, error("rate_limit_exceeded")), Verdict.UNKNOWN),
        (answer(500, b"\xff"), Verdict.UNKNOWN),
    ],
)
def test_every_other_answer(said: ProviderAnswer, verdict: Verdict) -> None:
    """Only what is certain changes an account; the rest is unknown."""
    assert usage.read_answer(said, NOW).verdict is verdict


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (answer(402, b"<html>pay up</html>", content_type="text/html"), "402, a page for browsers"),
        (answer(403, b"  <!DOCTYPE html>"), "403, a page for browsers"),
        (answer(404, b""), "404, without a body"),
        (answer(500, b"oops"), "500, not JSON"),
        (answer(403, {"x": 1}), "403 without a code"),
        (answer(503, error("server_is_overloaded")), "503 server_is_overloaded"),
        (answer(401, error("eyJhbGciOi.a.b")), "401 without a code"),
        (answer(200, b"<html>"), "200, but not an account's usage"),
    ],
)
def test_what_was_seen_is_told_without_anything_of_a_body_but_codes(said: ProviderAnswer, seen: str) -> None:
    assert usage.read_answer(said, NOW).detail == seen


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rate_limit", "primary_window", "allowed", "used_percent", "additional_rate_limits",
                             "error", "code", "detail", "limit_name", "limit_window_seconds", "reset_at"]),
            inner, max_size=4,
        )
    ),
    max_leaves=9,
)  # fmt: skip


@given(status=st.integers(100, 599), body=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_reading_an_answer_never_raises(status: int, body: bytes) -> None:
    found = usage.read_answer(ProviderAnswer(status=status, body=body), NOW)
    assert found.verdict is not Verdict.NEEDS_LOGIN
    assert found.verdict is not Verdict.USABLE or status == 200


def test_a_refresh_that_may_be_tried_again_says_nothing() -> None:
    stale = AccountFinding(verdict=Verdict.STALE, detail="401 token_expired", word="token_expired")
    found = usage.read_renewal(Renewal(detail="503 without JSON"), stale, credentials(), NOW)
    assert (found.verdict, found.detail) == (Verdict.UNKNOWN, "401 token_expired, refresh: 503 without JSON")


@pytest.mark.parametrize(
    ("changes", "stale"),
    [
        ({"expires_at": None}, False),
        ({"expires_at": NOW + 61}, False),
        ({"expires_at": NOW + 59}, True),
        ({"expires_at": 0.0, "access": ""}, True),
        ({"access": ""}, True),
        ({"expires_at": NOW + 1, "ended": "invalid_grant"}, False),
        ({"expires_at": NOW, "ended": "invalid_grant"}, True),
        ({"expires_at": NOW + 30, "refreshed_at": NOW - 210}, False),
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
