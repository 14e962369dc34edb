"""What the owner of a pool may choose otherwise: the proxy follows, and names the rule when it keeps somebody out."""

import json

import pytest

from standin import FaultKind
from tests.proxy.clients import Got, Http2, http1, turn1, turn_ws
from tests.proxy.conftest import Bench
from tests.proxy.test_choices import COMPACT

ENV = {
    "CODEX_ROTATE_STRATEGY": "round_robin",
    "CODEX_ROTATE_ON_FOREIGN_COMPACTION": "drop",
    "CODEX_ROTATE_PARK_SECONDS": "0",
    "CODEX_ROTATE_DEFER_PERCENT": "100",
}


def test_a_thread_may_go_on_without_its_summary(bench: Bench) -> None:
    """The event log says so, because a summary is not left out in silence."""
    bench.upstream.seal_reasoning = True
    with http1(bench.proxy) as client:
        done = turn1(client, bench.headers(), json.dumps(COMPACT).encode())
        item = next(e["item"] for e in done.events if e["type"] == "response.output_item.done")
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=7200)
        history = [item, {"type": "message", "role": "user", "content": "go on"}]
        answer = turn1(client, bench.headers(), json.dumps({"model": "gpt-5", "input": history}).encode())
    bench.upstream.seal_reasoning = False
    assert answer.text == bench.second.answer
    assert bench.served_by() == ["first", "first", "second", "second"]
    assert [seen.json()["input"] for seen in bench.seen()][-2:] == [history, history[1:]]
    assert bench.happened(bench.second, "unsealed")


def test_new_threads_go_round(bench: Bench) -> None:
    for account in bench.accounts:
        bench.store.update_account(bench.keys[account.account_id], priority=0).result()
    with Http2(bench.proxy) as client:
        answers = [client.turn(bench.headers(thread_id=f"{bench.thread}-{n}")).text for n in range(4)]
    one, other = (account.answer for account in bench.accounts)
    assert answers in ([one, other] * 2, [other, one] * 2)


@pytest.mark.parametrize("version", ["http", "ws"])
def test_nobody_is_kept_waiting_when_the_owner_does_not_want_it(bench: Bench, version: str) -> None:
    for account in bench.accounts:
        bench.fault(account, FaultKind.USAGE_LIMIT, resets_in=30)
    assert asked(bench, version)["type"] == "usage_limit_reached"


def asked(bench: Bench, version: str) -> dict[str, object]:
    """The error that a client gets."""
    if version == "ws":
        return dict(turn_ws(bench.proxy, bench.headers()).error)
    with http1(bench.proxy) as client:
        answer: Got = turn1(client, bench.headers())
        return dict(answer.error)
