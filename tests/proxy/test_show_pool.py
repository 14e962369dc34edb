"""With `show_pool = "pool"` the client hears of the limits of the account that has most left, whoever serves it."""

from typing import Any

import pytest

from accounts.choice.quota import from_event, from_headers, from_usage
from standin.accounts import Window
from tests.proxy.clients import MODELS, Socket, http1, turn1, turn_over
from tests.proxy.conftest import Bench

ENV = {"CODEX_ROTATE_SHOW_POOL": "pool"}
USAGE = "/backend-api/wham/usage"


def window(used: float) -> Window:
    return Window(used_percent=used, minutes=300, resets_in=3600)


@pytest.fixture
def spent(bench: Bench) -> Bench:
    """Of the account that serves next to nothing is left; half of the other. The client's own login is spent."""
    bench.home.limits(primary=window(99.5), secondary=None)
    bench.first.limits(primary=window(94), secondary=None)
    bench.second.limits(primary=window(50), secondary=None)
    for account in bench.accounts:  # known to the pool
        with http1(bench.proxy, says=f"{account.account_id}:") as client:
            assert turn1(client, bench.headers(thread_id=f"{bench.thread}-{account.account_id}")).completed
    return bench


def in_messages(messages: list[dict[str, Any]]) -> list[float]:
    return [each.used_percent for event in messages for each in from_event(event, 0)]


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_head_tells_them(spent: Bench, version: str) -> None:
    got = turn_over(version, spent.proxy, spent.headers())
    assert got.completed
    assert [each.used_percent for each in from_headers(got.headers, spent.now)] == [50]


def test_an_event_in_a_socket_tells_them(spent: Bench) -> None:
    with Socket(spent.proxy, spent.headers()) as socket:
        got = socket.turn()
    assert got.completed
    assert in_messages(got.messages) == [50]


def test_the_pool_itself_knows_better(spent: Bench) -> None:
    assert turn_over("ws", spent.proxy, spent.headers()).completed
    spent.settle()
    known = spent.store.windows()
    assert {round(each.used_percent) for key in spent.keys.values() for each in known[key]} >= {94, 50}


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_an_answer_about_usage_is_the_clients_own_with_them(spent: Bench, coding: str) -> None:
    with http1(spent.proxy) as client:
        answer = client.get(USAGE, headers=spent.headers(accept_encoding=coding))
    told = answer.json()
    assert (answer.status_code, told["account_id"]) == (200, spent.home.account_id)
    assert [each.used_percent for each in from_usage(told, spent.now)] == [50]
    assert spent.served_by(USAGE) == ["own"]


def test_what_its_own_login_is_refused_is_refused(spent: Bench) -> None:
    with http1(spent.proxy) as client:
        assert client.get(USAGE, headers=spent.headers(authorization="Bearer nobody-knows-it")).status_code == 401


def test_what_is_no_answer_about_usage_passes(spent: Bench) -> None:
    spent.home.usage_gets("html_200")
    with http1(spent.proxy) as client:
        assert "A page for browsers" in client.get(USAGE, headers=spent.headers()).text
    spent.home.usage_gets("")


def test_nothing_is_asked_for_in_another_coding_than_it_can_be_changed_in(spent: Bench) -> None:
    began = len(spent.seen())
    with http1(spent.proxy) as client:
        turn1(client, spent.headers(accept_encoding="zstd,gzip"))
        client.get(f"{MODELS}?client_version=1", headers=spent.headers(accept_encoding="gzip"))
    asked = [dict(each.headers).get("accept-encoding") for each in spent.seen()[began:]]
    assert asked == ["identity", "gzip"]
