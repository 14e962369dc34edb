"""The upgrade for a further socket: the client's own with another account's credentials, and what its answer means."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mitmproxy import http

from accounts.choice.outcomes import Kind
from accounts.store.store import Store
from addons.attempts.protocol import Loss
from addons.exchange.credentials import TURN_STATE, OffItsRoute
from addons.exchange.service import PoolService
from addons.exchange.sockets.upgrades import MOST_BYTES, Upgrades
from addons.redaction.flows import FlowRedactor
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of, lease_of

A, B = key_of("a"), key_of("b")
CLIENT = "Bearer of-the-client-nobody-may-see"
FIELDS = {
    "host": "chatgpt.com",
    "authorization": CLIENT,
    "chatgpt-account-id": "acct-of-the-client",
    "upgrade": "websocket",
    "connection": "Upgrade",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    "sec-websocket-extensions": "permessage-deflate",
    "thread-id": "t",
    "cookie": "own=1",
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[PoolService]:
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name, expires_at=NOW + HOUR)).result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("asked for new tokens")

    opened = PoolService(path, Clock(), nobody)
    yield opened
    opened.close()


def asking(service: PoolService, **more: str) -> Upgrades:
    """For a client's socket, whose flow shows no secret any more."""
    fields = FIELDS | {name.replace("_", "-"): value for name, value in more.items()}
    request = http.Request.make("GET", "https://chatgpt.com/backend-api/codex/responses", b"", fields)
    shown = FlowRedactor()
    shown.request_head(request)
    assert CLIENT not in str(request.headers)
    return Upgrades(service, request, shown)


def answered(service: PoolService, response: http.Response, *body: bytes) -> Upgrades:
    upgrades = asking(service)
    lease = lease_of(service.pool, "b")
    upgrades.ask(lease)
    upgrades.head(lease, response)
    for each in body:
        upgrades.more(each)
    return upgrades


# --- the request -----------------------------------------------------------------------------------------------------


def test_it_is_the_clients_upgrade_with_the_accounts_credentials(service: PoolService) -> None:
    step = asking(service).ask(lease_of(service.pool, "b"))
    assert step.key == B
    sent = {name: value for name, value in step.request.headers.items() if name != "content-length"}
    assert sent == FIELDS | {
        "authorization": f"Bearer {credentials('b').access}",
        "chatgpt-account-id": "acct-b",
    }
    assert (step.request.method, step.request.path, step.request.scheme) == (
        "GET",
        "/backend-api/codex/responses",
        "https",
    )


@pytest.mark.parametrize(("name", "there"), [("a", True), ("b", False)])
def test_a_turn_state_goes_only_to_the_account_that_has_issued_it(service: PoolService, name: str, there: bool) -> None:
    service.given.states.issued("state-of-a", A)
    step = asking(service, **{TURN_STATE: "state-of-a"}).ask(lease_of(service.pool, name))
    assert (TURN_STATE in step.request.headers) is there


def test_cookies_of_one_account_do_not_go_to_another(service: PoolService) -> None:
    upgrades, a, b = asking(service), lease_of(service.pool, "a"), lease_of(service.pool, "b")
    upgrades.head(a, http.Response.make(101, b"", {"set-cookie": "__cf_bm=of-a; Path=/; Secure"}))
    assert "of-a" not in upgrades.ask(b).request.headers["cookie"]
    assert "of-a" in upgrades.ask(a).request.headers["cookie"]


def test_every_upgrade_begins_from_the_clients_own(service: PoolService) -> None:
    upgrades = asking(service)
    first, second = (upgrades.ask(lease_of(service.pool, name)) for name in "ab")
    assert first.request is not second.request
    assert [each.request.headers["chatgpt-account-id"] for each in (first, second)] == ["acct-a", "acct-b"]
    assert credentials("a").access not in str(upgrades.request.headers)


def test_what_was_led_off_its_route_bears_no_account_s_token(service: PoolService) -> None:
    upgrades = asking(service)
    upgrades.request.host = "elsewhere.test"
    with pytest.raises(OffItsRoute):
        upgrades.ask(lease_of(service.pool, "b"))


# --- the answer ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "fields", "body", "kind"),
    [
        (429, {}, b'{"error":{"type":"usage_limit_reached","resets_in_seconds":60}}', Kind.USAGE_LIMIT),
        (429, {}, b"", Kind.BURST_LIMIT),
        (401, {}, b"", Kind.TOKEN_EXPIRED),
        (401, {}, b'{"error":{"code":"token_invalidated"}}', Kind.TOKEN_INVALIDATED),
        (403, {}, b'{"detail":"no"}', Kind.FORBIDDEN),
        (403, {"content-type": "text/html"}, b"<html>", Kind.CHALLENGE),
        (426, {}, b"", Kind.UPGRADE_REFUSED),
        (500, {}, b"oh", Kind.SERVER_ERROR),
        (200, {"content-type": "text/html"}, b"<html>", Kind.NO_ANSWER),
        (200, {}, b'{"errors":[{"type":"usage_limit_reached"}]}', Kind.USAGE_LIMIT),
        (200, {}, b'{"status":"ok"}', Kind.NO_ANSWER),
        (302, {"location": "/"}, b"", Kind.NO_ANSWER),
    ],
)
def test_a_refusal_means_what_it_means_over_http(
    service: PoolService, status: int, fields: dict[str, str], body: bytes, kind: Kind
) -> None:
    upgrades = answered(service, http.Response.make(status, b"", fields), body[:10], body[10:])
    assert upgrades.refusal().kind is kind
    words = upgrades.words()
    assert words is not None
    assert (words.status_code, words.raw_content) == (status if status >= 400 else 502, body)


def test_of_a_large_refusal_no_more_than_its_beginning_is_kept(service: PoolService) -> None:
    upgrades = answered(service, http.Response.make(500), *[b"x" * 10_000] * 100)
    assert len(upgrades.body) < MOST_BYTES + 10_000


def test_the_words_of_one_refusal_are_not_those_of_the_next_upgrade(service: PoolService) -> None:
    upgrades = answered(service, http.Response.make(500), b"oh")
    upgrades.ask(lease_of(service.pool, "a"))
    assert upgrades.words() is None
    upgrades.head(lease_of(service.pool, "a"), http.Response.make(503))
    upgrades.more(b"no")
    words = upgrades.words()
    assert words is not None
    assert (words.status_code, words.raw_content) == (503, b"no")


@pytest.mark.parametrize(
    ("loss", "kind"),
    [
        (Loss.CONNECT, Kind.CONNECT_FAILED),
        (Loss.PROXY, Kind.PROXY_FAILED),
        (Loss.SCARCE, Kind.NO_DESCRIPTORS),
        (Loss.BROKEN, Kind.RESET),
        (Loss.STALE, Kind.STALE),
    ],
)
def test_a_loss_is_told_in_its_words(service: PoolService, loss: Loss, kind: Kind) -> None:
    outcome = asking(service).lost(loss, "no way" * 100)
    assert (outcome.kind, len(outcome.detail)) == (kind, 200)
