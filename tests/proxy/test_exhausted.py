"""When nobody is left to ask: the client hears what it can act on, in the shape its own service would use."""

import math

import pytest

from standin import Fault, FaultKind
from tests.proxy.clients import RECONNECT, Got, Http2, Socket, http1, turn1, turn_ws
from tests.proxy.conftest import Bench

ONE_HTTP = True


def turn(bench: Bench, version: str) -> Got:
    if version == "ws":
        return turn_ws(bench.proxy, bench.headers())
    if version == "h2":
        with Http2(bench.proxy) as client:
            return client.turn(bench.headers())
    with http1(bench.proxy) as client:
        return turn1(client, bench.headers())


def both(bench: Bench, kind: FaultKind) -> None:
    for account in bench.accounts:
        bench.fault(account, kind)


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_spent_pool_is_a_usage_limit_until_the_first_account_is_back(bench: Bench, version: str):
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=7200)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=3600)
    for _ in range(2):
        answer = turn(bench, version)
        assert answer.status == 429
        assert answer.error["type"] == "usage_limit_reached"
        assert answer.error["plan_type"] == "plus"
        assert answer.error["resets_at"] == pytest.approx(bench.now + 3600, abs=5)
        assert answer.error["resets_in_seconds"] == pytest.approx(3600, abs=5)
        assert int(answer.headers["retry-after"]) == math.ceil(answer.error["resets_in_seconds"])
    assert bench.served_by() == ["first", "second"], "nobody is asked again"


@pytest.mark.parametrize("warm_up", [True, False])
def test_inside_a_socket_a_spent_pool_is_the_same_usage_limit(bench: Bench, warm_up: bool):
    """The upgrade is accepted, because a refused one would lose its body; a warm-up is told what a turn is told."""
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=7200)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=3600)
    for _ in range(2):
        with Socket(bench.proxy, bench.headers()) as client:
            assert client.upgrade.status == 101
            answer = client.turn(**({"generate": False} if warm_up else {}))
            assert client.ending() == 1000
        (told,) = answer.messages
        assert (told["type"], told["status"]) == ("error", 429)
        assert answer.error["type"] == "usage_limit_reached"
        assert answer.error["plan_type"] == "plus"
        assert answer.error["resets_at"] == pytest.approx(bench.now + 3600, abs=5)
        assert told["headers"] == {"retry-after": str(answer.error["resets_in_seconds"])}
    assert bench.served_by() == ["first", "second"], "nobody is asked again"


@pytest.mark.parametrize("version", ["h1", "h2", "ws"])
def test_a_reset_that_is_near_is_the_clients_to_wait_for(bench: Bench, version: str):
    """It waits as long as it is told, for any 429 that is not a usage limit."""
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=7200)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=100)
    answer = turn(bench, version)
    (told,) = answer.messages or [{"status": answer.status, "headers": answer.headers}]
    assert (told["status"], answer.error["type"]) == (429, "codex_rotate_try_again")
    assert int(told["headers"]["retry-after"]) == pytest.approx(100, abs=5)


def test_a_socket_of_ours_sends_the_client_on_when_an_account_is_back(bench: Bench):
    """And while it waits for the client's request, everybody else is served."""
    both(bench, FaultKind.USAGE_LIMIT)
    with Socket(bench.proxy, bench.headers()) as waiting:
        assert waiting.upgrade.status == 101
        assert bench.happened(bench.second, "usage_limit")
        bench.upstream.clear()
        bench.store.clear_cooldown(bench.keys[bench.second.account_id]).result()
        assert turn(bench, "h2").text == bench.second.answer
        assert waiting.turn().error["code"] == RECONNECT
        assert waiting.ending() == 1000
    assert turn(bench, "ws").text == bench.second.answer


def test_the_last_account_s_limit_inside_a_socket_names_the_pool_s_time(bench: Bench):
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=600)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=7200, in_band=True)
    answer = turn_ws(bench.proxy, bench.headers())
    assert answer.messages[-1]["status"] == 429
    assert answer.error["type"] == "usage_limit_reached"
    assert answer.error["resets_at"] == pytest.approx(bench.now + 600, abs=5)


def test_a_spent_pool_is_used_again_when_a_rest_is_ended(bench: Bench):
    both(bench, FaultKind.USAGE_LIMIT)
    assert turn(bench, "h2").status == 429
    assert bench.happened(bench.second, "usage_limit")
    bench.upstream.clear()
    bench.store.clear_cooldown(bench.keys[bench.second.account_id]).result()
    assert turn(bench, "h2").text == bench.second.answer


@pytest.mark.parametrize("version", ["h1", "h2", "ws"])
@pytest.mark.parametrize(
    ("kind", "seats"),
    [
        (FaultKind.UNAUTHORIZED_INVALIDATED, 1),
        (FaultKind.UNAUTHORIZED_EXPIRED, 2),
        (FaultKind.UNAUTHORIZED_INVALIDATED, 4),
    ],
)
def test_a_managed_account_s_401_never_reaches_the_client(shared: Bench, version: str, kind: FaultKind, seats: int):
    """The client would take it for its own, and spend its own refresh token on it."""
    bench = shared
    bench.start_test(seats)
    both(bench, kind)
    answer = turn(bench, version)
    assert 401 not in (answer.status, *(told.get("status") for told in answer.messages))
    assert not answer.completed


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_upstream_s_own_words_are_delivered_when_everybody_is_overloaded(bench: Bench, version: str):
    both(bench, FaultKind.OVERLOADED)
    answer = turn(bench, version)
    assert (answer.status, answer.error["code"]) == (503, "server_is_overloaded")
    assert bench.served_by() == ["first", "second"]


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.CLOSE])
def test_no_answer_from_anybody_is_a_502_in_json(bench: Bench, version: str, kind: FaultKind):
    both(bench, kind)
    answer = turn(bench, version)
    assert (answer.status, answer.error["type"]) == (502, "codex_rotate_upstream_unreachable")
    assert bench.served_by() == ["first", "second"]


@pytest.mark.parametrize("version", ["h1", "ws"])
def test_accounts_that_only_a_person_can_help_are_named(bench: Bench, version: str):
    """400 is the one status whose text the client prints at once."""
    bench.upstream.fault("*", Fault(FaultKind.DEACTIVATED))
    answer = turn(bench, version)
    assert (answer.messages[-1]["status"] if answer.messages else answer.status) == 400
    assert answer.error["type"] == "codex_rotate_no_account"
    for account in bench.accounts:
        assert f"{account.account_id}: deactivated" in answer.error["message"]
    assert "codex-rotate list" in answer.error["message"]
