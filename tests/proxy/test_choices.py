"""What a real proxy learns from answers, and how that changes where the next request goes; over every way to talk."""

import json
from collections.abc import Callable

import pytest

from accounts.model import Standing
from accounts.turn.waiting import CALM_SECONDS
from config import clock
from standin import Account, FaultKind
from standin.accounts import Window
from tests.harness import eventually
from tests.proxy.clients import Got, Http2, Socket, http1, turn1, turn_ws
from tests.proxy.conftest import Bench
from tests.rows import all_rows

ONE_HTTP = True

type Turn = Callable[..., Got]

HI = {"type": "message", "role": "user", "content": "hi"}
COMPACT = {"model": "gpt-5", "input": [HI, {"type": "compaction_trigger"}]}


@pytest.fixture(params=["h1", "h2", "ws"])
def turn(request: pytest.FixtureRequest, bench: Bench) -> Turn:
    """One turn of a client of its own over HTTP/1.1, HTTP/2 or a WebSocket."""

    def take(**headers: str) -> Got:
        asked = bench.headers(**headers)
        if request.param == "ws":
            return turn_ws(bench.proxy, asked)
        if request.param == "h2":
            with Http2(bench.proxy) as client:
                return client.turn(asked)
        with http1(bench.proxy) as client:
            return turn1(client, asked)

    return take


def used(account: Account, percent: float, minutes: int = 300) -> None:
    """From now on this is what the account's answers say of it."""
    account.limits(primary=Window(used_percent=percent, minutes=minutes, resets_in=3600), secondary=None)


# --- a moment --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_band", [False, True])
def test_an_account_that_is_asked_too_often_gets_a_moment(bench: Bench, turn: Turn, in_band: bool) -> None:
    """The client hears nothing of it."""
    bench.fault(bench.first, FaultKind.BURST_LIMIT, retry_after=1, in_band=in_band, times=1)
    answer = turn()
    assert (answer.text, answer.completed) == (bench.first.answer, True)
    assert set(bench.served_by()) == {"first"}
    assert bench.unpunished()


# --- models ----------------------------------------------------------------------------------------------------------


def test_an_account_that_was_refused_a_model_is_not_asked_for_it_again(bench: Bench, turn: Turn) -> None:
    """Other models are no concern of it."""
    bench.fault(bench.first, FaultKind.UNSUPPORTED_MODEL, times=1)
    big, small = {"x_codex_routing_hint": "model=big"}, {"x_codex_routing_hint": "model=small"}
    assert turn(**big).text == bench.second.answer
    assert bench.served_by() == ["first", "second"]
    assert turn(**big, thread_id="another").text == bench.second.answer
    assert turn(**small, thread_id="a third").text == bench.first.answer
    assert bench.served_by()[2:] == ["second", "first"]
    assert bench.standing(bench.first) is Standing.GOOD


MODEL_WORDS = (
    FaultKind.UNSUPPORTED_MODEL,
    FaultKind.MODEL_NOT_FOUND,
    FaultKind.MODEL_NOT_FOR_ACCOUNT,
    FaultKind.MODEL_DETAIL,
)


@all_rows("kind", MODEL_WORDS)
def test_a_model_that_nobody_has_costs_two_attempts_also_without_a_hint(
    bench: Bench, turn: Turn, kind: FaultKind
) -> None:
    """The next request goes past those who were refused it, and when all were, nobody is asked."""
    bench.start_test(seats=4)
    for account in bench.accounts:
        bench.fault(account, kind, in_band=True)
    answers = [turn(thread_id=f"{bench.thread}-{number}") for number in range(2)]
    asked = [*bench.served_by()]
    assert [each for each in asked if each != "first"] == ["second", "third", "fourth"]
    answers.append(turn(thread_id=f"{bench.thread}-2"))
    assert not any(answer.completed for answer in answers)
    asked = bench.served_by()
    assert [each for each in asked if each != "first"] == ["second", "third", "fourth"]
    assert asked.count("first") in {1, 3}, "a socket that is opened names no model"
    assert "No account of the pool may use this model" in str(answers[2].error)


# --- quota -----------------------------------------------------------------------------------------------------------


def test_an_account_close_to_its_limit_waits_behind_the_others(bench: Bench, turn: Turn) -> None:
    """What its answers say of it moves the next request, of its own thread too."""
    used(bench.first, 96)
    turn()  # a socket is led away within its first turn: the upgrade has said it already
    assert turn().text == bench.second.answer
    assert turn(thread_id="a new one").text == bench.second.answer


def test_an_account_close_to_its_limit_still_serves_when_nobody_else_can(bench: Bench, turn: Turn) -> None:
    used(bench.first, 99.6)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=3600)
    assert turn().text == bench.first.answer
    assert turn().text == bench.first.answer


def test_what_an_owner_keeps_is_not_used_and_the_answer_names_the_rule(bench: Bench, turn: Turn) -> None:
    """It is no limit of upstream's, so it is not told as one."""
    for account in bench.accounts:
        used(account, 85)
        bench.store.update_account(bench.keys[account.account_id], reserve_percent=20).result()
    for _ in bench.accounts:
        turn()
    asked = len(bench.seen())
    refused = turn()
    error = refused.error if refused.status >= 400 else refused.messages[-1]["error"]
    assert error["type"] == "codex_rotate_reserved"
    assert "owner" in error["message"]
    assert len(bench.seen()) == asked, "nobody is asked"


# --- everybody at once -----------------------------------------------------------------------------------------------


def test_after_three_failures_by_upstream_s_fault_other_requests_are_sent_once(shared: Bench) -> None:
    """The client gets upstream's own words, and nobody is punished for long."""
    bench = shared
    bench.start_test(seats=5)
    for account in bench.accounts:
        bench.fault(account, FaultKind.OVERLOADED)
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers()).status == 503
        assert bench.served_by() == ["first", "second", "third", "fourth"]
        assert client.turn(bench.headers(thread_id="another")).status == 503
        assert len(bench.served_by()) == 5, "while it lasts, each request is sent once"
        bench.upstream.clear()
        assert client.turn(bench.headers()).completed


def test_after_two_accounts_were_signed_out_a_request_costs_one_account_more_at_most(shared: Bench) -> None:
    """A pool is not signed out from one end to the other."""
    bench = shared
    bench.start_test(seats=4)
    for account in bench.accounts[:3]:
        bench.fault(account, FaultKind.UNAUTHORIZED_INVALIDATED)
    with Http2(bench.proxy) as client:
        before = clock.monotonic()
        first = client.turn(bench.headers())
        assert clock.monotonic() - before >= CALM_SECONDS, "the third is not asked at once"
        assert first.error["type"] == "codex_rotate_signed_out"
        assert bench.served_by() == ["first", "second", "third"]
        assert client.turn(bench.headers()).completed


# --- compaction ------------------------------------------------------------------------------------------------------


def test_a_thread_waits_for_the_account_that_summarised_it(bench: Bench) -> None:
    """Nobody else could read the summary. Its own limit is told, and other threads go on."""
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=60)
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers(), json.dumps(COMPACT).encode()).completed
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=7200)
        bench.upstream.clear(bench.second.account_id)
        answers = [turn1(client, bench.headers()) for _ in range(2)]
        assert turn1(client, bench.headers(thread_id="another")).text == bench.second.answer
    for answer in answers:
        assert (answer.status, answer.error["type"]) == (429, "usage_limit_reached")
        assert answer.error["resets_at"] == pytest.approx(bench.now + 7200, abs=5)
    assert bench.served_by() == ["first", "first", "second"]


def test_a_socket_s_thread_waits_for_it_as_well(bench: Bench) -> None:
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn(**COMPACT).ended
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=7200, in_band=True)
    answer = turn_ws(bench.proxy, bench.headers())
    assert answer.messages[-1]["error"]["type"] == "usage_limit_reached"
    assert set(bench.served_by()) == {"first"}


# --- why -------------------------------------------------------------------------------------------------------------


def test_each_request_leaves_a_record_of_how_it_was_served(bench: Bench, turn: Turn) -> None:
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    turn(x_codex_routing_hint="model=big")
    assert eventually(lambda: "ok" in str(bench.decisions()))
    attempts = [attempt for record in bench.decisions() for attempt in record["attempts"]]
    assert [(one["account"], one["kind"]) for one in attempts if one["kind"] != "upgraded"] == [
        (bench.first.account_id, "usage_limit"),
        (bench.second.account_id, "ok"),
    ]
    assert attempts[0]["detail"] == "429 usage_limit_reached"
    assert attempts[0]["why"] == "its priority is the highest"
    assert all(0 <= one["seconds"] < 10 for one in attempts)
    assert {record["model"] for record in bench.decisions()} == {"big"}
