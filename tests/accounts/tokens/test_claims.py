"""Claims are read from tokens whose signature we cannot check, so nothing in them may break anything."""

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from accounts.tokens.claims import Claims, read_claims

PROFILE = "https://api.openai.com/profile"
type MakeToken = Callable[..., str]

IDENTITY = {
    "chatgpt_account_id": "acct-1",
    "chatgpt_user_id": "user-1",
    "chatgpt_plan_type": "team",
    "chatgpt_account_is_fedramp": True,
}


def test_everything_an_access_token_says(make_token: MakeToken) -> None:
    """Identity comes from the provider's claim object, the e-mail from the profile, the expiry from `exp`."""
    token = make_token(IDENTITY, exp=1234, **{PROFILE: {"email": "ann@example.com"}})
    assert read_claims(token) == Claims(
        account_id="acct-1",
        user_id="user-1",
        email="ann@example.com",
        plan="team",
        fedramp=True,
        expires_at=1234.0,
    )


def test_the_id_token_completes_the_access_token(make_token: MakeToken) -> None:
    """What the access token leaves out is taken from the id token, but never its expiry."""
    access = make_token({"chatgpt_account_id": "acct-1", "chatgpt_plan_type": "pro"})
    identity = make_token({**IDENTITY, "chatgpt_account_id": "other"}, email="ann@example.com", exp=99)
    claims = read_claims(access, identity)
    assert claims == Claims(account_id="acct-1", user_id="user-1", email="ann@example.com", plan="pro", fedramp=True)


@pytest.mark.parametrize(
    ("auth", "beside", "user"),
    [
        ({"chatgpt_user_id": "a", "user_id": "b"}, {"sub": "c"}, "a"),
        ({"user_id": "b"}, {"sub": "c"}, "b"),
        ({}, {"sub": "c"}, "c"),
        ({}, {}, ""),
    ],
)
def test_the_names_of_a_user(make_token: MakeToken, auth: dict[str, Any], beside: dict[str, Any], user: str) -> None:
    """A user id has had three names; the most specific wins."""
    claims = read_claims(make_token(auth, **beside))
    assert claims is not None
    assert claims.user_id == user


@pytest.mark.parametrize("token", ["", "opaque", "at-opaque", "a.b.c", "a.b.c.d", "ü.ü.ü", "..", "\ud800.a.b"])
def test_what_is_not_a_jwt(token: str) -> None:
    """An opaque token says nothing, and is no error."""
    assert read_claims(token) is None


def test_an_opaque_access_token_beside_an_id_token(make_token: MakeToken) -> None:
    """The identity is then known, the expiry is not."""
    assert read_claims("at-opaque", make_token(IDENTITY, exp=5)) == Claims(
        account_id="acct-1", user_id="user-1", plan="team", fedramp=True
    )


@pytest.mark.parametrize("odd", [None, 5, [], "text", {"chatgpt_account_id": 7, "chatgpt_account_is_fedramp": "yes"}])
def test_odd_shapes_count_as_absent(odd: object) -> None:
    """A claim of the wrong type is as good as none."""
    payload = {"https://api.openai.com/auth": odd, PROFILE: odd, "exp": "soon"}
    token = jwt.encode(payload, "a test signs with a key that is long enough")
    assert read_claims(token) == Claims()


@pytest.mark.parametrize("exp", [True, "5", None, float("inf"), float("nan"), 10**400, [5], 0, -5, -1e300])
def test_an_expiry_that_is_no_time(make_token: MakeToken, exp: object) -> None:
    """Only a finite number after the epoch is an expiry. In the pool 0 says that a token was refused."""
    claims = read_claims(make_token({}, exp=exp))
    assert claims is not None
    assert claims.expires_at is None


def test_control_characters_never_reach_a_terminal(make_token: MakeToken) -> None:
    """An e-mail that would drive the terminal is dropped."""
    claims = read_claims(make_token({"chatgpt_plan_type": "pro\n"}, email="\x1b[31mann@example.com"))
    assert claims == Claims()


def test_the_signature_is_not_looked_at(make_token: MakeToken) -> None:
    """Nobody here can check it, so whatever stands in its place does no harm."""
    unsigned = make_token({"chatgpt_account_id": "acct-1"}).rpartition(".")[0]
    for signature in ("", "x", "sig"):
        claims = read_claims(f"{unsigned}.{signature}")
        assert claims is not None
        assert claims.account_id == "acct-1"
