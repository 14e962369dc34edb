"""What is sent to the token endpoint, and what its answers mean."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.model import Credentials
from accounts.tokens.oauth import CLIENT_ID, PERMANENT, Renewal, read_renewal, refresh_body, token_url
from config.provider import PROVIDER
from tests.builders import HOUR, NOW, credentials, planted, token

OLD = credentials("old", id_token="id-token-of-old-nobody-may-see", expires_at=NOW - 5, refreshed_at=NOW - HOUR)


def read(status: int, payload: object) -> Renewal:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return read_renewal(status, body, OLD, NOW)


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


@pytest.mark.parametrize("left_out", [None, "", 7, ["x"]])
def test_a_token_that_the_answer_leaves_out_stays_what_it_was(left_out: object) -> None:
    answer = {"access_token": token(exp=int(NOW + HOUR)), "refresh_token": left_out, "id_token": left_out}
    for payload in (answer, {"access_token": answer["access_token"]}):
        renewed = read(200, payload).credentials
        assert renewed is not None
        assert (renewed.refresh, renewed.id_token) == (OLD.refresh, OLD.id_token)


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        None,
        "text",
        b"",
        b"<html>",
        b"\xff\xfe",
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 5},
        {"refresh_token": "refresh-2"},
    ],
)
def test_a_200_without_an_access_token_is_no_renewal_and_no_verdict(payload: object) -> None:
    assert read(200, payload) == Renewal(detail="200 without access_token")


@pytest.mark.parametrize(
    ("status", "payload", "dead", "detail"),
    [
        *((401, {"error": {"code": code}}, True, f"401 {code}") for code in sorted(PERMANENT)),
        *((403, {"error": {"code": code}}, True, f"403 {code}") for code in sorted(PERMANENT)),
        (400, {"error": "invalid_grant"}, True, "400 invalid_grant"),
        (400, b"", True, "400"),
        (401, {"error": {"code": "something_new"}}, True, "401 something_new"),
        (401, {}, True, "401"),
        (403, b"<html>challenge</html>", False, "403"),
        (404, {}, False, "404"),
        (408, {}, False, "408"),
        (429, {"error": {"code": "rate_limit_exceeded"}}, False, "429 rate_limit_exceeded"),
        (500, {"error": {"code": "server_error"}}, False, "500 server_error"),
        (503, b"", False, "503"),
        (302, b"", False, "302"),
        (204, b"", False, "204"),
        (500, {"error": {"code": 7}}, False, "500"),
        (500, {"error": ["x"]}, False, "500"),
        (500, ["x"], False, "500"),
        (500, {"error": {"code": "x" * 61}}, False, "500"),
    ],
)
def test_which_answers_end_a_refresh_token_for_good(status: int, payload: object, dead: bool, detail: str) -> None:
    assert read(status, payload) == Renewal(dead=dead, detail=detail)


SECRETS = planted([OLD])


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("place", ["message", "error_description", "access_token", "param"])
def test_no_token_in_the_detail_or_in_repr(status: int, place: str) -> None:
    text = " ".join(sorted(SECRETS))
    renewal = read(status, {place: text, "error": {"code": "x", place: text}, "refresh_token": "rt-2-nobody-may-see"})
    assert not [secret for secret in {*SECRETS, "rt-2-nobody-may-see"} if secret in repr(renewal)]


@pytest.mark.parametrize("payload", [{"error": OLD.refresh}, {"error": {"code": f"unknown {OLD.refresh}"}}])
def test_a_token_that_is_echoed_as_the_code_is_not_in_the_detail(payload: dict[str, Any]) -> None:
    assert OLD.refresh not in read(401, payload).detail


def test_an_answer_nested_without_end_is_no_reason_to_raise() -> None:
    assert read(500, b"[" * 200_000) == Renewal(detail="500")


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
    renewal = read_renewal(status, body, OLD, NOW)
    assert renewal.credentials is None or (status == 200 and not renewal.dead)


@given(st.text(max_size=30) | st.from_regex(r"(?a)[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}", fullmatch=True))
@settings(deadline=None)
def test_any_text_may_be_an_access_token(access: str) -> None:
    assert bool(read(200, {"access_token": access}).credentials) == bool(access)
