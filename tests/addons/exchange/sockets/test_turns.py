"""Which account a turn on a socket goes to, and what it waits for."""

import json
from collections.abc import Callable

import pytest

from accounts.choice.outcomes import Kind, Outcome
from accounts.model import Standing
from accounts.store.store import Store
from accounts.turn import steps
from accounts.turn.events import NotRenewed, Renewed
from addons.attempts.protocol import Loss, Put, Say, Send, Signal, SocketStep
from addons.exchange.service import PoolService
from addons.exchange.sockets.pooled_socket import HELD, PooledSocket
from addons.wire.answers import RECONNECT
from tests.addons.exchange.sockets.talking import (
    COMPLETED,
    CREATE,
    CREATED,
    DELTA,
    LIMIT,
    LOST,
    A,
    B,
    alone,
    asked,
    change,
    event,
    failed,
    limited,
    opens,
    passed,
    pause_of,
    put,
    refused,
    refuses,
    rest,
    said,
    step_of,
    upgrade,
    waited,
)
from tests.builders import HOUR, NOW, Clock, account, credentials

# --- asked too often -------------------------------------------------------------------------------------------------

BURST = refused(429, "rate_limit_exceeded")


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
            assert isinstance(turn.turns.awaited, steps.Pause)
            waits.append(turn.turns.awaited.seconds)
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
    assert socket.turns.lease.key == B
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
        rest(socket.service, key)
    assert socket.from_client(CREATE) == CREATE
    assert socket.active


def test_a_paused_account_gets_no_further_turn_though_nobody_else_could_serve(socket: PooledSocket) -> None:
    for key in (A, B):
        change(socket.service, key, enabled=False)
    step = step_of(socket, socket.from_client(CREATE))
    assert isinstance(step, Say)
    assert b"paused" in step.content


def test_between_two_turns_a_paused_account_is_left_for_another_one(socket: PooledSocket) -> None:
    change(socket.service, A, enabled=False)
    socket.service.sync(at_once=True)
    assert asked(socket.unwanted()) == "b"
    assert socket.opened() is Signal.WAIT
    assert socket.from_client(CREATE) == CREATE


def test_what_is_asked_while_it_is_left_goes_to_the_socket_that_is_coming(socket: PooledSocket) -> None:
    change(socket.service, A, enabled=False)
    socket.service.sync(at_once=True)
    assert asked(socket.unwanted()) == "b"
    assert step_of(socket, socket.from_client(CREATE)) is Signal.WAIT
    assert socket.opened() == Put(CREATE)


def test_a_move_that_fails_is_made_by_the_next_turn(socket: PooledSocket) -> None:
    change(socket.service, A, enabled=False)
    socket.service.sync(at_once=True)
    assert asked(socket.unwanted()) == "b"
    assert socket.lost(Loss.CONNECT, "refused") is Signal.WAIT
    assert asked(step_of(socket, socket.from_client(CREATE))) == "b"


def test_nobody_moves_without_a_reason_or_without_anywhere_to_go(socket: PooledSocket) -> None:
    assert socket.unwanted() is Signal.WAIT
    for key in (A, B):
        change(socket.service, key, enabled=False)
    socket.service.sync(at_once=True)
    assert socket.unwanted() is Signal.WAIT


def test_nobody_moves_in_the_middle_of_a_turn(turn: PooledSocket) -> None:
    change(turn.service, A, enabled=False)
    turn.service.sync(at_once=True)
    assert turn.unwanted() is Signal.WAIT


def test_a_soft_rest_is_no_reason_to_move(socket: PooledSocket) -> None:
    rest(socket.service, A, Kind.SERVER_ERROR)
    assert socket.from_client(CREATE) == CREATE


def test_after_its_rest_the_account_serves_again(socket: PooledSocket, clock: Clock) -> None:
    rest(socket.service, A)
    assert step_of(socket, socket.from_client(LOST)) == Say(RECONNECT)
    clock.advance(60)
    assert socket.from_client(LOST) == LOST


# --- another account's socket ----------------------------------------------------------------------------------------


def test_another_account_s_socket_serves_from_then_on(turn: PooledSocket, clock: Clock) -> None:
    limited(turn)
    clock.advance(1)
    assert put(opens(turn)) == CREATE
    for _ in range(2):
        for message in (CREATED, DELTA, COMPLETED):
            assert turn.from_server(message) is None
        assert turn.service.pool.place("t", NOW).home == B
        assert turn.from_client(CREATE) == CREATE
    assert (turn.turns.lease.key, turn.turns.lease.at) == (B, NOW + 1)


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
    turn.turns.upgrades.request.path = "/somewhere/else"
    told = turn.from_server(LIMIT)
    assert isinstance(told, bytes)
    assert json.loads(told)["error"]["code"] == "codex_rotate_off_route"
    assert not turn.active
    assert {key: turn.service.pool.in_flight(key) for key in (A, B)} == {A: 0, B: 0}


# --- a token that is refused -----------------------------------------------------------------------------------------


def renewed(socket: PooledSocket) -> SocketStep:
    """There is a newer token."""
    assert isinstance(socket.turns.awaited, steps.Renew)
    key = socket.turns.awaited.lease.key
    new = credentials("new", expires_at=NOW + HOUR)
    socket.service.pool.renewed(key, new)
    socket.turns.awaited = Renewed(new)
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
    turn.turns.awaited = NotRenewed(Outcome(kind=Kind.REFRESH_FAILED))
    assert asked(turn.decided()) == "b"


def test_a_request_that_comes_while_a_token_is_renewed_is_what_the_new_socket_gets(turn: PooledSocket) -> None:
    turn.from_server(refused(401))
    turn.take()
    turn.from_client(CREATE.replace(b"gpt", b"new"))
    renewed(turn)
    assert put(opens(turn)) == CREATE.replace(b"gpt", b"new")


def test_a_decision_that_has_failed_ends_the_turn_with_an_error_of_ours(turn: PooledSocket) -> None:
    turn.from_server(refused(401))
    turn.turns.awaited = None
    assert said(turn.decided())["error"]["code"] == "codex_rotate_defect"
    assert (turn.active, turn.service.pool.in_flight(A)) == (False, 0)
