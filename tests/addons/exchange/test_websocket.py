"""Inside an open WebSocket: a refusal before any output makes the client reconnect, one after it is the client's."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.choice.decision_record import DECISION
from accounts.choice.outcomes import RULES, Action, Kind, Outcome, Rest
from accounts.choice.selection import Ask
from accounts.model import Cooldown, Standing
from accounts.store.store import Store
from addons.exchange.service import PoolService
from addons.exchange.websocket import MOST_BYTES, Held, Injected, PooledSocket
from addons.wire import events
from addons.wire.answers import RECONNECT
from tests.builders import HOUR, NOW, Clock, account, credentials, key_of, lease_of, planted

A, B = key_of("a"), key_of("b")
CREATE = b'{"type":"response.create","model":"gpt"}'


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


@pytest.fixture
def socket(service: PoolService) -> PooledSocket:
    """Upgraded on account a, by thread t."""
    return PooledSocket(service, lease_of(service.pool, "a", thread="t"))


@pytest.fixture
def turn(socket: PooledSocket) -> PooledSocket:
    """The same, with a turn under way and no output yet."""
    assert socket.from_client(CREATE) == CREATE
    assert socket.from_server(CREATED) is None
    return socket


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
def test_a_failure_before_output_makes_the_client_reconnect(turn: PooledSocket, message: bytes, kind: Kind) -> None:
    assert RULES[kind].action is not Action.DELIVER
    assert turn.from_server(message) == RECONNECT
    assert (turn.active, turn.service.pool.in_flight(A)) == (False, 0)


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_the_account_takes_the_consequences(turn: PooledSocket, message: bytes, kind: Kind) -> None:
    turn.from_server(message)
    candidate, rule = turn.service.pool.candidates[A], RULES[kind]
    if kind is Kind.TOKEN_EXPIRED:  # no penalty: the next who takes it renews it first
        assert candidate.cooldown is None
        assert lease_of(turn.service.pool, "a").wants_refresh(NOW)
    else:
        assert (candidate.cooldown is not None) == (rule.rest is not Rest.NONE)
        assert candidate.account.standing is (rule.standing or Standing.GOOD)


@pytest.mark.parametrize(("message", "kind"), BEFORE_OUTPUT)
def test_an_account_that_fails_after_output_makes_the_client_ask_another(
    turn: PooledSocket, message: bytes, kind: Kind
) -> None:
    """Most of these errors would end the client's turn for good."""
    turn.from_server(DELTA)
    assert turn.from_server(message) == (None if kind is Kind.FAILED_IN_STREAM else RECONNECT)
    assert turn.service.pool.in_flight(A) == 0
    assert turn.service.pool.can_serve(A, Ask(), NOW) == (not RULES[kind].bars)


def test_with_nobody_left_a_failure_after_output_is_the_clients_to_see(turn: PooledSocket) -> None:
    rest(turn.service, B)
    turn.service.sync(at_once=True)
    turn.from_server(DELTA)
    assert turn.from_server(LIMIT) is None


@pytest.mark.parametrize(
    ("code", "status"),
    [("usage_limit_reached", 429), ("server_is_overloaded", 503), ("invalid_prompt", 400), ("x", 500)],
)
@pytest.mark.parametrize("output", [False, True])
def test_an_error_without_a_status_gets_the_one_it_has_over_http(
    turn: PooledSocket, code: str, status: int, output: bool
) -> None:
    """The client would take no notice of it, and wait."""
    rest(turn.service, B)
    turn.service.sync(at_once=True)
    if output:
        turn.from_server(DELTA)
    told = turn.from_server(event("error", error={"code": code, "message": "m"}))
    assert isinstance(told, bytes)
    assert json.loads(told)["status"] == status


@pytest.mark.parametrize(("message", "kind"), TO_THE_CLIENT)
def test_what_is_the_requests_fault_is_the_clients_to_see(turn: PooledSocket, message: bytes, kind: Kind) -> None:
    assert turn.from_server(message) is None
    assert turn.service.pool.candidates[A].cooldown is None
    turn.service.store.flush()
    assert [each.kind for each in turn.service.store.events(9)] == [DECISION, kind]


@pytest.mark.parametrize("prelude", sorted(events.PRELUDE))
def test_a_prelude_is_no_output(turn: PooledSocket, prelude: str) -> None:
    assert turn.from_server(event(prelude)) is None
    assert turn.from_server(LIMIT) == RECONNECT


def test_output_counts_for_its_own_turn_only(turn: PooledSocket) -> None:
    for message in (DELTA, COMPLETED):
        turn.from_server(message)
    turn.from_client(CREATE)
    assert turn.from_server(LIMIT) == RECONNECT


def test_what_comes_after_a_failure_passes(turn: PooledSocket) -> None:
    assert turn.from_server(LIMIT) == RECONNECT
    assert turn.from_server(LIMIT) is None
    assert turn.from_server(COMPLETED) is None


@pytest.mark.parametrize("status", [200, 302, 600])
def test_a_failure_with_a_status_of_success_is_still_a_failure(turn: PooledSocket, status: int) -> None:
    turn.from_server(event("error", status=status, error={"message": "?"}))
    assert turn.service.pool.place("t", NOW).home == ""


def test_the_reconnect_is_the_one_that_the_client_does_in_silence() -> None:
    assert json.loads(RECONNECT)["error"]["code"] == "websocket_connection_limit_reached"


# --- asked too often -------------------------------------------------------------------------------------------------

BURST = refused(429, "rate_limit_exceeded")


@pytest.mark.parametrize("message", [BURST, failed("slow_down")])
def test_an_account_that_is_asked_too_often_is_asked_again_after_a_moment(turn: PooledSocket, message: bytes) -> None:
    """The client hears nothing of it."""
    assert turn.from_server(message) == Held(1.0)
    assert turn.resumed() == CREATE
    assert turn.resumed() is None
    assert turn.from_server(DELTA) is None
    assert turn.service.pool.candidates[A].cooldown is None


def test_a_moment_is_for_nothing_when_the_client_has_left(turn: PooledSocket) -> None:
    turn.from_server(BURST)
    turn.closed(by_client=True)
    assert turn.resumed() is None
    assert turn.service.pool.in_flight(A) == 0


@pytest.mark.parametrize("message", [failed("rate_limit_exceeded"), BURST, CREATED, DELTA, COMPLETED])
def test_what_upstream_still_says_of_the_failed_answer_is_for_nobody(turn: PooledSocket, message: bytes) -> None:
    turn.from_server(BURST)
    assert turn.from_server(message) == Held(None)
    assert turn.resumed() == CREATE


def test_a_request_in_the_moment_goes_at_once(turn: PooledSocket) -> None:
    turn.from_server(BURST)
    assert turn.from_client(CREATE) == CREATE
    assert turn.resumed() is None


def test_after_its_moment_another_account_takes_over(turn: PooledSocket) -> None:
    turn.from_server(BURST)
    turn.resumed()
    assert turn.from_server(BURST) == RECONNECT
    assert turn.service.pool.tired(A, NOW)


def waits_of(turn: PooledSocket) -> tuple[list[float], bytes | None]:
    """How long an account is waited for that is always asked too often, and what the client hears in the end."""
    waits = []
    while isinstance(told := turn.from_server(BURST), Held):
        waits.append(told.seconds or 0)
        turn.resumed()
    return waits, told


def test_when_everybody_is_asked_too_often_the_socket_waits_longer_each_time(turn: PooledSocket) -> None:
    turn.service.pool.report(lease_of(turn.service.pool, "b", thread="t"), Outcome(kind=Kind.BURST_LIMIT), NOW)
    assert waits_of(turn) == ([1, 1, 2, 4, 4], RECONNECT)


def test_the_only_account_is_waited_for_and_then_the_client_waits(turn: PooledSocket) -> None:
    rest(turn.service, B)
    turn.service.sync(at_once=True)
    waits, told = waits_of(turn)
    assert waits == [1, 1, 2, 4, 4]
    assert json.loads(told or b"")["headers"] == {"retry-after": "1"}


# --- nobody left -----------------------------------------------------------------------------------------------------


def test_when_all_are_at_their_limits_the_soonest_reset_is_told(turn: PooledSocket) -> None:
    rest(turn.service, B, seconds=300)
    turn.service.sync(at_once=True)
    instead = turn.from_server(LIMIT)
    assert instead is not None
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
    assert instead is not None
    assert json.loads(instead)["error"]["resets_at"] == NOW + 900


@pytest.mark.parametrize("message", [refused(500), failed("server_is_overloaded"), failed("never_heard_of")])
def test_when_nobody_is_left_a_passing_trouble_is_told_in_upstreams_words(turn: PooledSocket, message: bytes) -> None:
    rest(turn.service, B)
    turn.service.sync(at_once=True)
    assert turn.from_server(message) is None


# --- before a turn ---------------------------------------------------------------------------------------------------

OUT: dict[str, Callable[[PoolService], None]] = {
    "paused": lambda service: change(service, A, enabled=False),
    "signed out": lambda service: change(service, A, standing=Standing.NEEDS_LOGIN),
    "at its limit": lambda service: rest(service, A),
}


@pytest.mark.parametrize("happens", OUT.values(), ids=OUT)
def test_an_account_that_cannot_serve_any_more_gets_no_further_turn(
    socket: PooledSocket, happens: Callable[[PoolService], None]
) -> None:
    happens(socket.service)
    assert socket.from_client(CREATE) == Injected(RECONNECT)
    assert (socket.active, socket.service.pool.in_flight(A)) == (False, 0)


@pytest.mark.parametrize("happens", OUT.values(), ids=OUT)
def test_a_turn_under_way_is_not_disturbed(turn: PooledSocket, happens: Callable[[PoolService], None]) -> None:
    happens(turn.service)
    for message in (DELTA, COMPLETED):
        assert turn.from_server(message) is None


def test_a_removed_account_gets_no_further_turn(socket: PooledSocket) -> None:
    with Store(socket.service.store.path) as other:
        other.remove_account(A).result()
    assert socket.from_client(CREATE) == Injected(RECONNECT)


def test_nobody_is_sent_away_when_nobody_else_could_serve(socket: PooledSocket) -> None:
    for key in (A, B):
        change(socket.service, key, enabled=False)
    assert socket.from_client(CREATE) == CREATE
    assert socket.active


def test_a_soft_rest_is_no_reason_to_reconnect(socket: PooledSocket) -> None:
    rest(socket.service, A, Kind.SERVER_ERROR)
    assert socket.from_client(CREATE) == CREATE


def test_after_its_rest_the_account_serves_again(socket: PooledSocket, clock: Clock) -> None:
    rest(socket.service, A)
    assert socket.from_client(CREATE) == Injected(RECONNECT)
    clock.advance(60)
    assert socket.from_client(CREATE) == CREATE


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
    seen = f"{caplog.text} {turn.service.store.events(9)} {instead!r} {turn.lease!r}"
    assert not [secret for secret in secrets if secret in seen]


# --- silence ---------------------------------------------------------------------------------------------------------


def test_a_turn_that_nothing_has_answered_in_time_goes_to_another_account(turn: PooledSocket) -> None:
    assert turn.silent_since(turn.heard) == RECONNECT
    assert turn.service.pool.candidates[A].cooldown is None
    assert turn.service.pool.select(Ask(thread="t"), NOW).key == B  # type: ignore[union-attr]
    assert not turn.active


def test_a_word_in_time_is_enough(turn: PooledSocket) -> None:
    heard = turn.heard
    turn.from_server(CREATED)
    assert turn.silent_since(heard) is None
    assert turn.active


def test_between_turns_silence_is_what_is_expected(turn: PooledSocket) -> None:
    turn.from_server(COMPLETED)
    assert turn.silent_since(turn.heard) is None


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
        PooledSocket(service, lease_of(service.pool, name, thread="t")).closed(by_client=False, code=1011)
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
    assert socket.from_client(CREATE.ljust(MOST_BYTES + 1)) == Injected(RECONNECT)
    assert not socket.active
    assert pool.failures.sockets_fail("t", NOW)
    assert [seat.cooldown for seat in pool.candidates.values()] == [None, None]
    assert {key: pool.in_flight(key) for key in (A, B)} == {A: 0, B: 0}


def test_a_message_as_large_as_a_socket_takes_passes(socket: PooledSocket) -> None:
    message = CREATE.ljust(MOST_BYTES)
    assert socket.from_client(message) == message
