"""What is said on a socket in tests, and how to read what the proxy makes of it."""

import json
from typing import Any

from mitmproxy import http

from accounts.choice.outcomes import Kind
from accounts.model import Cooldown
from accounts.store.store import Store
from accounts.turn import steps
from accounts.turn.events import Waited
from accounts.turn.state import CLIENT_SECONDS
from addons.attempts.protocol import Put, Say, Send, Signal, SocketStep
from addons.exchange.credentials import TURN_STATE
from addons.exchange.patience import Limits
from addons.exchange.service import PoolService
from addons.exchange.sockets.pooled_socket import HELD, PooledSocket
from addons.exchange.sockets.upgrades import Upgrades
from addons.redaction.flows import FlowRedactor
from tests.builders import NOW, credentials, key_of, lease_of

A, B = key_of("a"), key_of("b")
CREATE = b'{"type":"response.create","model":"gpt"}'
LOST = b'{"type":"response.create","model":"gpt","previous_response_id":"resp_unknown","input":[]}'
"""It continues what only the server of its socket can know."""


def event(kind: str, **more: Any) -> bytes:
    return json.dumps({"type": kind, **more}).encode()


def refused(status: int, code: str = "", **more: Any) -> bytes:
    return event("error", status=status, error={"type": code, "code": code, **more})


def failed(code: str) -> bytes:
    return event("response.failed", response={"error": {"code": code}})


CREATED, DELTA, COMPLETED = map(event, ("response.created", "response.output_text.delta", "response.completed"))
LIMIT = refused(429, "usage_limit_reached", resets_at=NOW + 900)


def upgrade(service: PoolService, name: str = "a", head_seconds: float = CLIENT_SECONDS) -> PooledSocket:
    """A client's socket, of thread t, that was opened on this account."""
    service.given.states.issued("state-of-a", A)
    fields = {
        "host": "chatgpt.com",
        "authorization": "Bearer of-the-client",
        "upgrade": "websocket",
        "connection": "Upgrade",
        TURN_STATE: "state-of-a",
    }
    request = http.Request.make("GET", "https://chatgpt.com/backend-api/codex/responses", b"", fields)
    shown = FlowRedactor()
    shown.request_head(request)
    lease = lease_of(service.pool, name, thread="t")
    return PooledSocket(service, lease, Upgrades(service, request, shown), Limits(head_seconds))


def step_of(socket: PooledSocket, told: object) -> SocketStep:
    """What is done in the place of a message, which goes no further."""
    assert told is HELD
    step = socket.take()
    assert step is not None
    assert socket.take() is None, "it is said once"
    return step


def asked(step: SocketStep) -> str:
    """Whose socket is opened."""
    assert isinstance(step, Send), step
    (name,) = [each for each in "abc" if key_of(each) == step.key]
    assert step.request.headers["authorization"] == f"Bearer {credentials(name).access}"
    assert step.request.headers["chatgpt-account-id"] == f"acct-{name}"
    return name


def passed(message: bytes, told: object) -> bool:
    """Whether the client gets the message as it is."""
    return told is None or told == message


def waited(socket: PooledSocket) -> SocketStep:
    """Its pause is over."""
    assert isinstance(socket.turns.awaited, steps.Pause)
    socket.turns.awaited = Waited()
    return socket.decided()


def put(step: SocketStep) -> bytes:
    assert isinstance(step, Put), step
    return step.content


def said(step: SocketStep) -> dict[str, Any]:
    """What the client is told."""
    assert isinstance(step, Say), step
    found: dict[str, Any] = json.loads(step.content)
    return found


def refuses(socket: PooledSocket, status: int, body: bytes = b"", **headers: str) -> SocketStep:
    """The upgrade that is under way is refused."""
    assert socket.head(http.Response.make(status, b"", headers)) is Signal.WAIT
    assert socket.body(body) is Signal.WAIT
    return socket.end()


def opens(socket: PooledSocket) -> SocketStep:
    """The upgrade that is under way becomes a socket."""
    assert socket.head(http.Response.make(101)) is Signal.WAIT
    return socket.opened()


def alone(service: PoolService) -> None:
    """Nobody but account a can serve."""
    rest(service, B)
    service.sync(at_once=True)


def rest(service: PoolService, key: str, kind: Kind = Kind.USAGE_LIMIT, seconds: float = 60) -> None:
    """As another proxy stores it: this one notices by itself."""
    with Store(service.store.path) as other:
        other.set_cooldown(key, Cooldown(until=service.clock() + seconds, reason=kind, since=service.clock())).result()


def change(service: PoolService, key: str, **changes: Any) -> None:
    """As the command line does it."""
    with Store(service.store.path) as other:
        other.update_account(key, **changes).result()


def limited(turn: PooledSocket) -> PooledSocket:
    """Account a is at its limit, and an upgrade for account b is under way."""
    assert asked(step_of(turn, turn.from_server(LIMIT))) == "b"
    return turn


def pause_of(socket: PooledSocket, told: object) -> float:
    """How long is waited in the place of a message."""
    assert step_of(socket, told) is Signal.AWAIT
    assert isinstance(socket.turns.awaited, steps.Pause)
    return socket.turns.awaited.seconds
