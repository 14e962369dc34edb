"""A login of ours is its client's key; what it asks beside the model is answered here, and nothing of it leaves."""

import json
from collections.abc import Iterator

import pytest

from accounts.people.keys import ClientKey, new_secret
from accounts.people.people import Person
from accounts.people.virtual_login import PREFIX, login_document
from config import clock
from tests.proxy.clients import Headers, http1, turn_over
from tests.proxy.conftest import Bench

ONE_HTTP = True

SECRET = new_secret()


@pytest.fixture
def login(bench: Bench) -> Iterator[Headers]:
    """The headers of a client with ann's login."""
    now = clock.now()
    tokens = login_document("ann", SECRET, now)["tokens"]
    bench.store.people.put(Person(name="ann", added_at=now)).result()
    bench.store.people.put_key(ClientKey(name="ann-login", digest="", person="ann", created_at=now), SECRET).result()
    yield bench.headers(authorization=f"Bearer {tokens['access_token']}", chatgpt_account_id=tokens["account_id"])
    bench.store.people.remove("ann").result()


@pytest.mark.parametrize("version", ["h1", "h2", "ws"])
def test_turns_are_served_without_another_key(bench: Bench, login: Headers, version: str) -> None:
    got = turn_over(version, bench.proxy, login)
    assert (got.completed, got.text) == (True, bench.first.answer)
    assert bench.served_by() == ["first"]
    assert PREFIX not in str([each.headers for each in bench.seen()])
    assert SECRET not in str([each.headers for each in bench.seen()])


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("wham/accounts/check", "NO_CONSTRAINT"),
        ("wham/config/bundle", "{}"),
        ("wham/settings/user", "{}"),
        ("wham/usage", "rate_limit"),
    ],
)
def test_what_the_client_needs_is_answered_here(bench: Bench, login: Headers, path: str, shown: str) -> None:
    with http1(bench.proxy) as client:
        answer = client.get(f"/backend-api/{path}", headers=login)
    assert answer.status_code == 200
    assert shown in answer.text
    assert login["chatgpt-account-id"] in answer.text or shown == "{}"
    assert bench.seen() == ()


@pytest.mark.parametrize("path", ["/backend-api/me", "/backend-api/ps/plugins", "/", "/backend-api/wham/usage/other"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_there_is_not_is_said_so(bench: Bench, login: Headers, path: str, method: str) -> None:
    with http1(bench.proxy) as client:
        answer = client.request(method, path, headers=login)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "codex_rotate_virtual_login"
    assert bench.seen() == ()


def test_one_that_was_taken_back_is_refused(bench: Bench, login: Headers) -> None:
    bench.store.remove_client_key("ann-login").result()
    got = turn_over("h1", bench.proxy, login)
    assert (got.status, json.loads(got.body)["error"]["type"]) == (400, "codex_rotate_key_removed")
    assert bench.seen() == ()


def test_one_that_was_changed_is_refused(bench: Bench, login: Headers) -> None:
    got = turn_over("h1", bench.proxy, login | {"authorization": login["authorization"][:-4] + "AAAA"})
    assert (got.status, json.loads(got.body)["error"]["type"]) == (400, "codex_rotate_key_unknown")
    assert bench.seen() == ()
