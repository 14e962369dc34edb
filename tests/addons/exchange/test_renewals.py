"""What requests and the upkeep get of renewals: a refused token is sent once, others later, the account serves on."""

import asyncio
import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.selection import Ask
from accounts.model import Standing
from accounts.store.store import Store
from accounts.tokens import send_gap
from accounts.tokens.endings import Ending
from accounts.tokens.lifetime import FOR_REQUEST
from accounts.tokens.renewal_queue import RenewalWait
from accounts.tokens.schedule import FIRST_ASIDE, LAST_RETRY, SOON
from accounts.tokens.sent_marks import LAST_CHANCE
from accounts.turn.events import NotRenewed, Renewed
from accounts.turn.steps import Renew
from addons.attempts.protocol import Send, Signal
from addons.exchange import renewals
from addons.exchange.pooled import PooledRequest
from addons.exchange.service import PoolService
from addons.redaction import flows
from config.times.local_time import clock_time
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of, lease_of, token

A = key_of("a")
LEFT = FOR_REQUEST - 60
"""Seconds for which the token of account a is good, and due to be renewed."""
WAIT = 10.0


class Endpoint:
    """The token endpoint: says the same until it is told otherwise, and counts what was sent."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.status, self.body = 200, b""
        self.sent: Counter[str] = Counter()
        self.before: Callable[[], object] = lambda: None

    def __call__(self, url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        leaving()
        self.sent[body["refresh_token"]] += 1
        self.before()
        if self.status == 200 and not self.body:
            access = token({"chatgpt_account_id": "acct-a"}, exp=int(self.clock() + HOUR), jti=sum(self.sent.values()))
            return 200, json.dumps({"access_token": access, "refresh_token": f"{body['refresh_token']}+"}).encode()
        return self.status, self.body

    def says(self, status: int, content: object) -> None:
        self.status, self.body = status, content if isinstance(content, bytes) else json.dumps(content).encode()


@pytest.fixture(autouse=True)
def no_gap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(send_gap, "SEND_GAP", 0.0)
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint(clock: Clock) -> Endpoint:
    return Endpoint(clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A pool of two accounts: a's token is due, b's lasts."""
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        store.put_account(account("a"), credentials("a", expires_at=NOW + LEFT, own=True)).result()
        store.put_account(account("b"), credentials("b", expires_at=NOW + 100 * HOUR, own=True)).result()
    return path


@pytest.fixture
def no_room() -> Callable[[], AbstractContextManager[None]]:
    """While it lasts no file grows: what a full disk is, for this process."""
    resource = pytest.importorskip("resource", reason="a limit to the size of files is a POSIX matter")

    @contextmanager
    def limited() -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited


@pytest.fixture
def service(path: Path, clock: Clock, endpoint: Endpoint) -> Iterator[PoolService]:
    opened = PoolService(path, clock, endpoint)
    yield opened
    opened.close()


async def renewed(service: PoolService, *, ahead: bool = True) -> Renewed | NotRenewed:
    """A request on account a asks for a newer token."""
    service.sync(at_once=True)
    lease = service.pool.lease_of(A, service.clock())
    assert lease is not None
    told = await service.renewals.for_turn(Renew(lease, ahead))
    assert isinstance(told, Renewed | NotRenewed)
    return told


def stored(service: PoolService) -> tuple[Standing, str]:
    seat = next(each for each in service.store.accounts() if each.key == A)
    return seat.standing, seat.standing_reason


def happened(service: PoolService, kind: str) -> list[str]:
    service.store.flush()
    return [event.detail for event in service.store.events(99) if event.kind == kind]


# --- a refused refresh token -----------------------------------------------------------------------------------------


async def test_a_refused_token_is_sent_once_whoever_asks_and_the_account_serves_until_its_end(
    path: Path, clock: Clock, endpoint: Endpoint, service: PoolService, caplog: pytest.LogCaptureFixture
) -> None:
    """With each request, in the upkeep, in another proxy that shares the pool, and after a restart."""
    endpoint.says(401, {"error": {"code": "refresh_token_reused"}})
    assert isinstance(await renewed(service), NotRenewed)
    lease = lease_of(service.pool, "a")
    assert not lease.wants_refresh(clock())
    assert lease.credentials.ended == "refresh_token_reused"
    for _ in range(3):
        await renewed(service)
        await service.keep()
    other = PoolService(path, clock, endpoint)
    await other.keep()
    await renewed(other)
    other.close()
    assert sum(endpoint.sent.values()) == 1
    assert stored(service) == (Standing.GOOD, "")
    assert happened(service, "renewal_ended") == ["401 refresh_token_reused"]
    until = clock_time(NOW + LEFT, NOW)
    assert caplog.text.count(f"It serves until {until}, then needs a login") == 1


async def test_at_the_end_of_its_token_such_an_account_needs_a_login_and_the_others_are_not_blamed(
    clock: Clock, endpoint: Endpoint, service: PoolService, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.says(400, {"error": "invalid_grant"})
    await renewed(service)
    clock.advance(LEFT)
    assert not await service.keep()
    assert stored(service) == (Standing.NEEDS_LOGIN, "invalid_grant")
    assert service.pool.candidates[A].account.standing is Standing.NEEDS_LOGIN
    assert happened(service, "login_ended") == ["the provider said invalid_grant"]
    assert "a was signed out by the provider. Run `codex-rotate login`" in caplog.text
    assert not service.pool.alarm.on(clock())
    assert sum(endpoint.sent.values()) == 1


async def test_a_request_that_comes_before_the_upkeep_marks_it_too(
    clock: Clock, endpoint: Endpoint, service: PoolService
) -> None:
    endpoint.says(400, {"error": "invalid_grant"})
    await renewed(service)
    clock.advance(LEFT)
    told = await renewed(service)
    assert isinstance(told, NotRenewed)
    assert told.outcome.kind is Kind.REFRESH_FAILED
    assert stored(service) == (Standing.NEEDS_LOGIN, "invalid_grant")
    assert sum(endpoint.sent.values()) == 1


@pytest.mark.parametrize("before", ["", "invalid_grant"])
async def test_when_the_token_is_refused_too_the_account_is_signed_out(
    endpoint: Endpoint, service: PoolService, before: str
) -> None:
    """Whether the refusal of its refresh token is news or not."""
    endpoint.says(400, {"error": "invalid_grant"})
    if before:
        await renewed(service)
    told = await renewed(service, ahead=False)
    assert isinstance(told, NotRenewed)
    assert told.outcome.kind is Kind.TOKEN_INVALIDATED
    service.pool.report(lease_of(service.pool, "a"), told.outcome, NOW)
    service.store.flush()
    assert stored(service) == (Standing.NEEDS_LOGIN, "invalid_grant")


async def test_what_we_did_ourselves_is_not_called_signed_out(
    clock: Clock, endpoint: Endpoint, service: PoolService, caplog: pytest.LogCaptureFixture
) -> None:
    def lost() -> None:
        raise OSError("ReadTimeout")

    endpoint.before = lost
    first = await renewed(service, ahead=False)
    assert isinstance(first, NotRenewed)
    assert stored(service) == (Standing.GOOD, "")
    clock.advance(LAST_CHANCE)
    told = await renewed(service, ahead=False)
    assert endpoint.sent == {credentials("a").refresh: 2}
    assert isinstance(told, NotRenewed)
    assert told.outcome.kind is Kind.REFRESH_FAILED
    assert stored(service) == (Standing.NEEDS_LOGIN, Ending.CUT_OFF)
    assert "signed out" not in caplog.text
    assert "a needs a login: the answer to its last renewal was lost." in caplog.text


async def test_tokens_of_another_account_are_refused_and_said(
    endpoint: Endpoint, service: PoolService, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint.says(200, {"access_token": token({"chatgpt_account_id": "acct-x"}), "refresh_token": "another"})
    for _ in range(2):
        await renewed(service)
    found = service.store.credentials(A)
    assert found == credentials("a", expires_at=NOW + LEFT, own=True, ended=Ending.OTHER_ACCOUNT)
    assert sum(endpoint.sent.values()) == 1
    assert happened(service, "renewal_ended") == ["200 with tokens of another account"]
    assert "its renewal brought tokens of another account" in caplog.text


@pytest.mark.parametrize("status", [400, 503, 200])
async def test_an_account_that_was_removed_meanwhile_is_nobody_s_trouble(
    endpoint: Endpoint, service: PoolService, path: Path, status: int
) -> None:
    def removed() -> None:
        with Store(path) as other:
            other.remove_account(A).result()

    endpoint.before = removed
    if status != 200:
        endpoint.says(status, {"error": "invalid_grant"})
    assert isinstance(await renewed(service), NotRenewed)
    service.sync(at_once=True)
    assert A not in service.pool.candidates
    assert not await service.keep()


# --- everything else -------------------------------------------------------------------------------------------------

TROUBLES = [
    (401, b"<html>refresh_token_expired</html>"),
    (400, {"error": "temporarily_unavailable"}),
    (400, {"error": "server_error"}),
    (400, {"error": "invalid_client"}),
    (400, b""),
    (503, b""),
    (200, b"<html>"),
    (200, {"access_token": "two\nlines"}),
]


@pytest.mark.parametrize(("status", "content"), TROUBLES)
async def test_trouble_with_the_endpoint_is_tried_later_and_marks_nobody(
    clock: Clock, endpoint: Endpoint, service: PoolService, status: int, content: object
) -> None:
    """Not with each request; in time, with the same token, which then works."""
    endpoint.says(status, content)
    for _ in range(3):
        told = await renewed(service)
        assert isinstance(told, NotRenewed)
        assert told.outcome.kind is Kind.REFRESH_FAILED
        await service.keep()
    assert sum(endpoint.sent.values()) == 1
    assert stored(service) == (Standing.GOOD, "")
    endpoint.says(200, b"")
    clock.advance(30)
    assert await service.keep()
    assert lease_of(service.pool, "a").credentials.refresh == credentials("a").refresh + "+"


async def test_an_account_that_cannot_serve_without_is_tried_again_soon(
    clock: Clock, endpoint: Endpoint, service: PoolService
) -> None:
    endpoint.says(503, b"")
    clock.advance(LEFT)
    for _ in range(9):
        await renewed(service)
        clock.advance(SOON)
    assert sum(endpoint.sent.values()) == 9
    endpoint.says(200, b"")
    assert isinstance(await renewed(service), Renewed)


async def test_on_a_full_disk_no_token_leaves_the_account_serves_until_its_end_and_it_is_said(
    clock: Clock,
    endpoint: Endpoint,
    service: PoolService,
    no_room: Callable[[], AbstractContextManager[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What its token would buy could not be kept, nor even that it was sent."""
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    service.pool.enter(lease_of(service.pool, "b"), NOW)
    exchange = PooledRequest(service, flow, flows.FlowRedactor(), Ask(thread="t", pin=A))
    with no_room():
        assert exchange.start() is Signal.AWAIT
        await exchange.decide()
        sent = exchange.decided()
        clock.advance(LEFT)
        over = await renewed(service)
    assert isinstance(sent, Send)
    assert sent.request.headers["authorization"] == f"Bearer {credentials('a').access}"
    assert isinstance(over, NotRenewed)
    assert over.outcome.kind is Kind.REFRESH_FAILED
    assert not endpoint.sent
    assert "no new token for a: " in caplog.text
    assert "that the disk has room" in caplog.text
    assert stored(service) == (Standing.GOOD, "")
    clock.advance(SOON)
    assert isinstance(await renewed(service), Renewed)
    assert set(endpoint.sent.values()) == {1}


async def test_the_pauses_of_the_upkeep_grow_up_to_half_an_hour(
    clock: Clock, endpoint: Endpoint, service: PoolService
) -> None:
    endpoint.says(503, b"")
    for _ in range(24 * 60):
        clock.advance(60)
        await service.keep()
    assert 48 <= sum(endpoint.sent.values()) <= 120
    assert LAST_RETRY == HOUR / 2


# --- refused again ---------------------------------------------------------------------------------------------------


async def test_an_account_whose_renewed_token_is_refused_is_set_aside(
    clock: Clock, endpoint: Endpoint, service: PoolService
) -> None:
    """One renewal, then none until the time is over."""
    assert isinstance(await renewed(service, ahead=False), Renewed)
    clock.advance(61)
    told = await renewed(service, ahead=False)
    assert isinstance(told, NotRenewed)
    assert (told.outcome.kind, told.outcome.until) == (Kind.TOKEN_EXPIRED, clock() + FIRST_ASIDE)
    assert sum(endpoint.sent.values()) == 1
    assert stored(service) == (Standing.GOOD, "")


# --- the queue -------------------------------------------------------------------------------------------------------


async def test_a_request_waits_for_what_another_one_has_asked_for_and_not_for_ever(
    endpoint: Endpoint, service: PoolService, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes when the endpoint has been silent for as long as one waits, goes to another account at once."""
    asked, go = threading.Event(), threading.Event()

    def slow() -> None:
        asked.set()
        assert go.wait(WAIT)

    endpoint.before = slow
    first = asyncio.ensure_future(renewed(service))
    assert await asyncio.to_thread(asked.wait, WAIT)
    assert service.renewal_wait(A) == RenewalWait(under_way=True, sent_for=0.0)
    clock.advance(renewals.PATIENCE)
    told = await renewed(service)
    assert isinstance(told, NotRenewed)
    assert "has not answered yet" in told.outcome.detail
    go.set()
    assert isinstance(await first, Renewed)
    assert sum(endpoint.sent.values()) == 1
    assert service.renewal_wait(A).usual == renewals.PATIENCE


async def test_a_login_renewed_elsewhere_is_taken_without_asking(endpoint: Endpoint, service: PoolService) -> None:
    lease = service.pool.lease_of(A, NOW)
    assert lease is not None
    newer = credentials("newer", expires_at=NOW + HOUR, own=True)
    service.store.save_credentials(A, newer, replaces=credentials("a").refresh).result()
    told = await service.renewals.for_turn(Renew(replace(lease), ahead=True))
    assert told == Renewed(newer)
    assert not endpoint.sent


def test_no_token_is_in_the_log(caplog: pytest.LogCaptureFixture, endpoint: Endpoint, service: PoolService) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint.says(400, {"error": credentials("a").refresh, "error_description": credentials("a").refresh})
    asyncio.run(renewed(service))
    service.store.flush()
    assert "nobody-may-see" not in caplog.text + repr(service.store.events(99))


# --- a clock that is set ahead and back -------------------------------------------------------------------------------

MONTH = 30 * 24 * HOUR


class TrueTime(Endpoint):
    """Tokens say when they were issued and end by the provider's own clock, which nobody sets."""

    def __call__(self, url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        leaving()
        self.sent[body["refresh_token"]] += 1
        times = {"iat": int(NOW), "exp": int(NOW + 10 * HOUR), "jti": sum(self.sent.values())}
        access = token({"chatgpt_account_id": "acct-a"}, **times)
        return 200, json.dumps({"access_token": access, "refresh_token": f"{body['refresh_token']}+"}).encode()


async def test_while_the_clock_is_ahead_an_account_is_renewed_once_and_is_well_when_it_is_back(
    path: Path, clock: Clock
) -> None:
    endpoint = TrueTime(clock)
    service = PoolService(path, clock, endpoint)
    clock.advance(MONTH)
    service.clock_was_set()
    assert isinstance(await renewed(service), Renewed)
    for _ in range(5):
        clock.advance(600)
        lease = service.pool.lease_of(A, clock())
        assert lease is not None
        assert not lease.wants_refresh(clock())
    assert sum(endpoint.sent.values()) == 1
    service.pool.report(lease, Outcome(kind=Kind.USAGE_LIMIT, until=clock() + HOUR), clock())
    clock.advance(-MONTH - 3000)
    service.clock_was_set()
    service.store.flush()  # what it has learned is on the disk when another one opens it
    for opened in (service, PoolService(path, clock, endpoint)):
        lease = opened.pool.lease_of(A, clock())
        assert lease is not None
        assert not lease.wants_refresh(clock())
        rest = opened.pool.candidates[A].cooldown
        assert rest is not None
        assert 0 < rest.until - clock() <= HOUR
        opened.close()


async def test_a_failed_renewal_of_a_time_to_come_is_tried_again(
    clock: Clock, endpoint: Endpoint, service: PoolService
) -> None:
    clock.advance(MONTH)
    service.clock_was_set()
    endpoint.says(503, {})
    assert isinstance(await renewed(service), NotRenewed)
    clock.advance(-MONTH)
    service.clock_was_set()
    endpoint.says(200, b"")
    assert isinstance(await renewed(service), Renewed)
