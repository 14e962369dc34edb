"""When nobody is left to ask: the client hears what it can act on, in the shape its own service would use."""

import math

import pytest

from standin import Fault, FaultKind
from tests.proxy.clients import Got, Http2, Socket, http1, turn1, turn_ws
from tests.proxy.conftest import Bench


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


def test_a_spent_pool_sends_a_socket_to_http_where_errors_keep_their_body(bench: Bench):
    both(bench, FaultKind.USAGE_LIMIT)
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.upgrade.status == 426


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
@pytest.mark.parametrize("kind", [FaultKind.UNAUTHORIZED_INVALIDATED, FaultKind.UNAUTHORIZED_EXPIRED])
@pytest.mark.parametrize("seats", [1, 2, 4])
def test_a_managed_account_s_401_never_reaches_the_client(shared: Bench, version: str, kind: FaultKind, seats: int):
    """The client would take it for its own, and spend its own refresh token on it."""
    bench = shared
    bench.start_test(seats)
    both(bench, kind)
    assert turn(bench, version).status not in (401, 101)


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_upstream_s_own_words_are_delivered_when_everybody_is_overloaded(bench: Bench, version: str):
    both(bench, FaultKind.OVERLOADED)
    answer = turn(bench, version)
    assert (answer.status, answer.error["code"]) == (503, "server_is_overloaded")
    assert bench.served_by() == ["first", "second"]


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.CLOSE, FaultKind.HANG])
def test_no_answer_from_anybody_is_a_502_in_json(bench: Bench, version: str, kind: FaultKind):
    both(bench, kind)
    answer = turn(bench, version)
    assert (answer.status, answer.error["type"]) == (502, "codex_rotate_upstream_unreachable")
    assert bench.served_by() == ["first", "second"]


def test_accounts_that_only_a_person_can_help_are_named(bench: Bench):
    """400 is the one status whose text the client prints at once."""
    bench.upstream.fault("*", Fault(FaultKind.DEACTIVATED))
    answer = turn(bench, "h1")
    assert answer.status == 400
    assert answer.error["type"] == "codex_rotate_no_account"
    for account in bench.accounts:
        assert f"{account.account_id}: deactivated" in answer.error["message"]
    assert "codex-rotate list" in answer.error["message"]
