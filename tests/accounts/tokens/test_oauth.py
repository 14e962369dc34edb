"""What is sent to the token endpoint, and what its answers mean."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import Credentials
from accounts.tokens.endings import DEAD, Ending
from accounts.tokens.lifetime import wants_renewal
from accounts.tokens.oauth import CLIENT_ID, LONGEST_TOKEN, Renewal, read_renewal, refresh_body, token_url
from config.provider import PROVIDER
from tests.builders import HOUR, NOW, credentials, key_of, planted, token
from tests.rows import all_rows

OLD = credentials("old", id_token="id-token-of-old-nobody-may-see", expires_at=NOW - 5, refreshed_at=NOW - HOUR)


def read(status: int, payload: object) -> Renewal:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_renewal(status, body, OLD, NOW, key_of("old"))


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, PROVIDER.token_url),
        ({"CODEX_REFRESH_TOKEN_URL_OVERRIDE": ""}, PROVIDER.token_url),
        ({"CODEX_REFRESH_TOKEN_URL_OVERRIDE": "http://127.0.0.1:1/token"}, "http://127.0.0.1:1/token"),
    ],
)
def test_tokens_are_renewed_where_the_official_client_renews_them(environ: dict[str, str], url: str) -> None:
    assert token_url(environ) == url


def test_a_refresh_is_asked_for_in_the_clients_own_words() -> None:
    assert refresh_body(OLD, "unauthorized_recovery") == {
        "client_id": CLIENT_ID,
        "grant_type": "refresh_token",
        "refresh_reason": "unauthorized_recovery",
        "refresh_token": OLD.refresh,
    }


def test_new_tokens_replace_the_old_ones() -> None:
    access, refresh, id_token = token(exp=int(NOW + HOUR)), "refresh-2", token(email="a@example.com")
    renewal = read(200, {"access_token": access, "refresh_token": refresh, "id_token": id_token})
    assert renewal == Renewal(
        credentials=Credentials(
            access=access, refresh=refresh, id_token=id_token, expires_at=NOW + HOUR, refreshed_at=NOW
        )
    )


@pytest.mark.parametrize("status", [201, 202, 203, 206])
def test_tokens_that_come_with_another_success_are_taken_too(status: int) -> None:
    """The one that was sent is spent."""
    assert read(status, {"access_token": "new", "refresh_token": "refresh-2"}).credentials is not None
    assert read(status, b"").credentials is None


@pytest.mark.parametrize("access", ["x", "undefined", "null.null", "a.b.c"])
def test_what_says_nothing_of_whose_it_is_does_not_replace_a_token_that_does(access: str) -> None:
    old = credentials("old", access=token(sub="somebody"))
    body = json.dumps({"access_token": access, "refresh_token": "refresh-2"}).encode()
    renewal = read_renewal(200, body, old, NOW, key_of("old"))
    assert (renewal.credentials, renewal.ended, renewal.rotated) == (None, "", "refresh-2")


@all_rows("left_out", [None, "", 7, ["x"]])
def test_a_token_that_the_answer_leaves_out_stays_what_it_was(left_out: object) -> None:
    answer = {"access_token": token(exp=int(NOW + HOUR)), "refresh_token": left_out, "id_token": left_out}
    for payload in (answer, {"access_token": answer["access_token"]}):
        renewed = read(200, payload).credentials
        assert renewed is not None
        assert (renewed.refresh, renewed.id_token) == (OLD.refresh, OLD.id_token)


@all_rows(
    ("access", "expires_at"),
    [
        ("opaque", None),
        (token(sub="nobody"), None),
        (token(exp=int(NOW + 1)), NOW + 1),
        (token(exp=True), None),
        ("a.b.c", None),
    ],
    ids=["opaque", "no exp", "exp", "nonsense exp", "no JWT"],
)
def test_the_end_of_a_token_is_what_the_token_says(access: str, expires_at: float | None) -> None:
    renewed = read(200, {"access_token": access}).credentials
    assert renewed is not None
    assert (renewed.access, renewed.expires_at) == (access, expires_at)


@all_rows(
    "payload",
    [
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 5},
    ],
)
def test_a_200_without_an_access_token_is_no_renewal_and_no_verdict(payload: object) -> None:
    assert read(200, payload) == Renewal(detail="200 without access_token")


@all_rows("payload", [[], None, "text", b"", b"<html>", b"\xff\xfe"])
def test_a_200_that_is_no_object_is_not_the_endpoints(payload: object) -> None:
    assert read(200, payload) == Renewal(detail="200, but no JSON")


NO_TOKENS = ["has a space", "two\nlines", "tab\there", "\x00", "nön-ascii", "x" * (LONGEST_TOKEN + 1), "a\x7f"]


@all_rows("access", NO_TOKENS)
def test_an_access_token_that_is_none_is_not_taken(access: str) -> None:
    """What replaced the old refresh token is kept: it is the only one that works now."""
    assert read(200, {"access_token": access, "refresh_token": "refresh-2"}) == Renewal(
        rotated="refresh-2", detail="200 with an access_token that is none"
    )
    assert read(200, {"access_token": access}) == Renewal(detail="200 with an access_token that is none")


@all_rows("refresh", NO_TOKENS)
def test_a_refresh_token_that_is_none_ends_the_renewals(refresh: str) -> None:
    """The old one was traded for it. The new access token is good all the same."""
    renewal = read(200, {"access_token": "access-2", "refresh_token": refresh})
    assert renewal.ended == Ending.UNUSABLE
    assert renewal.credentials is not None
    assert (renewal.credentials.access, renewal.credentials.refresh) == ("access-2", OLD.refresh)
    assert not renewal.credentials.renewable
    assert read(200, {"access_token": "not one", "refresh_token": refresh}).ended == Ending.UNUSABLE


@all_rows("id_token", NO_TOKENS)
def test_an_id_token_that_is_none_is_left_out(id_token: str) -> None:
    renewed = read(200, {"access_token": "access-2", "id_token": id_token}).credentials
    assert renewed is not None
    assert renewed.id_token == OLD.id_token


# --- whose they are --------------------------------------------------------------------------------------------------

OURS = {"chatgpt_account_id": "acct-old", "chatgpt_user_id": "user-old"}


@all_rows("place", ["access_token", "id_token"])
@all_rows(
    ("claims", "another"),
    [
        (OURS, False),
        ({}, False),
        ({"chatgpt_account_id": "acct-old"}, False),
        ({**OURS, "chatgpt_account_id": "acct-x"}, True),
        ({**OURS, "chatgpt_user_id": "user-x"}, True),
        ({"chatgpt_account_id": "acct-x"}, True),
    ],
)
def test_tokens_of_another_account_are_refused(place: str, claims: dict[str, str], another: bool) -> None:
    """Its own refresh token was sent for them, so it is at its end."""
    answer = {"access_token": token(OURS, exp=int(NOW + HOUR)), "refresh_token": "refresh-2", place: token(claims)}
    renewal = read(200, answer)
    assert (renewal.credentials is None, renewal.ended) == (another, Ending.OTHER_ACCOUNT if another else "")
    assert not renewal.rotated


@all_rows(
    ("before", "after", "another"),
    [
        ({"user_id": "u1"}, {"user_id": "u1"}, False),
        ({"user_id": "u1"}, {"user_id": "u2"}, True),
        ({"user_id": "u1"}, {"chatgpt_user_id": "other-name-of-u1"}, False),
        ({"chatgpt_user_id": "u1", "user_id": "x"}, {"user_id": "x"}, False),
        ({"chatgpt_user_id": "u1", "user_id": "x"}, {"chatgpt_user_id": "u1", "user_id": "y"}, False),
        ({"chatgpt_user_id": "u1", "user_id": "x"}, {"chatgpt_user_id": "u2", "user_id": "x"}, True),
    ],
)
def test_users_are_compared_by_the_same_claim(before: dict[str, str], after: dict[str, str], another: bool) -> None:
    old = replace(OLD, access=token(before))
    body = json.dumps({"access_token": token(after)}).encode()
    assert (read_renewal(200, body, old, NOW, "acct-old:u1").ended == Ending.OTHER_ACCOUNT) == another


@all_rows(
    ("key", "another"), [("acct:u1", True), ("acct:u2", False), ("acct:ann@example.com", False), ("acct:acct", False)]
)
def test_a_login_whose_tokens_named_nobody_is_known_by_its_account(key: str, another: bool) -> None:
    """Unless an e-mail or the workspace stands in for the user."""
    body = json.dumps({"access_token": token({"chatgpt_account_id": "acct", "chatgpt_user_id": "u2"})}).encode()
    assert (read_renewal(200, body, OLD, NOW, key).ended == Ending.OTHER_ACCOUNT) == another


@all_rows("exp", [0, -1, -1e300, 1, 1e300, 10**400, "soon", True])
def test_no_end_that_a_new_token_names_has_it_renewed_with_each_request(exp: object) -> None:
    renewed = read(200, {"access_token": token(exp=exp)}).credentials
    assert renewed is not None
    assert not wants_renewal(renewed, NOW)
    assert not wants_renewal(renewed, NOW + 1)


# --- refusals --------------------------------------------------------------------------------------------------------


@all_rows(
    ("status", "payload", "ended"),
    [
        *((401, {"error": {"code": code}}, code) for code in sorted(DEAD)),
        *((400, {"error": code}, code) for code in sorted(DEAD)),
        (403, {"error": {"code": "refresh_token_reused"}}, "refresh_token_reused"),
        (401, {"error": "invalid_grant", "error_description": "words"}, "invalid_grant"),
        (401, {"error": {"type": "refresh_token_reused", "code": None}}, "refresh_token_reused"),
        (401, {"error": {"code": "REFRESH_TOKEN_REUSED"}}, "refresh_token_reused"),
        (400, {"detail": {"code": "refresh_token_reused"}}, "refresh_token_reused"),
        (401, {"error": {"error": {"code": "refresh_token_reused"}}}, "refresh_token_reused"),
        (401, [{"error": {"code": "refresh_token_reused"}}], "refresh_token_reused"),
        (401, {"code": "refresh_token_reused", "message": "words"}, "refresh_token_reused"),
        (200, {"error": {"code": "refresh_token_reused"}}, "refresh_token_reused"),
    ],
)
def test_a_word_of_the_provider_ends_a_refresh_token_for_good(status: int, payload: object, ended: str) -> None:
    assert read(status, payload) == Renewal(ended=ended, detail=f"{status} {ended}")


@all_rows(
    ("status", "payload", "detail"),
    [
        (400, b"", "400 without JSON"),
        (400, {"error": "temporarily_unavailable"}, "400 temporarily_unavailable"),
        (400, {"error": "server_error"}, "400 server_error"),
        (400, {"error": "invalid_client"}, "400 invalid_client"),
        (401, {"error": "unauthorized_client"}, "401 unauthorized_client"),
        (400, {"error": "unsupported_grant_type"}, "400 unsupported_grant_type"),
        (400, {"error": "invalid_request"}, "400 invalid_request"),
        (400, {"error_description": "invalid_grant"}, "400 without a code"),
        (400, b"error=invalid_grant", "400 without JSON"),
        (401, b"<html>refresh_token_expired</html>", "401 without JSON"),
        (401, {"error": {"code": "something_new"}}, "401 something_new"),
        (401, {"error": {"code": None, "message": "refresh_token_expired"}}, "401 without a code"),
        (401, {}, "401 without a code"),
        (403, b"<html>challenge</html>", "403 without JSON"),
        (429, {"error": {"code": "rate_limit_exceeded"}}, "429 rate_limit_exceeded"),
        (500, {"error": {"code": "server_error"}}, "500 server_error"),
        (500, {"error": "invalid_grant"}, "500 invalid_grant"),
        (503, b"", "503 without JSON"),
        (302, b"", "302 without JSON"),
        (204, b"", "204 without JSON"),
        (400, {"error": "temporarily_unavailable", "data": {"cause": "invalid_grant"}}, "400 temporarily_unavailable"),
        (400, {"error": {"code": "server_error", "inner_error": {"code": "token_revoked"}}}, "400 server_error"),
        (429, {"error": {"code": "rate_limit_exceeded"}, "data": ["invalid_grant"]}, "429 rate_limit_exceeded"),
        (500, {"error": {"code": 7}}, "500 without a code"),
        (500, {"error": ["x"]}, "500 without a code"),
        (500, ["x"], "500 without a code"),
        (500, {"error": {"code": "x" * 61}}, "500 without a code"),
    ],
)
def test_every_other_refusal_passes(status: int, payload: object, detail: str) -> None:
    """Whatever its status: a page, trouble of the moment, a fault of the request or the configuration."""
    assert read(status, payload) == Renewal(detail=detail)


SECRETS = planted([OLD])


@all_rows("status", [200, 400, 401, 403, 429, 500])
@all_rows("place", ["message", "error_description", "access_token", "param"])
def test_no_token_in_the_detail_or_in_repr(status: int, place: str) -> None:
    text = " ".join(sorted(SECRETS))
    renewal = read(status, {place: text, "error": {"code": "x", place: text}, "refresh_token": "rt-2-nobody-may-see"})
    assert not [secret for secret in {*SECRETS, "rt-2-nobody-may-see"} if secret in repr(renewal)]


@pytest.mark.parametrize("payload", [{"error": OLD.refresh}, {"error": {"code": f"unknown {OLD.refresh}"}}])
def test_a_token_that_is_echoed_as_the_code_is_not_in_the_detail(payload: dict[str, Any]) -> None:
    assert OLD.refresh not in read(401, payload).detail


def test_an_answer_nested_without_end_is_no_reason_to_raise() -> None:
    assert read(500, b"[" * 200_000) == Renewal(detail="500 without JSON")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "access_token", "refresh_token", "id_token", "x"]), inner, max_size=4
        )
    ),
    max_leaves=6,
)


@given(status=st.integers(100, 599), body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_reading_an_answer_never_raises_and_only_a_200_renews(status: int, body: bytes) -> None:
    renewal = read_renewal(status, body, OLD, NOW, key_of("old"))
    assert renewal.credentials is None or (status == 200 and not renewal.dead)


@given(st.text(max_size=30) | st.from_regex(r"(?a)[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}", fullmatch=True))
@settings(deadline=None)
def test_any_text_that_fits_a_header_may_be_an_access_token(access: str) -> None:
    fits = bool(access) and access.isascii() and access.isprintable() and " " not in access
    assert bool(read(200, {"access_token": access}).credentials) == fits
