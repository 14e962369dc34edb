"""Inside an open WebSocket: before any output another account takes over beneath it; after it, it is the client's."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http

from accounts.choice.decision_record import DECISION, Done, read_record
from accounts.choice.outcomes import RULES, Action, Kind, Outcome, Rest
from accounts.choice.selection import Ask
from accounts.model import Cooldown, Standing
from accounts.store.store import Store
from accounts.turn import steps
from accounts.turn.events import NotRenewed, Renewed, Waited
from accounts.turn.state import CLIENT_SECONDS
from addons.attempts.protocol import Loss, Put, Say, Send, Signal, SocketStep
from addons.exchange.credentials import TURN_STATE
from addons.exchange.patience import UPGRADE_SECONDS, Limits
from addons.exchange.service import PoolService
from addons.exchange.sockets.pooled_socket import HELD, MOST_BYTES, PooledSocket
from addons.exchange.sockets.upgrades import Upgrades
from addons.redaction.flows import FlowRedactor
from addons.wire import events
from addons.wire.answers import RECONNECT
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of, lease_of, planted

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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(tmp_path: Path, clock: Clock) -> Iterator[PoolService]:
    """A pool of two accounts, as the proxy has it. Nothing here asks the token endpoint."""
    path = tmp_path / "home" / "pool.db"
    with Store(path) as store:
        for name in "ab":
            tokens = credentials(name, expires_at=NOW + HOUR)
            store.put_account(account(name, plan="plus"), tokens).result()

    def nobody(url: str, body: dict[str, str], leaving: Callable[[], None]) -> tuple[int, bytes]:
        raise AssertionError("a socket asked for new tokens")

    opened = PoolService(path, clock, nobody)
    yield opened
    opened.close()


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


@pytest.fixture
def socket(service: PoolService) -> PooledSocket:
    """Upgraded on account a, by thread t."""
    return upgrade(service)


@pytest.fixture
def turn(socket: PooledSocket) -> PooledSocket:
    """The same, with a turn under way and no output yet."""
    assert socket.from_client(CREATE) == CREATE
    assert socket.from_server(CREATED) is None
    return socket


@pytest.fixture
def bound(socket: PooledSocket) -> PooledSocket:
    """The same, with a turn that no other socket could serve."""
    assert socket.from_client(LOST) == LOST
    assert socket.from_server(CREATED) is None
    return socket


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
    assert isinstance(socket.awaited, steps.Pause)
    socket.awaited = Waited()
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


# --- a turn ----------------------------------------------------------------------------------------------------------


def test_a_turn_counts_from_its_request_to_its_end(socket: PooledSocket) -> None:
    pool = socket.service.pool
    assert socket.from_client(CREATE) == CREATE
    assert pool.in_flight(A) == 1
    for message in (CREATED, event("codex.rate_limits"), DELTA, COMPLETED):
        assert socket.from_server(message) is None
    assert pool.in_flight(A) == 0
    assert pool.place("t", NOW).home == A


@pytest.mark.parametrize("ending", [COMPLETED, event("response.incomplete")])
def test_a_turn_that_ends_well_may_be_followed_by_another(socket: PooledSocket, ending: bytes) -> None:
    for _ in range(3):
        assert socket.from_client(CREATE) == CREATE
        assert socket.from_server(DELTA) is None
        assert socket.from_server(ending) is None
        assert socket.service.pool.in_flight(A) == 0


def test_a_second_request_within_a_turn_counts_once(turn: PooledSocket) -> None:
    assert turn.from_client(CREATE) == CREATE
    assert turn.service.pool.in_flight(A) == 1
    turn.from_server(COMPLETED)
    assert turn.service.pool.in_flight(A) == 0


@pytest.mark.parametrize("message", [event("response.cancel"), b"{}", b"", b"not json", b"\xff", b"[]"])
def test_other_messages_of_the_client_begin_nothing(socket: PooledSocket, message: bytes) -> None:
    assert socket.from_client(message) == message
    assert not socket.active


@pytest.mark.parametrize("message", [DELTA, COMPLETED, LIMIT, CREATED, b"not json"])
def test_between_two_turns_messages_are_not_even_decoded(
    socket: PooledSocket, message: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked(data: bytes) -> str:
        raise AssertionError("an idle message was looked at")

    monkeypatch.setattr(events, "event_type", looked)
    monkeypatch.setattr(events, "decoded", looked)
    assert socket.from_server(message) is None
    assert socket.service.pool.can_serve(A, Ask(), NOW)


# --- failures --------------------------------------------------------------------------------------------------------

BEFORE_OUTPUT: list[tuple[bytes, Kind]] = [
    (LIMIT, Kind.USAGE_LIMIT),
    (failed("usage_limit_reached"), Kind.USAGE_LIMIT),
    (refused(429, "insufficient_quota"), Kind.NO_CREDIT),
    (failed("server_is_overloaded"), Kind.OVERLOADED),
    (refused(500), Kind.SERVER_ERROR),
    (refused(402), Kind.PAYMENT_REQUIRED),
    (refused(402, "deactivated_workspace"), Kind.DEACTIVATED),
    (refused(401, "token_invalidated"), Kind.TOKEN_INVALIDATED),
    (refused(401, "token_expired"), Kind.TOKEN_EXPIRED),
    (refused(403), Kind.FORBIDDEN),
    (refused(404), Kind.UNEXPLAINED),
    (refused(400, "model_not_supported"), Kind.UNSUPPORTED_MODEL),
    (failed("never_heard_of"), Kind.FAILED_IN_STREAM),
]
TO_THE_CLIENT: list[tuple[bytes, Kind]] = [
    (refused(400, "invalid_prompt"), Kind.REQUEST_FAULT),
    (failed("context_length_exceeded"), Kind.REQUEST_FAULT),
    (refused(400, "previous_response_not_found"), Kind.UNKNOWN_RESPONSE),
    (refused(400, "invalid_encrypted_content"), Kind.INVALID_SEALED),
    (refused(400, "websocket_connection_limit_reached"), Kind.REQUEST_FAULT),
]


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_before_output_another_account_takes_a_whole_request_over_in_one_step_with_its_own_token(
    turn: PooledSocket, message: bytes, kind: Kind
) -> None:
    """Only a token that may have aged is renewed first."""
    assert RULES[kind].action is not Action.DELIVER
    step = step_of(turn, turn.from_server(message))
    pool = turn.service.pool
    if kind is Kind.TOKEN_EXPIRED:
        assert step is Signal.AWAIT
        assert isinstance(turn.awaited, steps.Renew)
        assert turn.awaited.lease.key == A
    else:
        assert asked(step) == "b"
        assert (turn.active, pool.in_flight(A), pool.in_flight(B)) == (True, 0, 1)
    assert b"state-of-a" not in (bytes(step.request.headers) if isinstance(step, Send) else b"")


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_before_output_a_request_that_continues_an_unknown_response_makes_the_client_reconnect(
    bound: PooledSocket, message: bytes, kind: Kind
) -> None:
    assert RULES[kind].action is not Action.DELIVER
    assert bound.from_server(message) == RECONNECT
    assert (bound.active, bound.service.pool.in_flight(A)) == (False, 0)


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_the_account_takes_the_consequences(turn: PooledSocket, message: bytes, kind: Kind) -> None:
    turn.from_server(message)
    candidate, rule = turn.service.pool.candidates[A], RULES[kind]
    if kind is Kind.TOKEN_EXPIRED:  # no penalty: it is renewed first
        assert candidate.cooldown is None
    else:
        assert (candidate.cooldown is not None) == (rule.rest is not Rest.NONE)
        assert candidate.account.standing is (rule.standing or Standing.GOOD)


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_an_account_that_fails_after_output_makes_the_client_ask_another(
    turn: PooledSocket, message: bytes, kind: Kind
) -> None:
    """Most of these errors would end the client's turn for good."""
    turn.from_server(DELTA)
    told = turn.from_server(message)
    assert told == RECONNECT
    assert not turn.active
    assert turn.service.pool.in_flight(A) == 0
    assert turn.service.pool.can_serve(A, Ask(), NOW) == (not RULES[kind].bars)


def test_with_nobody_left_a_failure_after_output_is_the_clients_to_see(turn: PooledSocket) -> None:
    alone(turn.service)
    turn.from_server(DELTA)
    assert passed(LIMIT, turn.from_server(LIMIT))


@pytest.mark.parametrize(
    ("code", "status"),
    [("usage_limit_reached", 429), ("server_is_overloaded", 503), ("invalid_prompt", 400), ("x", 500)],
)
@pytest.mark.parametrize("output", [False, True])
def test_an_error_without_a_status_gets_the_one_it_has_over_http(
    turn: PooledSocket, code: str, status: int, output: bool
) -> None:
    """The client would take no notice of it, and wait."""
    alone(turn.service)
    if output:
        turn.from_server(DELTA)
    told = turn.from_server(event("error", error={"code": code, "message": "m"}))
    assert isinstance(told, bytes)
    assert json.loads(told)["status"] == status


@pytest.mark.parametrize(("message", "kind"), TO_THE_CLIENT)
def test_what_is_the_requests_fault_is_the_clients_to_see(turn: PooledSocket, message: bytes, kind: Kind) -> None:
    assert passed(message, turn.from_server(message))
    assert turn.service.pool.candidates[A].cooldown is None
    turn.service.store.flush()
    assert [each.kind for each in turn.service.store.events(9)] == [DECISION, kind]


@pytest.mark.parametrize("prelude", sorted(events.PRELUDE))
def test_a_prelude_is_no_output(turn: PooledSocket, prelude: str) -> None:
    assert turn.from_server(event(prelude)) is None
    assert asked(step_of(turn, turn.from_server(LIMIT))) == "b"


def test_output_counts_for_its_own_turn_only(turn: PooledSocket) -> None:
    for message in (DELTA, COMPLETED):
        turn.from_server(message)
    turn.from_client(CREATE)
    assert asked(step_of(turn, turn.from_server(LIMIT))) == "b"


def test_what_comes_after_the_client_was_told_to_reconnect_passes(bound: PooledSocket) -> None:
    assert bound.from_server(LIMIT) == RECONNECT
    assert bound.from_server(LIMIT) is None
    assert bound.from_server(COMPLETED) is None


@pytest.mark.parametrize("status", [200, 302, 600])
def test_a_failure_with_a_status_of_success_is_still_a_failure(turn: PooledSocket, status: int) -> None:
    turn.from_server(event("error", status=status, error={"message": "?"}))
    assert turn.service.pool.place("t", NOW).home == ""


def test_the_reconnect_is_the_one_that_the_client_does_in_silence() -> None:
    assert json.loads(RECONNECT)["error"]["code"] == "websocket_connection_limit_reached"


# --- asked too often -------------------------------------------------------------------------------------------------

BURST = refused(429, "rate_limit_exceeded")


def pause_of(socket: PooledSocket, told: object) -> float:
    """How long is waited in the place of a message."""
    assert step_of(socket, told) is Signal.AWAIT
    assert isinstance(socket.awaited, steps.Pause)
    return socket.awaited.seconds


@pytest.mark.parametrize("message", [BURST, failed("slow_down")])
def test_an_account_that_is_asked_too_often_is_asked_again_after_a_moment(turn: PooledSocket, message: bytes) -> None:
    """On its socket. The client hears nothing of it."""
    assert pause_of(turn, turn.from_server(message)) == 1.0
    assert put(waited(turn)) == CREATE
    assert turn.from_server(DELTA) is None
    assert turn.service.pool.candidates[A].cooldown is None


def test_a_moment_is_for_nothing_when_the_client_has_left(turn: PooledSocket) -> None:
    turn.from_server(BURST)
    turn.closed(by_client=True)
    assert waited(turn) is Signal.WAIT
    assert turn.service.pool.in_flight(A) == 0


@pytest.mark.parametrize("message", [failed("rate_limit_exceeded"), BURST, CREATED, DELTA, COMPLETED])
def test_what_upstream_still_says_of_the_failed_answer_is_for_nobody(turn: PooledSocket, message: bytes) -> None:
    pause_of(turn, turn.from_server(BURST))
    assert turn.from_server(message) is HELD
    assert turn.take() is None
    assert put(waited(turn)) == CREATE


def test_a_request_in_the_moment_goes_at_once(turn: PooledSocket) -> None:
    pause_of(turn, turn.from_server(BURST))
    assert turn.from_client(CREATE) == CREATE
    assert turn.service.pool.in_flight(A) == 1
    assert waited(turn) is Signal.WAIT
    assert turn.from_server(DELTA) is None


def test_an_account_that_was_paused_in_the_moment_is_left_for_another(turn: PooledSocket) -> None:
    pause_of(turn, turn.from_server(BURST))
    change(turn.service, A, enabled=False)
    turn.service.sync(at_once=True)
    assert asked(waited(turn)) == "b"


def test_a_socket_that_is_closed_in_the_moment_is_opened_anew(turn: PooledSocket) -> None:
    pause_of(turn, turn.from_server(BURST))
    assert turn.closed_upstream(1000) is Signal.WAIT
    assert asked(waited(turn)) == "a"


def test_after_its_moment_another_account_takes_over(turn: PooledSocket) -> None:
    turn.from_server(BURST)
    turn.take()
    waited(turn)
    assert asked(step_of(turn, turn.from_server(BURST))) == "b"
    assert turn.service.pool.tired(A, NOW)


def waits_of(turn: PooledSocket) -> tuple[list[float], bytes | None]:
    """How long an account is waited for that is always asked too often, and what the client hears in the end."""
    waits = []
    while (told := turn.from_server(BURST)) is HELD:
        if (step := turn.take()) is Signal.AWAIT:
            assert isinstance(turn.awaited, steps.Pause)
            waits.append(turn.awaited.seconds)
            step = waited(turn)
        if isinstance(step, Send):
            step = opens(turn)
        assert put(step) == CREATE
    assert isinstance(told, bytes)
    return waits, told


def test_when_everybody_is_asked_too_often_the_request_waits_longer_each_time_and_then_the_client_does(
    turn: PooledSocket,
) -> None:
    """A moment on each, then all of them."""
    waits, told = waits_of(turn)
    assert waits[:2] == [1, 1]
    assert waits[2:] == [1, 2, 4, 4]
    assert json.loads(told or b"")["headers"] == {"retry-after": "1"}


def test_the_only_account_is_waited_for_and_then_the_client_waits(turn: PooledSocket) -> None:
    alone(turn.service)
    waits, told = waits_of(turn)
    assert waits == [1, 1, 2, 4, 4]
    assert json.loads(told or b"")["headers"] == {"retry-after": "1"}


# --- nobody left -----------------------------------------------------------------------------------------------------


def test_when_all_are_at_their_limits_the_soonest_reset_is_told(turn: PooledSocket) -> None:
    rest(turn.service, B, seconds=300)
    turn.service.sync(at_once=True)
    instead = turn.from_server(LIMIT)
    assert isinstance(instead, bytes)
    told = json.loads(instead)
    assert (told["type"], told["status"]) == ("error", 429)
    assert told["error"] == {
        "type": "usage_limit_reached",
        "message": "The usage limit has been reached",
        "plan_type": "plus",
        "resets_at": NOW + 300,
        "resets_in_seconds": 300,
    }


def test_when_the_others_need_a_person_the_own_reset_is_told(turn: PooledSocket) -> None:
    change(turn.service, B, enabled=False)
    turn.service.sync(at_once=True)
    instead = turn.from_server(LIMIT)
    assert isinstance(instead, bytes)
    assert json.loads(instead)["error"]["resets_at"] == NOW + 900


@pytest.mark.parametrize("message", [refused(500), failed("server_is_overloaded"), failed("never_heard_of")])
def test_when_nobody_is_left_a_passing_trouble_is_told_in_upstreams_words(turn: PooledSocket, message: bytes) -> None:
    alone(turn.service)
    assert passed(message, turn.from_server(message))


# --- before a turn ---------------------------------------------------------------------------------------------------

OUT: dict[str, Callable[[PoolService], None]] = {
    "paused": lambda service: change(service, A, enabled=False),
    "signed out": lambda service: change(service, A, standing=Standing.NEEDS_LOGIN),
    "at its limit": lambda service: rest(service, A),
}


@pytest.mark.parametrize("happens", OUT.values(), ids=OUT)
def test_a_request_for_an_account_that_cannot_serve_any_more_goes_to_another_one_and_the_client_hears_nothing(
    socket: PooledSocket, happens: Callable[[PoolService], None]
) -> None:
    happens(socket.service)
    assert asked(step_of(socket, socket.from_client(CREATE))) == "b"
    assert (socket.service.pool.in_flight(A), socket.service.pool.in_flight(B)) == (0, 1)
    assert put(opens(socket)) == CREATE
    assert socket.lease.key == B
    for message in (CREATED, DELTA, COMPLETED):
        assert socket.from_server(message) is None
    assert socket.service.pool.in_flight(B) == 0
    assert socket.from_client(CREATE) == CREATE


@pytest.mark.parametrize("happens", OUT.values(), ids=OUT)
def test_what_continues_an_unknown_response_gets_no_turn_on_an_account_that_cannot_serve_any_more(
    socket: PooledSocket, happens: Callable[[PoolService], None]
) -> None:
    happens(socket.service)
    assert step_of(socket, socket.from_client(LOST)) == Say(RECONNECT)
    assert (socket.active, socket.service.pool.in_flight(A)) == (False, 0)


@pytest.mark.parametrize("happens", OUT.values(), ids=OUT)
def test_a_turn_under_way_is_not_disturbed(turn: PooledSocket, happens: Callable[[PoolService], None]) -> None:
    happens(turn.service)
    for message in (DELTA, COMPLETED):
        assert turn.from_server(message) is None


def test_a_removed_account_gets_no_further_turn(socket: PooledSocket) -> None:
    with Store(socket.service.store.path) as other:
        other.remove_account(A).result()
    assert asked(step_of(socket, socket.from_client(CREATE))) == "b"


def test_nobody_is_sent_away_when_nobody_else_could_serve(socket: PooledSocket) -> None:
    for key in (A, B):
        change(socket.service, key, enabled=False)
    assert socket.from_client(CREATE) == CREATE
    assert socket.active


def test_a_soft_rest_is_no_reason_to_move(socket: PooledSocket) -> None:
    rest(socket.service, A, Kind.SERVER_ERROR)
    assert socket.from_client(CREATE) == CREATE


def test_after_its_rest_the_account_serves_again(socket: PooledSocket, clock: Clock) -> None:
    rest(socket.service, A)
    assert step_of(socket, socket.from_client(LOST)) == Say(RECONNECT)
    clock.advance(60)
    assert socket.from_client(LOST) == LOST


# --- the end of a socket ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by_client", "tired"), [(True, False), (False, True)])
def test_a_socket_that_breaks_within_a_turn_ends_it(turn: PooledSocket, by_client: bool, tired: bool) -> None:
    turn.closed(by_client=by_client)
    assert turn.service.pool.in_flight(A) == 0
    assert (turn.service.pool.candidates[A].cooldown is not None) == tired
    turn.closed(by_client=by_client)
    assert turn.service.pool.in_flight(A) == 0


@pytest.mark.parametrize("by_client", [True, False])
def test_a_socket_that_closes_between_two_turns_is_no_event(socket: PooledSocket, by_client: bool) -> None:
    socket.from_client(CREATE)
    socket.from_server(COMPLETED)
    socket.closed(by_client=by_client)
    assert socket.service.pool.candidates[A].cooldown is None
    socket.service.store.flush()
    assert [each.kind for each in socket.service.store.events(9)] == [DECISION]


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_no_token_is_logged_recorded_or_sent(
    turn: PooledSocket, message: bytes, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = planted([credentials("a"), credentials("b")])
    payload = json.loads(message)
    described = payload.get("error") or payload["response"]["error"]
    described["message"] = " ".join(sorted(secrets))
    with caplog.at_level(logging.DEBUG):
        instead = turn.from_server(json.dumps(payload).encode())
    turn.service.store.flush()
    seen = f"{caplog.text} {turn.service.store.events(9)} {instead!r} {turn.lease!r} {turn.take()!r} {turn.awaited!r}"
    assert not [secret for secret in secrets if secret in seen]


# --- silence ---------------------------------------------------------------------------------------------------------


def test_a_whole_request_that_nothing_has_answered_in_time_goes_to_another_account(
    turn: PooledSocket, clock: Clock
) -> None:
    assert turn.patience() == CLIENT_SECONDS
    clock.advance(CLIENT_SECONDS)
    assert asked(turn.overdue()) == "b"
    assert turn.service.pool.candidates[A].cooldown is None
    assert turn.active


def test_a_request_that_cannot_move_makes_the_client_reconnect_then(bound: PooledSocket, clock: Clock) -> None:
    clock.advance(CLIENT_SECONDS)
    assert bound.overdue() == Say(RECONNECT)
    assert bound.service.pool.candidates[A].cooldown is None
    assert bound.service.pool.select(Ask(thread="t"), clock()).key == B  # type: ignore[union-attr]
    assert not bound.active


def test_the_next_account_gets_as_long_to_answer(service: PoolService, clock: Clock) -> None:
    socket = upgrade(service, head_seconds=20)
    socket.from_client(CREATE)
    clock.advance(20)
    assert asked(socket.overdue()) == "b"
    assert socket.patience() == UPGRADE_SECONDS
    socket.opened()
    assert socket.patience() == 20
    clock.advance(2)
    assert socket.overdue() is Signal.WAIT


def test_where_nobody_else_could_serve_the_client_goes_on_waiting(turn: PooledSocket, clock: Clock) -> None:
    """Slow is not dead."""
    rest(turn.service, B, seconds=9_000)
    turn.service.sync(at_once=True)
    clock.advance(CLIENT_SECONDS)
    assert turn.overdue() is Signal.WAIT
    assert turn.active


def test_a_word_in_time_is_enough(turn: PooledSocket, clock: Clock) -> None:
    clock.advance(CLIENT_SECONDS - 10)
    turn.from_server(CREATED)
    clock.advance(10)
    assert turn.overdue() is Signal.WAIT
    assert turn.patience() == CLIENT_SECONDS - 10


def test_between_turns_silence_is_what_is_expected(turn: PooledSocket, clock: Clock) -> None:
    turn.from_server(COMPLETED)
    assert turn.patience() == 0
    clock.advance(2 * CLIENT_SECONDS)
    assert turn.overdue() is Signal.WAIT


def test_once_output_has_begun_silence_that_nobody_can_help_is_the_clients(turn: PooledSocket, clock: Clock) -> None:
    """What was asked cannot be read here, so that nobody else could go on."""
    turn.from_server(DELTA)
    clock.advance(2 * CLIENT_SECONDS)
    assert turn.overdue() is Signal.WAIT
    assert turn.active


# --- in mid-answer ---------------------------------------------------------------------------------------------------

ASKED = b'{"type":"response.create","model":"gpt","input":[{"type":"message","role":"user","content":"hi"}]}'
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "one"}]}
CALL = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "exec", "input": "1"}


def item(kind: str, what: dict[str, Any], number: int) -> bytes:
    return event(f"response.output_item.{kind}", output_index=0, item=what, sequence_number=number)


@pytest.fixture
def answering(socket: PooledSocket) -> PooledSocket:
    """A turn under way, of whose answer the client has got a message and the beginning of another one."""
    socket.from_client(ASKED)
    begun = event("response.created", response={"id": "resp_1", "status": "in_progress"}, sequence_number=0)
    for message in (begun, item("added", MESSAGE, 1), item("done", MESSAGE, 2), item("added", MESSAGE, 3)):
        assert socket.from_server(message) is None
    return socket


DEATHS: dict[str, Callable[[PooledSocket, Clock], SocketStep | None]] = {
    "says so": lambda socket, _: step_of(socket, socket.from_server(LIMIT)),
    "says something else": lambda socket, _: step_of(socket, socket.from_server(failed("never_heard_of"))),
    "closes": lambda socket, _: socket.closed_upstream(1011),
    "is cut": lambda socket, _: socket.closed_upstream(1006),
    "falls silent": lambda socket, clock: (clock.advance(CLIENT_SECONDS - 30), socket.overdue())[1],
}


@pytest.mark.parametrize("dies", DEATHS.values(), ids=DEATHS)
def test_an_answer_goes_on_on_another_account_with_what_the_client_has_of_it(
    answering: PooledSocket, clock: Clock, dies: Callable[[PooledSocket, Clock], SocketStep | None]
) -> None:
    step = dies(answering, clock)
    assert step is not None
    assert asked(step) == "b"
    put = answering.opened()
    assert isinstance(put, Put)
    assert json.loads(put.content)["input"] == [*json.loads(ASKED)["input"], MESSAGE]
    told = answering.from_server(item("added", MESSAGE, 1))
    assert isinstance(told, bytes)
    assert json.loads(told)["sequence_number"] == 4, "numbers go on rising"
    answering.from_server(COMPLETED)
    answering.service.store.flush()
    (record,) = [each for each in answering.service.store.events(9) if each.kind == DECISION]
    assert read_record(record).done == Done.CONTINUED
    assert read_record(record).attempts[1].why == "continues after 4 events"


def test_after_a_tool_call_the_answer_ends_as_if_it_were_whole(answering: PooledSocket) -> None:
    answering.from_server(item("done", CALL, 4))
    told = answering.from_server(LIMIT)
    assert isinstance(told, bytes)
    ended = json.loads(told)
    assert (ended["type"], ended["response"]["id"]) == ("response.completed", "resp_1")
    assert ended["response"]["output"] == [MESSAGE, CALL]
    assert not answering.active
    assert answering.from_server(DELTA) is HELD, "nothing of it comes any more"
    output = {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"}
    more = {"type": "response.create", "previous_response_id": "resp_1", "input": [output]}
    assert asked(step_of(answering, answering.from_client(json.dumps(more).encode()))) == "b"
    put = answering.opened()
    assert isinstance(put, Put)
    assert json.loads(put.content)["input"] == [*json.loads(ASKED)["input"], MESSAGE, CALL, output]


def test_with_mid_answer_set_to_client_the_client_asks_anew(answering: PooledSocket) -> None:
    answering.service.settings = answering.service.settings.model_copy(update={"mid_answer": "client"})
    assert answering.from_server(LIMIT) == RECONNECT


def test_a_socket_that_closes_where_nobody_can_go_on_is_closed_for_the_client(answering: PooledSocket) -> None:
    rest(answering.service, B)
    answering.service.sync(at_once=True)
    assert answering.closed_upstream(1011) is None


# --- closed by upstream ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1008, 1011, 1012, 1013, 1006, None])
@pytest.mark.parametrize("asked", [False, True])
def test_a_socket_that_is_closed_before_its_first_event_leads_the_thread_elsewhere(
    socket: PooledSocket, code: int | None, asked: bool
) -> None:
    if asked:
        socket.from_client(CREATE)
    socket.closed(by_client=False, code=code)
    assert socket.service.pool.select(Ask(thread="t"), NOW).key == B  # type: ignore[union-attr]
    assert socket.service.pool.in_flight(A) == 0


def test_a_socket_that_is_closed_later_between_turns_says_nothing(socket: PooledSocket, clock: Clock) -> None:
    clock.now += 60
    socket.closed(by_client=False, code=1000)
    assert socket.service.pool.candidates[A].cooldown is None


def test_after_two_sockets_of_different_accounts_were_closed_at_once_the_thread_goes_on_over_http(
    service: PoolService,
) -> None:
    for name, fails in (("a", False), ("a", False), ("b", True)):
        upgrade(service, name).closed(by_client=False, code=1011)
        assert service.pool.failures.sockets_fail("t", NOW) is fails
    assert not service.pool.failures.sockets_fail("u", NOW)


def test_after_a_message_too_large_for_a_socket_the_thread_goes_on_over_http_and_nobody_rests(
    socket: PooledSocket,
) -> None:
    socket.from_client(CREATE)
    socket.closed(by_client=False, code=1009)
    pool = socket.service.pool
    assert pool.failures.sockets_fail("t", NOW)
    assert [seat.cooldown for seat in pool.candidates.values()] == [None, None]


def test_a_message_that_no_socket_takes_is_not_sent_and_the_thread_goes_on_over_http(socket: PooledSocket) -> None:
    """The client would say that it falls back if upstream closed its socket for that."""
    pool = socket.service.pool
    assert step_of(socket, socket.from_client(CREATE.ljust(MOST_BYTES + 1))) == Say(RECONNECT)
    assert not socket.active
    assert pool.failures.sockets_fail("t", NOW)
    assert [seat.cooldown for seat in pool.candidates.values()] == [None, None]
    assert {key: pool.in_flight(key) for key in (A, B)} == {A: 0, B: 0}


def test_a_message_as_large_as_a_socket_takes_passes(socket: PooledSocket) -> None:
    message = CREATE.ljust(MOST_BYTES)
    assert socket.from_client(message) == message


@pytest.mark.parametrize("code", [1000, 1008, 1011, 1012, 1013, 1006])
def test_a_socket_that_upstream_closes_before_output_leads_a_whole_request_to_another_account(
    turn: PooledSocket, code: int
) -> None:
    step = turn.closed_upstream(code)
    assert step is not None
    assert asked(step) == "b"
    assert turn.service.pool.tired(A, NOW)
    assert put(opens(turn)) == CREATE


def test_a_request_that_cannot_move_makes_the_client_reconnect_when_its_socket_is_closed(bound: PooledSocket) -> None:
    assert bound.closed_upstream(1000) == Say(RECONNECT)
    assert (bound.active, bound.service.pool.in_flight(A)) == (False, 0)


def test_a_socket_that_upstream_closes_between_turns_or_after_output_is_closed_for_the_client_too(
    turn: PooledSocket,
) -> None:
    turn.from_server(DELTA)
    assert turn.closed_upstream(1000) is None
    turn.from_server(COMPLETED)
    assert turn.closed_upstream(1000) is None


def test_after_two_accounts_have_closed_their_sockets_at_once_the_client_reconnects_and_is_sent_to_http(
    socket: PooledSocket,
) -> None:
    socket.from_client(CREATE)
    step = socket.closed_upstream(1011)
    assert step is not None
    assert asked(step) == "b"
    assert put(opens(socket)) == CREATE
    assert socket.closed_upstream(1011) == Say(RECONNECT)
    assert socket.service.pool.failures.sockets_fail("t", NOW)


def test_what_the_last_account_has_said_is_no_word_of_the_next_one(turn: PooledSocket) -> None:
    """Its socket is closed before it has said anything, too large a message is none that another socket would take."""
    assert asked(step_of(turn, turn.from_server(LIMIT))) == "b"
    opens(turn)
    assert turn.closed_upstream(1009) == Say(RECONNECT)
    assert turn.service.pool.failures.sockets_fail("t", NOW)
    assert turn.service.pool.candidates[B].cooldown is None


# --- another account's socket ----------------------------------------------------------------------------------------


def limited(turn: PooledSocket) -> PooledSocket:
    """Account a is at its limit, and an upgrade for account b is under way."""
    assert asked(step_of(turn, turn.from_server(LIMIT))) == "b"
    return turn


def test_another_account_s_socket_serves_from_then_on(turn: PooledSocket, clock: Clock) -> None:
    limited(turn)
    clock.advance(1)
    assert put(opens(turn)) == CREATE
    for _ in range(2):
        for message in (CREATED, DELTA, COMPLETED):
            assert turn.from_server(message) is None
        assert turn.service.pool.place("t", NOW).home == B
        assert turn.from_client(CREATE) == CREATE
    assert (turn.lease.key, turn.lease.at) == (B, NOW + 1)


def test_while_it_is_opened_other_messages_of_the_client_go_nowhere(turn: PooledSocket) -> None:
    assert limited(turn).from_client(event("response.cancel")) is HELD
    assert turn.take() is None


def test_a_request_that_comes_while_it_is_opened_is_what_it_gets(turn: PooledSocket) -> None:
    limited(turn).from_client(CREATE.replace(b"gpt", b"new"))
    assert put(opens(turn)) == CREATE.replace(b"gpt", b"new")


REFUSALS: list[tuple[int, bytes, str]] = [
    (429, json.dumps({"error": {"type": "usage_limit_reached", "resets_at": NOW + 600}}).encode(), "application/json"),
    (403, b'{"detail":"no"}', "application/json"),
    (403, b"<html>are you a person?</html>", "text/html"),
    (500, b"oh", "text/plain"),
    (200, b"<html>welcome</html>", "text/html"),
]


@pytest.mark.parametrize(("status", "body", "content_type"), REFUSALS)
def test_an_upgrade_that_is_refused_leads_to_the_next_account(
    service: PoolService, status: int, body: bytes, content_type: str
) -> None:
    with Store(service.store.path) as other:
        other.put_account(account("c"), credentials("c", expires_at=NOW + HOUR)).result()
    socket = upgrade(service)
    socket.from_client(CREATE)
    limited(socket)
    assert asked(refuses(socket, status, body, content_type=content_type)) == "c"
    assert service.pool.in_flight(B) == 0
    assert put(opens(socket)) == CREATE


@pytest.mark.parametrize(("status", "body", "content_type"), REFUSALS[:-1])
def test_an_upgrade_that_is_refused_when_nobody_is_left_is_told_in_band(
    turn: PooledSocket, status: int, body: bytes, content_type: str
) -> None:
    told = said(refuses(limited(turn), status, body, content_type=content_type))
    assert told["type"] == "error"
    assert told["status"] >= 400
    assert not turn.active
    assert turn.service.pool.in_flight(B) == 0


def test_a_page_in_the_place_of_a_socket_is_told_with_the_status_of_a_failure(turn: PooledSocket) -> None:
    assert said(refuses(limited(turn), 200, b"<html>welcome</html>", content_type="text/html"))["status"] >= 400


def test_of_two_limits_the_sooner_reset_is_told(turn: PooledSocket) -> None:
    told = said(refuses(limited(turn), *REFUSALS[0][:2], content_type=REFUSALS[0][2]))
    assert (told["status"], told["error"]["resets_at"]) == (429, NOW + 600)


def test_an_upgrade_that_is_refused_for_http_makes_the_client_reconnect(turn: PooledSocket) -> None:
    assert refuses(limited(turn), 426) == Say(RECONNECT)
    assert turn.service.pool.candidates[B].cooldown is None


@pytest.mark.parametrize("loss", Loss)
def test_a_connection_that_is_lost_is_told_in_band_when_nobody_is_left(turn: PooledSocket, loss: Loss) -> None:
    step = limited(turn).lost(loss, "no way")
    if step is Signal.AWAIT:  # a stale connection: nobody has read it
        assert asked(waited(turn)) == "b"
    else:
        assert said(step)["status"] in {429, 502}
        assert not turn.active


def test_a_connection_that_is_lost_leads_to_the_next_account(service: PoolService) -> None:
    with Store(service.store.path) as other:
        other.put_account(account("c"), credentials("c", expires_at=NOW + HOUR)).result()
    socket = upgrade(service)
    socket.from_client(CREATE)
    assert asked(limited(socket).lost(Loss.CONNECT, "refused")) == "c"


def test_a_socket_without_one_upstream_asks_for_it_at_the_next_request(turn: PooledSocket, clock: Clock) -> None:
    """After a turn that has failed the socket goes on."""
    said(refuses(limited(turn), 500))
    clock.advance(60)
    step = step_of(turn, turn.from_client(CREATE))
    assert asked(step) in "ab"
    assert put(opens(turn)) == CREATE
    for message in (CREATED, DELTA, COMPLETED):
        assert turn.from_server(message) is None
    assert turn.from_client(CREATE) == CREATE


def test_after_a_failed_turn_the_socket_serves_the_next_request(turn: PooledSocket) -> None:
    message = refused(400, "invalid_prompt")
    assert passed(message, turn.from_server(message))
    assert turn.from_client(CREATE) == CREATE
    for each in (CREATED, DELTA, COMPLETED):
        assert turn.from_server(each) is None


def test_a_request_that_somebody_has_led_off_its_route_is_not_sent_and_holds_no_account(turn: PooledSocket) -> None:
    turn.upgrades.request.path = "/somewhere/else"
    told = turn.from_server(LIMIT)
    assert isinstance(told, bytes)
    assert json.loads(told)["error"]["code"] == "codex_rotate_off_route"
    assert not turn.active
    assert {key: turn.service.pool.in_flight(key) for key in (A, B)} == {A: 0, B: 0}


# --- a token that is refused -----------------------------------------------------------------------------------------


def renewed(socket: PooledSocket) -> SocketStep:
    """There is a newer token."""
    assert isinstance(socket.awaited, steps.Renew)
    key = socket.awaited.lease.key
    new = credentials("new", expires_at=NOW + HOUR)
    socket.service.pool.renewed(key, new)
    socket.awaited = Renewed(new)
    return socket.decided()


def test_a_token_that_is_refused_is_renewed_and_the_same_account_asked_on_a_new_socket(turn: PooledSocket) -> None:
    assert step_of(turn, turn.from_server(refused(401))) is Signal.AWAIT
    step = renewed(turn)
    assert isinstance(step, Send)
    assert (step.key, step.request.headers["authorization"]) == (A, f"Bearer {credentials('new').access}")
    assert turn.service.pool.in_flight(A) == 1
    assert put(opens(turn)) == CREATE


def test_a_token_that_is_refused_to_an_upgrade_is_renewed_likewise(turn: PooledSocket) -> None:
    assert refuses(limited(turn), 401) is Signal.AWAIT
    step = renewed(turn)
    assert isinstance(step, Send)
    assert (step.key, step.request.headers["authorization"]) == (B, f"Bearer {credentials('new').access}")


def test_without_a_newer_token_another_account_takes_over(turn: PooledSocket) -> None:
    turn.from_server(refused(401))
    turn.awaited = NotRenewed(Outcome(kind=Kind.REFRESH_FAILED))
    assert asked(turn.decided()) == "b"


def test_a_request_that_comes_while_a_token_is_renewed_is_what_the_new_socket_gets(turn: PooledSocket) -> None:
    turn.from_server(refused(401))
    turn.take()
    turn.from_client(CREATE.replace(b"gpt", b"new"))
    renewed(turn)
    assert put(opens(turn)) == CREATE.replace(b"gpt", b"new")


def test_a_decision_that_has_failed_ends_the_turn_with_an_error_of_ours(turn: PooledSocket) -> None:
    turn.from_server(refused(401))
    turn.awaited = None
    assert said(turn.decided())["error"]["code"] == "codex_rotate_defect"
    assert (turn.active, turn.service.pool.in_flight(A)) == (False, 0)


# --- what a request continues ----------------------------------------------------------------------------------------


def ask(*texts: str, previous: str = "", items: tuple[dict[str, str], ...] = ()) -> bytes:
    given = [*({"type": "message", "text": each} for each in texts), *items]
    named = {"previous_response_id": previous} if previous else {}
    return json.dumps({"type": "response.create", "model": "gpt", **named, "input": given}).encode()


def answers(socket: PooledSocket, name: str, *texts: str) -> None:
    """The server answers with these items."""
    assert socket.from_server(event("response.created", response={"id": name})) is None
    for each in texts:
        done = event("response.output_item.done", item={"type": "message", "text": each})
        assert socket.from_server(done) is None
    assert socket.from_server(event("response.completed", response={"id": name})) is None


def texts_of(request: bytes) -> list[str]:
    read = json.loads(request)
    assert "previous_response_id" not in read
    return [each["text"] for each in read["input"]]


@pytest.fixture
def talking(socket: PooledSocket) -> PooledSocket:
    """Two turns of a conversation are over, the second continues the first."""
    for request, name, said in ((ask("1"), "resp_1", "one"), (ask("2", previous="resp_1"), "resp_2", "two")):
        assert socket.from_client(request) == request
        answers(socket, name, said)
    return socket


def test_a_request_that_continues_a_response_goes_elsewhere_with_its_history_and_without_the_name(
    talking: PooledSocket,
) -> None:
    request = ask("3", previous="resp_2")
    assert talking.from_client(request) == request
    limited(talking)
    assert texts_of(put(opens(talking))) == ["1", "one", "2", "two", "3"]
    answers(talking, "resp_3", "three")
    again = ask("4", previous="resp_3")
    assert talking.from_client(again) == again, "the server of now knows what it continues"


def test_a_request_that_continues_what_the_server_of_now_does_not_know_goes_with_its_history(
    talking: PooledSocket,
) -> None:
    """The turn that moved has come to nothing; the client goes on from the response before."""
    talking.from_client(ask("3", previous="resp_2"))
    limited(talking)
    opens(talking)
    talking.from_server(refused(400, "invalid_prompt"))
    told = talking.from_client(ask("3b", previous="resp_2"))
    assert isinstance(told, bytes)
    assert texts_of(told) == ["1", "one", "2", "two", "3b"]


def test_of_an_answer_that_failed_before_output_nothing_goes_along(talking: PooledSocket) -> None:
    talking.from_client(ask("3", previous="resp_2"))
    assert talking.from_server(event("response.created", response={"id": "resp_3"})) is None
    limited(talking)
    assert texts_of(put(opens(talking))) == ["1", "one", "2", "two", "3"]
    answers(talking, "resp_4", "three")
    request = ask("4", previous="resp_4")
    assert talking.from_client(request) == request
    assert isinstance(talking.closed_upstream(1000), Say), "nobody else is left"
    assert talking.service.pool.in_flight(B) == 0


SEALED = {"type": "reasoning", "encrypted_content": "sealed-by-a", "id": "rs_1"}
UNREADABLE = refused(400, "invalid_encrypted_content")


def test_what_the_account_cannot_read_is_left_out_on_the_same_socket(socket: PooledSocket) -> None:
    request = ask("1", items=(SEALED,))
    assert socket.from_client(request) == request
    assert pause_of(socket, socket.from_server(UNREADABLE)) == 0
    assert texts_of(put(waited(socket))) == ["1"]
    assert socket.service.pool.candidates[A].cooldown is None
    answers(socket, "resp_1")
    told = socket.from_client(request)
    assert isinstance(told, bytes)
    assert texts_of(told) == ["1"], "it is known from then on"


def test_what_the_next_account_cannot_read_of_the_history_is_left_out_on_its_socket(talking: PooledSocket) -> None:
    talking.from_client(ask("3", previous="resp_2", items=(SEALED,)))
    limited(talking)
    assert b"sealed-by-a" in put(opens(talking))
    assert pause_of(talking, talking.from_server(UNREADABLE)) == 0
    assert texts_of(put(waited(talking))) == ["1", "one", "2", "two", "3"]
    assert talking.lease.key == B
