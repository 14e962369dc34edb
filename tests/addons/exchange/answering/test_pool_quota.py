"""What the client is told of limits, as the pool is at that moment; the real proxy: tests/proxy/test_show_pool.py."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.quota import MAIN
from accounts.choice.selection import Ask
from accounts.people.keys import ClientKey
from accounts.people.people import Person
from accounts.store.store import Store
from addons.exchange.answering.pool_quota import MOST_HELD, HeldWindows, PoolQuota
from addons.exchange.pooled import PooledRequest
from addons.exchange.service import PoolService
from addons.redaction import flows
from addons.wire.events import RATE_LIMITS
from tests.addons.exchange.sockets.talking import COMPLETED, CREATE, CREATED, upgrade
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of, window

SPENT = {"primary": {"used_percent": 99.5, "window_minutes": 300, "reset_at": NOW + 60}, "secondary": None}
TOLD = json.dumps({"type": RATE_LIMITS, "rate_limits": SPENT}).encode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Iterator[PoolService]:
    """Account a is all but spent, b is half. Ann may use a only."""
    path = tmp_path / "rotate" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name), credentials(name, expires_at=NOW + HOUR)).result()
        store.people.put(Person(name="ann", accounts=(key_of("a"),), added_at=NOW)).result()
        store.people.put_key(ClientKey(name="ann-key", digest="", person="ann", created_at=NOW), "a secret").result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("asked for new tokens")

    service = PoolService(path, clock, nobody)
    service.pool.observed(key_of("a"), (window(99.5),))
    service.pool.observed(key_of("b"), (window(50),))
    yield service
    service.close()


def told(service: PoolService, ask: Ask) -> float:
    found = json.loads(PoolQuota(service, ask).in_message(TOLD))
    return float(found["rate_limits"]["primary"]["used_percent"])


def test_it_is_that_of_the_account_with_most_left(service: PoolService) -> None:
    assert told(service, Ask()) == 50


def test_whoever_may_use_some_accounts_only_sees_theirs(service: PoolService) -> None:
    assert told(service, Ask(client="ann-key")) == 99.5


def test_it_is_as_it_is_now(service: PoolService, clock: Clock) -> None:
    quota = PoolQuota(service, Ask())
    for used in (60, 70):
        service.pool.observed(key_of("b"), (window(used, seen_at=clock.advance(1)),))
        (shown,) = quota.windows(MAIN)
        assert shown.used_percent == used


def test_a_large_pool_is_looked_through_about_once_a_second() -> None:
    """A small one each time, nearly; and each question by itself."""
    looks: list[float] = []

    def ask(held: HeldWindows, accounts: int, what: str = "codex") -> int:
        looks.clear()
        for milliseconds in range(0, 3_000, 10):
            now = milliseconds / 1000
            held.found(what, now, accounts, lambda now=now: (looks.append(now), ())[1])  # type: ignore[misc]
        return len(looks)

    held = HeldWindows()
    assert ask(held, 1_000) == 3
    assert ask(held, 1_000, "mini") == 3
    assert ask(HeldWindows(), 2) == 300


def test_what_is_held_does_not_grow_without_bounds() -> None:
    held = HeldWindows()
    for number in range(3 * MOST_HELD):
        held.found(number, 0.0, 10, tuple)
    assert len(held._held) <= MOST_HELD


def percent(event: bytes | object) -> float:
    assert isinstance(event, bytes)
    return float(json.loads(event)["rate_limits"]["primary"]["used_percent"])


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_in_a_stream_it_is_told_however_that_is_cut(service: PoolService, size: int) -> None:
    """Held back before output, or on its way after it; and all else is as it came."""
    first, more = (b'data: {"type":"response.%b"}\n\n' % kind for kind in (b"created", b"output_text.delta"))
    told = b"event: " + RATE_LIMITS.encode() + b"\ndata: " + TOLD + b"\n\n"
    done = b'data: {"type":"response.completed"}\n\n'
    whole = first + told + more * 3 + told + done
    flow = tflow.tflow(req=http.Request.make("POST", "https://chatgpt.com/backend-api/codex/responses", b"{}"))
    exchange = PooledRequest(service, flow, flows.FlowRedactor(), Ask(thread="t", pin=key_of("a")))
    exchange.delivery.quota = PoolQuota(service, Ask())
    exchange.start()
    flow.response = http.Response.make(200, b"", {"content-type": "text/event-stream"})
    exchange.head(flow.response)
    chunks = [bytes(each) for each in itertools.batched(whole, size)]
    for chunk in chunks:
        exchange.body(chunk)
        if exchange.reading is not None and exchange.reading.delivered:
            break
    exchange.delivering(flow.response)
    passing = flow.response.stream
    assert callable(passing)
    got = b"".join(part for chunk in [*chunks, b""] if isinstance(part := passing(chunk), bytes))
    events = [line.removeprefix(b"data: ") for line in got.splitlines() if line.startswith(b"data: ")]
    assert [percent(each) for each in events if RATE_LIMITS.encode() in each] == [50, 50]
    assert got.replace(events[1], TOLD) == whole


def test_in_a_socket_it_is_told_within_a_turn_and_between_two(service: PoolService) -> None:
    socket = upgrade(service)
    socket.quota = PoolQuota(service, Ask())
    assert percent(socket.from_server(TOLD)) == 50
    assert socket.from_client(CREATE) == CREATE
    assert percent(socket.from_server(TOLD)) == 50
    for message in (CREATED, COMPLETED):
        assert socket.from_server(message) is None
    assert percent(socket.from_server(TOLD)) == 50
    assert socket.from_server(CREATED) is None
