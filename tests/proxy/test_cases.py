"""What users have met with other tools, each case asked of every way to talk: the client gets a whole answer.

The cases are the stand-in's (standin/faults/cases.py). One account says what the case says, another one is well.
"""

import itertools
import os
from random import Random

import pytest

from standin import FaultKind
from standin.faults.cases import BESIDE, CASES
from tests.proxy.clients import RECONNECT, Got, Http2, Socket, http1, turn1, turn_over, turn_ws
from tests.proxy.conftest import Bench

ELSEWHERE = {"head_after_a_minute", "socket_silent_for_a_minute", "closed_1009_for_16_mib", "parting", *BESIDE}
"""Cases with tests of their own."""
DRESSES = {"untyped", "odd_type", "gzip", "zstd", "brotli", "deflate", "untyped_gzip"}
"""Answers with nothing wrong but the look of them."""
AFTER_OUTPUT = {name for name in CASES if name.endswith("_after_output")}
IN_SOCKETS = {name for name in CASES if name.startswith(("closed_", "aborted")) or name.endswith("_in_band")} | {
    "error_without_status",
    "error_with_text_status",
    "limit_without_status",
}
ONE = itertools.cycle(["h1", "ws", "h2", "ws"])
"""An answer over HTTP and one to an upgrade are judged by the same code. `make newest` asks each case of all."""
COUNTED = [
    (version, name)
    for name in sorted(CASES.keys() - ELSEWHERE)
    for version in (["ws"] if name in IN_SOCKETS else ["h1", "h2", "ws"] if "COLD" in os.environ else [next(ONE)])
]


def turn_of(bench: Bench, version: str) -> Got:
    return turn_over(version, bench.proxy, bench.headers())


@pytest.mark.parametrize(("version", "name"), COUNTED, ids=[f"{name}-{version}" for version, name in COUNTED])
def test_the_client_gets_a_whole_answer(bench: Bench, version: str, name: str) -> None:
    bench.upstream.fault(bench.first.account_id, CASES[name])
    answer = turn_of(bench, version)
    if name in AFTER_OUTPUT and not answer.completed:  # the client asks again by itself
        assert bench.first.answer.startswith(answer.text)
        answer = turn_of(bench, version)
    well = bench.first if name in DRESSES else bench.second
    assert (answer.text, answer.completed) == (well.answer, True)
    if name in DRESSES:
        assert bench.served_by() == ["first"]
    else:
        assert bench.served_by()[-1] == "second"
        assert len(bench.served_by()) <= 3
    bench.settle()
    assert bench.cooldown(bench.second) is None


@pytest.mark.parametrize("name", sorted(DRESSES))
def test_what_a_stream_says_is_learned_whatever_it_looks_like(bench: Bench, name: str) -> None:
    bench.upstream.fault(bench.first.account_id, CASES[name])
    turn_of(bench, "h2")
    bench.settle()
    assert [event.kind for event in bench.events()] == []
    assert bench.thread in {each.thread for each in bench.affinities()}


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("limit_resets_")])
def test_the_time_of_a_reset_is_read_however_it_is_written(bench: Bench, name: str) -> None:
    bench.upstream.fault(bench.first.account_id, CASES[name])
    turn_of(bench, "h1")
    bench.settle()
    rest = bench.cooldown(bench.first)
    assert rest is not None
    assert rest.until - bench.now == pytest.approx(3600, abs=5)


@pytest.mark.parametrize(
    "name", ["bare_402", "html_402", "html_401", "html_403", "bare_404", "html_200", "redirect", "closed_1011"]
)
def test_no_such_answer_of_everybody_takes_an_account_out_of_service(bench: Bench, name: str) -> None:
    """An incident of a moment: the next turn works."""
    version = "ws" if name in IN_SOCKETS else "h1"
    for account in (bench.first, bench.second):
        bench.upstream.fault(account.account_id, CASES[name], times=1 if name != "html_401" else 2)
    turn_of(bench, version)
    answer = turn_of(bench, "h1")
    assert answer.completed
    bench.settle()
    assert {bench.standing(account) for account in (bench.first, bench.second)} == {"good"}


@pytest.mark.parametrize("version", ["h1", "ws"])
def test_while_everybody_is_busy_the_client_waits_and_hears_nothing(bench: Bench, version: str) -> None:
    """Both accounts, twice each: longer than the moment that a single one gets."""
    for account in (bench.first, bench.second):
        bench.upstream.fault(account.account_id, CASES["concurrency_in_band" if version == "ws" else "concurrency"], 2)
    answer = turn_of(bench, version)
    assert answer.completed
    assert len([told for told in answer.messages if told["type"] == "error"]) == 0


def test_when_two_accounts_close_their_sockets_at_once_the_client_is_sent_to_http(bench: Bench) -> None:
    bench.upstream.fault("*", CASES["closed_1011"])
    assert turn_of(bench, "ws").status == 426
    assert bench.served_by() == ["first", "second"]
    assert turn_of(bench, "h2").completed


def test_a_message_too_large_for_a_socket_goes_over_http_and_blames_nobody(bench: Bench) -> None:
    """It is not even sent: upstream would close the socket, and the client complain."""
    bench.upstream.fault("*", CASES["closed_1009_for_16_mib"])
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn(input=Random(1).randbytes(9 << 20).hex()).error["code"] == RECONNECT
    assert turn_of(bench, "ws").status == 426
    assert turn_of(bench, "h2").completed
    bench.settle()
    assert bench.unpunished()


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_a_connection_that_upstream_has_closed_meanwhile_costs_nothing(bench: Bench, version: str) -> None:
    bench.upstream.fault(bench.first.account_id, CASES["parting"], 1)
    if version == "h1":
        with http1(bench.proxy) as client:
            answers = [turn1(client, bench.headers()) for _ in range(2)]
    else:
        with Http2(bench.proxy) as client:
            answers = [client.turn(bench.headers()) for _ in range(2)]
    assert [answer.text for answer in answers] == [bench.first.answer] * 2
    bench.settle()
    assert bench.unpunished()
    assert bench.events() == []


def test_what_a_thread_has_just_tried_survives_its_reconnect(bench: Bench) -> None:
    """After stumbles in one thread, the account of another one fails inside its socket: the first is asked at once."""
    bench.fault(bench.second, FaultKind.SERVER_ERROR)
    turn_of(bench, "h1")
    bench.upstream.clear()
    other = bench.headers(thread_id="another")
    bench.fault(bench.first, FaultKind.SERVER_ERROR, in_band=True)
    assert turn_ws(bench.proxy, other).text == bench.second.answer
    assert bench.served_by()[-2:] == ["first", "second"]


def test_an_answer_in_a_coding_that_the_client_has_not_offered_is_none(bench: Bench) -> None:
    bench.upstream.fault(bench.first.account_id, CASES["brotli"])
    with http1(bench.proxy) as client:
        answer = turn1(client, bench.headers(accept_encoding="zstd,gzip"))
    assert (answer.text, answer.completed) == (bench.second.answer, True)
