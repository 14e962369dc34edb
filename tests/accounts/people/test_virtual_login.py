"""A made-up login has the shape of a real one, bears a key, and is told from every other at a glance."""

import base64
import json
from typing import Any

import pytest

from accounts.people.keys import new_secret
from accounts.people.virtual_login import ISSUER, is_virtual, key_in, login_document
from accounts.tokens.claims import read_claims
from tests.builders import NOW

SECRET = new_secret()
DOCUMENT = login_document("ann", SECRET, NOW)
ACCESS = f"Bearer {DOCUMENT['tokens']['access_token']}"


def test_its_access_token_bears_the_key() -> None:
    assert is_virtual(ACCESS)
    assert key_in(ACCESS) == SECRET


def test_no_other_part_of_it_does() -> None:
    tokens = dict(DOCUMENT["tokens"])
    tokens.pop("access_token")
    assert SECRET not in json.dumps({**DOCUMENT, "tokens": tokens})
    assert key_in(f"Bearer {tokens['id_token']}") == ""
    assert is_virtual(f"Bearer {tokens['id_token']}")


def test_its_claims_are_those_of_a_login() -> None:
    claims = read_claims(DOCUMENT["tokens"]["access_token"])
    assert claims is not None
    assert claims.account_id == DOCUMENT["tokens"]["account_id"]


def test_everybody_has_an_account_of_their_own_and_keeps_it() -> None:
    accounts = [login_document(name, new_secret(), NOW)["tokens"]["account_id"] for name in ("ann", "bob", "ann")]
    assert accounts[0] == accounts[2] != accounts[1]


def changed(**claims: Any) -> str:
    head, body, seal = ACCESS.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    body = base64.urlsafe_b64encode(json.dumps({**said, **claims}, separators=(",", ":")).encode()).decode().rstrip("=")
    return f"{head}.{body}.{seal}"


@pytest.mark.parametrize(
    "authorization",
    [
        changed(email="bob@example.com"),
        changed(jti="another"),
        changed(jti=None),
        ACCESS[:-1],
        ACCESS[:40],
        f"{ACCESS}x",
    ],
)
def test_one_that_was_changed_bears_nothing_and_is_known_for_one_of_ours(authorization: str) -> None:
    assert key_in(authorization) == ""
    assert is_virtual(authorization) or len(authorization) < 60


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer a.b.c", "Basic x", "Bearer sk-1", "Bearer é.é.é"])
def test_what_is_none_is_none(authorization: str) -> None:
    assert not is_virtual(authorization)
    assert key_in(authorization) == ""


def test_it_names_an_issuer_that_cannot_exist() -> None:
    assert ISSUER.endswith(".invalid")
