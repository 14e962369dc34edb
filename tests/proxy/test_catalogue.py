"""The list of models is that of the whole pool, whichever account is asked, and the client fetches it anew only if it
has changed."""

import json
from typing import Any

import pytest

from standin import FaultKind
from tests.proxy.clients import ASK, MODELS, Got, Http2, Socket, got, http1, turn1
from tests.proxy.conftest import Bench


def fetched(bench: Bench, version: str = "h1", **headers: str) -> Got:
    if version == "h1":
        with http1(bench.proxy) as client:
            return got(client.get(MODELS, headers=bench.headers(**headers)))
    with Http2(bench.proxy) as client:
        return client.answer(client.ask(bench.headers(**headers), method="GET", path=MODELS, body=b""))


def slugs(answer: Got) -> list[str]:
    assert answer.status == 200
    return [each["slug"] for each in json.loads(answer.body)["models"]]


@pytest.fixture
def lists(bench: Bench) -> Bench:
    bench.upstream.lists(bench.first.account_id, "gpt-5", "gpt-4")
    bench.upstream.lists(bench.second.account_id, "gpt-6", "gpt-5")
    return bench


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_what_any_account_has_is_listed(lists: Bench, version: str) -> None:
    """In the same order and under the same tag each time; each account is asked once in an hour."""
    answers = [fetched(lists, version) for _ in range(3)]
    assert {tuple(slugs(each)) for each in answers} == {("gpt-6", "gpt-5", "gpt-4")}
    assert len({each.headers["etag"] for each in answers}) == 1
    assert lists.served_by(MODELS) == ["first", "second", "first", "first"]
    assert [seen.foreign_cookies for seen in lists.seen()] == [()] * 4


@pytest.mark.parametrize("kind", [FaultKind.SERVER_ERROR, FaultKind.RESET, FaultKind.HTML, FaultKind.HANG])
def test_an_account_that_gives_no_list_keeps_nobody_waiting(lists: Bench, kind: FaultKind) -> None:
    """The others' is served, two seconds later at the latest."""
    lists.fault(lists.second, kind, path=MODELS)
    assert slugs(fetched(lists)) == ["gpt-5", "gpt-4"]
    assert lists.unpunished()
    assert lists.served_by(MODELS) == ["first", "second"]


def test_the_tag_in_answers_is_that_of_the_list(lists: Bench) -> None:
    """Whoever serves, and over every transport; before there is one, answers name none."""
    tags: set[Any] = set()
    with http1(lists.proxy) as client, Http2(lists.proxy) as other:
        assert "x-models-etag" not in turn1(client, lists.headers()).headers
        tag = fetched(lists).headers["etag"]
        for account in (lists.first, lists.second):
            tags |= {turn1(client, lists.headers()).headers["x-models-etag"]}
            tags |= {other.turn(lists.headers()).headers["x-models-etag"]}
            with Socket(lists.proxy, lists.headers()) as socket:
                tags |= {socket.upgrade.headers["x-models-etag"]}
            lists.fault(account, FaultKind.USAGE_LIMIT, resets_in=60)
    assert tags == {tag}


def test_a_client_of_one_account_gets_that_accounts_list(lists: Bench) -> None:
    """As the account has sent it."""
    lists.store.choose_account(lists.keys[lists.second.account_id]).result()
    assert slugs(fetched(lists)) == ["gpt-6", "gpt-5"]
    assert lists.served_by(MODELS) == ["second"]
    with http1(lists.proxy) as client:
        own = turn1(client, lists.headers()).headers["x-models-etag"]
    assert own == fetched(lists).headers["etag"]


def test_a_paused_account_lists_nothing(lists: Bench) -> None:
    before = fetched(lists)
    lists.store.update_account(lists.keys[lists.second.account_id], enabled=False).result()
    after = fetched(lists)
    assert (slugs(before), slugs(after)) == (["gpt-6", "gpt-5", "gpt-4"], ["gpt-5", "gpt-4"])
    assert before.headers["etag"] != after.headers["etag"]


def test_an_account_without_a_list_is_delivered_as_it_is(bench: Bench) -> None:
    assert json.loads(fetched(bench).body) == {"models": []}
    assert bench.served_by(MODELS) == ["first"]


def test_a_model_of_one_account_is_served_by_it(lists: Bench) -> None:
    """What the list shows can be had."""
    fetched(lists)
    with http1(lists.proxy) as client:
        body = ASK.replace(b"gpt-5", b"gpt-6")
        answer = turn1(client, lists.headers(thread_id="new", x_codex_routing_hint="model=gpt-6"), body)
    assert answer.text == lists.second.answer
