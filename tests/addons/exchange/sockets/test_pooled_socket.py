"""Inside an open WebSocket: before any output another account takes over beneath it; after it, it is the client's."""

import json
import logging

import pytest

from accounts.choice.decision_record import DECISION
from accounts.choice.outcomes import RULES, Action, Kind, Rest
from accounts.choice.selection import Ask
from accounts.model import Standing
from accounts.turn import steps
from accounts.turn.state import CLIENT_SECONDS
from addons.attempts.protocol import Say, Send, Signal
from addons.exchange.patience import UPGRADE_SECONDS
from addons.exchange.service import PoolService
from addons.exchange.sockets.pooled_socket import HELD, PooledSocket
from addons.exchange.sockets.turns import MOST_BYTES
from addons.wire import events
from addons.wire.answers import RECONNECT
from tests.addons.exchange.sockets.talking import (
    COMPLETED,
    CREATE,
    CREATED,
    DELTA,
    LIMIT,
    A,
    B,
    alone,
    asked,
    event,
    failed,
    opens,
    passed,
    put,
    refused,
    rest,
    step_of,
    upgrade,
)
from tests.builders import NOW, Clock, credentials, planted

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


@pytest.mark.parametrize("message", [DELTA, COMPLETED, CREATED, event("codex.rate_limits"), event("something.new")])
def test_what_comes_between_two_turns_and_is_no_failure_passes(socket: PooledSocket, message: bytes) -> None:
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
        assert isinstance(turn.turns.awaited, steps.Renew)
        assert turn.turns.awaited.lease.key == A
    else:
        assert asked(step) == "b"
        assert (turn.active, pool.in_flight(A), pool.in_flight(B)) == (True, 0, 1)
    assert b"state-of-a" not in (bytes(step.request.headers) if isinstance(step, Send) else b"")


UNUSUAL: list[bytes] = [
    event("response.error", error={"code": "server_is_overloaded"}),
    event("Error", error="usage_limit_reached"),
    event("insufficient_quota", message="no"),
    b'{"status": "503"}',
    b'{"code": "server_error", "message": "no"}',
    event("response.completed", response={"status": "failed", "error": {"code": "server_error"}}),
    event("response.incomplete", response={"incomplete_details": {"reason": "usage_limit_reached"}}),
    event("response.cancelled", response={"status": "cancelled"}),
]


@pytest.mark.parametrize("message", UNUSUAL)
def test_before_output_another_account_takes_over_whatever_the_failure_is_called(
    turn: PooledSocket, message: bytes
) -> None:
    """The client would wait for ever, or take it for an answer with nothing in it."""
    assert turn.from_server(CREATED) in {None, CREATED}
    assert asked(step_of(turn, turn.from_server(message))) == "b"


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


def test_the_same_failure_again_after_the_client_was_told_to_reconnect_goes_no_further(bound: PooledSocket) -> None:
    assert bound.from_server(LIMIT) == RECONNECT
    assert bound.from_server(LIMIT) is HELD
    assert bound.from_server(COMPLETED) is HELD, "of a socket that is left"


@pytest.mark.parametrize(
    ("message", "following"),
    [
        (LIMIT, "b"),
        (failed("usage_limit_reached"), "b"),
        (refused(401, "token_invalidated"), "b"),
        (refused(500), "b"),
        (refused(401, "token_expired"), "a"),
        (refused(429, "rate_limit_exceeded"), "a"),
        (refused(400, "websocket_connection_limit_reached"), "a"),
        *((message, "b") for message in UNUSUAL),
    ],
)
def test_a_failure_between_two_turns_is_no_answer_to_the_next_one(
    turn: PooledSocket, message: bytes, following: str
) -> None:
    """The client would take it for that. Where a turn would ask somebody else the account takes the consequences; the
    next turn gets another socket."""
    assert turn.from_server(COMPLETED) is None
    assert turn.from_server(message) is HELD
    assert turn.take() is None
    assert turn.service.pool.in_flight(A) == 0
    assert asked(step_of(turn, turn.from_client(CREATE))) == following


@pytest.mark.parametrize("status", [200, 302, 600])
def test_a_failure_with_a_status_of_success_is_still_a_failure(turn: PooledSocket, status: int) -> None:
    turn.from_server(event("error", status=status, error={"message": "?"}))
    assert turn.service.pool.place("t", NOW).home == ""


def test_the_reconnect_is_the_one_that_the_client_does_in_silence() -> None:
    assert json.loads(RECONNECT)["error"]["code"] == "websocket_connection_limit_reached"


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
    turns = turn.turns
    seen = f"{caplog.text} {turn.service.store.events(9)} {instead!r} {turns.lease!r} {turn.take()!r} {turns.awaited!r}"
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
    assert turn.patience() == 0, "it is not looked at again"
    turn.from_server(DELTA)
    assert turn.patience() > 0


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
