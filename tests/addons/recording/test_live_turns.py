"""What is under way, read from the exchanges that run; tests/proxy/test_live_turns.py asks the real proxy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.selection import Ask
from accounts.people.keys import LOCAL
from accounts.store.store import Store
from accounts.views.live_turns import LiveTurn
from addons.attempts.protocol import Send, Signal
from addons.clients import Clients
from addons.exchange.passthrough import FailClosed
from addons.exchange.patience import Limits
from addons.exchange.pooled import PooledRequest
from addons.exchange.service import PoolService
from addons.recording.live_turns import LiveTurns
from addons.recording.turn_log import TurnLog
from addons.redaction import flows
from addons.rotator import Rotator, SocketRotator
from addons.startup import Startup
from tests.addons.exchange.sockets.talking import COMPLETED, CREATE, CREATED, DELTA, LIMIT, opens, upgrade
from tests.addons.exchange.test_pooled import COMPLETED as COMPLETED_HTTP
from tests.addons.exchange.test_pooled import CREATED as CREATED_HTTP
from tests.addons.exchange.test_pooled import DELTA as DELTA_HTTP
from tests.builders import HOUR, NOW, Clock, account, credentials

METADATA = '{"workspaces": {"/work/it": {"associated_remote_urls": {"origin": "https://u:a-password@host/o/repo"}}}}'
RESPONSES = "https://chatgpt.com/backend-api/codex/responses"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Iterator[PoolService]:
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            store.put_account(account(name, plan="plus"), credentials(name, expires_at=NOW + HOUR)).result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("asked for new tokens")

    opened = PoolService(path, clock, nobody)
    yield opened
    opened.close()


class Running:
    """The hooks' registries, with what runs put into them by hand."""

    def __init__(self, service: PoolService) -> None:
        startup = Startup()
        clients = Clients(startup)
        self.service = service
        self.rotator = Rotator(startup, clients, TurnLog(clients.name_of), lambda *_: None)
        self.sockets = SocketRotator(self.rotator)
        self.live = LiveTurns(self.rotator, self.sockets)

    def request(self, ask: Ask, upgrade: bool = False) -> PooledRequest:
        fields = {"x-codex-turn-metadata": METADATA, **({"upgrade": "websocket"} if upgrade else {})}
        flow = tflow.tflow(req=http.Request.make("GET" if upgrade else "POST", RESPONSES, b"{}", fields))
        flow.client_conn.timestamp_end = None
        made = PooledRequest(self.service, flow, flows.FlowRedactor(), ask, Limits(capture_bytes=0))
        self.rotator.exchanges[flow.id] = made
        return made

    def one(self) -> LiveTurn:
        (only,) = self.live.now()
        return only


@pytest.fixture
def running(service: PoolService) -> Running:
    return Running(service)


def delivering(request: PooledRequest) -> Callable[[bytes], bytes]:
    """Its answer has begun: what passes what comes of it."""
    assert isinstance(request.start(), Send)
    response = http.Response.make(200, b"", {"content-type": "text/event-stream"})
    assert request.head(response) is Signal.WAIT
    assert request.body(CREATED_HTTP + DELTA_HTTP) is Signal.DELIVER
    request.flow.response, response.data.content = response, None
    request.delivering(response)
    stream = response.stream
    assert callable(stream)
    return stream  # type: ignore[return-value]


def test_a_request_is_told_from_its_head_to_its_end(running: Running, clock: Clock) -> None:
    assert running.live.now() == ()
    request = running.request(Ask(thread="t", model="gpt", client="a-key"))
    first = running.one()
    assert (first.began, first.thread, first.model, first.person) == (NOW, "t", "gpt", "a-key")
    assert (first.account, first.attempts, first.received, first.first_output) == ("", 0, 0, None)
    assert (first.project, first.transport) == ("o/repo", "http")
    clock.advance(2)
    passes = delivering(request)
    asked = running.one()
    assert (asked.account, asked.attempts, asked.rotations, asked.first_output) == ("a", 1, 0, 2)
    passes(CREATED_HTTP + DELTA_HTTP)
    passes(DELTA_HTTP)
    assert running.one().received == len(CREATED_HTTP + DELTA_HTTP * 2)
    passes(COMPLETED_HTTP)
    request.finished()
    assert running.live.now() == ()


def test_the_account_of_a_rotation_is_the_one_that_is_asked_now(running: Running) -> None:
    request = running.request(Ask(thread="t"))
    assert isinstance(request.start(), Send)
    request.head(http.Response.make(429, b"", {"content-type": "application/json"}))
    request.body(b'{"error": {"type": "usage_limit_reached", "resets_in_seconds": 900}}')
    assert isinstance(request.end(), Send)
    told = running.one()
    assert (told.account, told.attempts, told.rotations) == ("b", 2, 1)


def test_what_is_no_turn_is_not_told(running: Running) -> None:
    running.request(Ask(), upgrade=True)
    running.request(Ask(steady=True))
    assert running.live.now() == ()


def test_a_request_whose_hook_has_failed_is_not_told(running: Running) -> None:
    """It is refused, and waits for nothing."""
    request = running.request(Ask())
    running.rotator.exchanges[request.flow.id] = FailClosed(request.flow, request.shown)
    assert running.live.now() == ()


def test_the_owner_s_own_key_is_nobody_s_name(running: Running) -> None:
    running.request(Ask(client=LOCAL))
    assert running.one().person == ""


def test_a_turn_whose_client_is_gone_is_not_told_whatever_hooks_were_called(running: Running) -> None:
    request = running.request(Ask())
    request.flow.client_conn.timestamp_end = NOW
    assert running.live.now() == ()


def test_each_request_on_a_socket_is_one_as_long_as_it_runs(running: Running, clock: Clock) -> None:
    socket = upgrade(running.service)
    client = tflow.tflow().client_conn
    client.timestamp_end = None
    running.sockets.sockets["s"], running.sockets.clients["s"] = socket, client
    assert running.live.now() == ()
    named = CREATE[:-1] + b',"client_metadata":{"x-codex-turn-metadata":"' + METADATA.replace('"', '\\"').encode()
    socket.from_client(named + b'"}}')
    clock.advance(1)
    assert socket.from_server(CREATED) is None
    before = running.one()
    assert (before.thread, before.account, before.transport, before.project) == ("t", "a", "websocket", "o/repo")
    assert (before.received, before.first_output, before.attempts) == (len(CREATED), None, 1)
    socket.from_server(LIMIT)
    socket.take()
    opens(socket)
    clock.advance(1)
    for each in (CREATED, DELTA):
        assert socket.from_server(each) is None
    told = running.one()
    assert (told.id, told.account, told.attempts, told.rotations) == (before.id, "b", 2, 1)
    assert (told.received, told.first_output) == (len(CREATED * 2 + DELTA), 2)
    assert socket.from_server(COMPLETED) is None
    assert running.live.now() == ()
    socket.from_client(CREATE)
    assert running.one().id != before.id
    assert running.one().received == 0
    client.timestamp_end = NOW
    assert running.live.now() == ()


def test_nothing_is_kept_of_turns_that_are_over(running: Running) -> None:
    for _ in range(3):
        request = running.request(Ask())
        assert running.live.now()
        running.rotator.exchanges.pop(request.flow.id)
    assert running.live.now() == ()
    assert not running.live._projects
