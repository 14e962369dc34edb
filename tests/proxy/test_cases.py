"""What users have met with other tools, each case asked of every way to talk: the client gets a whole answer.

The cases are the stand-in's (standin/faults/cases.py). One account says what the case says, another one is well.
"""

import itertools
import os
from collections.abc import Iterable, Sequence

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
TIMES = {name for name in CASES if name.startswith("limit_resets_")}
"""They have a test of their own."""


def off_diagonal(form: str, rows: Iterable[str], columns: Sequence[str]) -> set[str]:
    """All but one for each row, the columns in turn."""
    left = ((row, each) for at, row in enumerate(rows) for each in columns if each != columns[at % len(columns)])
    return {form.format(*pair) for pair in left}


def others(start: str, *kept: object) -> set[str]:
    return {name for name in CASES if name.startswith(start)} - {f"{start}{end}" for end in kept}


WEEKLY: set[str] = (
    off_diagonal("{}_{}", sorted(DRESSES), ("limit", "limit_as_error", "overload"))
    | off_diagonal(
        "shell_{1}_{0}", ("overload", "quota", "limit", "limit_as_error"), ("message", "deltas", "reasoning")
    )
    | off_diagonal("closed_{}{}", ("1008", "1011", "1012", "1013"), ("", "_at_message"))
    | others("bare_", 400, 404, 413, 600)
    | others("limit_as_200_", "detail", "deep", "stream")
    | others("model_", "404", "detail_404", "not_for_account", "words_400", "detail_in_band", "404_in_band", "failed")
)
"""How an answer looks and what it says do not depend on each other: each look is tried, and each saying. Of some the
rest differs in what is read alone: test_outcomes.py, test_error_places.py, test_messages.py. `make newest` asks all."""
ONE = itertools.cycle(["h1", "ws", "h2", "ws"])
"""An answer over HTTP and one to an upgrade are judged by the same code. `make newest` asks each case of all."""


def versions(name: str) -> list[str]:
    if name in IN_SOCKETS:
        return ["ws"]
    if "COLD" in os.environ:
        return ["h1", "h2", "ws"]
    return ["h2"] if name in DRESSES else [next(ONE)]


LEFT_OUT = set() if "COLD" in os.environ else WEEKLY
COUNTED = [
    (version, name) for name in sorted(CASES.keys() - ELSEWHERE - TIMES - LEFT_OUT) for version in versions(name)
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
    bench.settle()
    assert bench.cooldown(bench.second) is None
    if name in DRESSES:  # what it says is learned all the same
        assert bench.served_by() == ["first"]
        assert bench.events() == []
    else:
        assert bench.served_by()[-1] == "second"
        assert len(bench.served_by()) <= 3


@pytest.mark.parametrize("name", sorted(TIMES))
def test_the_time_of_a_reset_is_read_however_it_is_written(bench: Bench, name: str) -> None:
    bench.upstream.fault(bench.first.account_id, CASES[name])
    assert turn_of(bench, "h1").text == bench.second.answer
    bench.settle()
    rest = bench.cooldown(bench.first)
    assert rest is not None
    assert rest.until - bench.now == pytest.approx(3600, abs=5)


@pytest.mark.parametrize("name", ["bare_402", "html_401", "html_403", "html_200", "closed_1011"])
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
        assert (
            client.turn(input="".join(f"{number}{'x' * 60}" for number in range(17 << 14))).error["code"] == RECONNECT
        )
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
