"""An account dies in the middle of an answer, and another one goes on with it: the client hears of no failure."""

import json

import httpx
import pytest

from standin import FaultKind
from tests.harness import eventually
from tests.proxy.clients import RESPONSES, Event, Got, Socket, http1, turn1, turn_over
from tests.proxy.conftest import Bench

ONE_HTTP = True

DEATHS = {
    "limit": (FaultKind.FAILED_EVENT, {"code": "usage_limit_reached"}),
    "overload": (FaultKind.FAILED_EVENT, {"code": "server_is_overloaded"}),
    "error": (FaultKind.ERROR_EVENT, {"code": "usage_limit_reached"}),
    "reset": (FaultKind.RESET, {}),
    "cut": (FaultKind.TRUNCATED, {}),
}


def turn(bench: Bench, version: str) -> Got:
    return turn_over(version, bench.proxy, bench.headers())


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("death", DEATHS)
def test_the_next_account_goes_on_in_the_same_stream(bench: Bench, version: str, death: str) -> None:
    kind, details = DEATHS[death]
    bench.fault(bench.first, kind, after_output=True, **details)
    got = turn(bench, version)
    told = [event["type"] for event in got.events]
    assert (got.status, got.completed, got.cut) == (200, True, False)
    assert got.text == bench.second.answer
    assert told.count("response.created") == 2
    assert not {"response.failed", "error"} & set(told)
    assert told[-1] == "response.completed"
    assert bench.served_by() == ["first", "second"]
    assert eventually(bench.decisions)
    (decision,) = bench.decisions()
    assert decision["done"] == "continued on another account"
    attempts = decision["attempts"]
    assert isinstance(attempts, list)
    assert attempts[1]["why"].startswith("continues after ")
    bench.settle()
    assert bench.cooldown(bench.first) is not None
    assert bench.cooldown(bench.second) is None


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_sequence_numbers_rise_over_both_parts(bench: Bench, version: str) -> None:
    bench.fault(bench.first, FaultKind.RESET, after_output=True)
    numbers = [event["sequence_number"] for event in turn(bench, version).events if "sequence_number" in event]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_when_all_of_them_die_the_client_is_told_to_ask_again(bench: Bench, version: str) -> None:
    for account in bench.accounts:
        bench.fault(account, FaultKind.FAILED_EVENT, after_output=True, code="usage_limit_reached")
    got = turn(bench, version)
    assert not got.completed
    assert got.events[-1]["type"] == "response.failed"
    assert bench.served_by() == ["first", "second"]


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_compressed_answer_is_left_to_the_client(bench: Bench, version: str) -> None:
    bench.fault(bench.first, FaultKind.RESET, after_output=True, coding="gzip")
    got = turn(bench, version)
    assert not got.completed
    assert bench.served_by() == ["first"]


def asked(client: Socket | httpx.Client, bench: Bench, items: list[Event]) -> Got:
    if isinstance(client, Socket):
        return client.turn(input=items)
    return turn1(client, bench.headers(), json.dumps({"model": "gpt-5", "input": items}).encode())


def bodies(bench: Bench) -> list[Event]:
    """What accounts were asked, whichever way."""
    seen = [each for each in bench.seen() if each.path == RESPONSES]
    return [body for each in seen for body in (each.messages if each.method == "GET" else [each.json()])]


@pytest.mark.parametrize("transport", ["http", "ws"])
def test_the_first_parts_reasoning_is_not_sent_to_the_next_account(bench: Bench, transport: str) -> None:
    """It is sealed for an account that has died; the client keeps it, and sends it back."""
    bench.upstream.seal_reasoning = True
    bench.fault(bench.first, FaultKind.RESET, before="response.output_text.delta")
    hello = {"type": "message", "role": "user", "content": "hi"}
    try:
        with Socket(bench.proxy, bench.headers()) if transport == "ws" else http1(bench.proxy) as client:
            first = asked(client, bench, [hello])
            history = [event["item"] for event in first.events if event["type"] == "response.output_item.done"]
            second = asked(client, bench, [hello, *history, hello])
    finally:
        bench.upstream.seal_reasoning = False
    assert [item["type"] for item in history] == ["reasoning", "reasoning", "message"]
    assert (first.text, second.text) == (bench.second.answer,) * 2
    assert {"response.failed", "error"}.isdisjoint(event["type"] for event in [*first.events, *second.events])
    assert bodies(bench)[2:] == [bodies(bench)[2] | {"input": [hello, *history[1:], hello]}]


def test_without_a_fault_nothing_is_different(bench: Bench) -> None:
    got = turn(bench, "h2")
    assert (got.text, got.completed) == (bench.first.answer, True)
    assert eventually(bench.decisions)
    (decision,) = bench.decisions()
    assert decision["done"] == "delivered"
