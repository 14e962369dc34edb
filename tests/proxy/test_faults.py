"""Every way in which an account can fail, asked of every way to talk: another one answers, and the pool remembers why.

The columns: what the client saw, whom upstream saw, and what the pool says of the first account afterwards.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from accounts.model import Standing
from standin import ANY_ACCOUNT, Fault, FaultKind
from tests.proxy.clients import Got, Http2, http1, turn1, turn_ws
from tests.proxy.conftest import Bench
from tests.proxy.odd_hosts import LEAVING, MUTE, REFUSING, WITHOUT_TLS

ONE_HTTP = True

type Turn = Callable[[], Got]

SCRIPTS = [Path(__file__).with_name("odd_hosts.py")]


ENV = {"CODEX_ROTATE_MID_ANSWER": "client"}
"""What becomes of an answer after output if it is carried on: test_continuing.py."""


@pytest.fixture(scope="module")
def one_client(shared: Bench) -> Iterator[httpx.Client]:
    with http1(shared.proxy) as client:
        yield client


@pytest.fixture(params=["h1", "h2", "ws"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def turn(version: str, bench: Bench, one_client: httpx.Client) -> Iterator[Turn]:
    """One turn over HTTP/1.1, HTTP/2 or a WebSocket."""
    if version == "h2":
        with Http2(bench.proxy) as client:
            yield lambda: client.turn(bench.headers())
    elif version == "h1":
        yield lambda: turn1(one_client, bench.headers())
    else:
        yield lambda: turn_ws(bench.proxy, bench.headers())


@dataclass(frozen=True)
class Row:
    """What follows from a fault of the first account: the pool's word for it, its rest in seconds (0: none, None: any)
    and its standing."""

    fault: Fault
    kind: str
    rests: float = 0
    standing: Standing = Standing.GOOD
    served: tuple[str, ...] = ("first", "second")
    rests_for: str = ""
    """The reason of the rest, where it is another word."""
    in_socket: str = ""
    """What it is called in a WebSocket, where that is another word."""


UNNOTICED = [
    Row(Fault(FaultKind.USAGE_LIMIT, resets_in=3600), "usage_limit", 3600),
    Row(Fault(FaultKind.USAGE_LIMIT_404, resets_in=7200), "usage_limit", 7200),
    Row(Fault(FaultKind.USAGE_NOT_INCLUDED), "no_credit", 3600),
    Row(Fault(FaultKind.BURST_LIMIT, retry_after=7), "burst_limit", 7),
    Row(Fault(FaultKind.TOO_MANY), "burst_limit", 10, served=("first", "first", "second")),
    Row(Fault(FaultKind.OVERLOADED), "overloaded", 15),
    Row(Fault(FaultKind.OVERLOADED_529), "overloaded", 15),
    Row(Fault(FaultKind.SERVER_ERROR), "server_error", 10),
    Row(Fault(FaultKind.RESET), "reset", 10),
    Row(Fault(FaultKind.CLOSE), "reset", 10),
    Row(Fault(FaultKind.GOAWAY), "reset", 10),
    Row(Fault(FaultKind.HANG), "head_timeout"),
    Row(Fault(FaultKind.TRUNCATED), "truncated", 10),
    Row(Fault(FaultKind.EMPTY), "truncated", 10, in_socket="socket_closed"),
    Row(Fault(FaultKind.FAILED_EVENT, code="usage_limit_reached"), "usage_limit", 900),
    Row(Fault(FaultKind.FAILED_EVENT), "server_error", 10),
    Row(Fault(FaultKind.ERROR_EVENT, code="server_is_overloaded"), "overloaded", 15),
    Row(Fault(FaultKind.UNAUTHORIZED_INVALIDATED), "token_invalidated", 0, Standing.NEEDS_LOGIN),
    Row(Fault(FaultKind.DEACTIVATED), "deactivated", 0, Standing.DEACTIVATED),
    Row(Fault(FaultKind.DEACTIVATED, status=402), "deactivated", 0, Standing.DEACTIVATED),
    Row(Fault(FaultKind.FORBIDDEN), "forbidden", 60, rests_for="refused_alone"),
    Row(Fault(FaultKind.CLOUDFLARE), "challenge", 60, rests_for="refused_alone"),
    Row(Fault(FaultKind.REDIRECT), "no_answer", 10),
    Row(Fault(FaultKind.UNSUPPORTED_MODEL), "unsupported_model", 0),
]


WAYS = itertools.cycle([("h1",), ("ws",), ("h2",), ("ws",)])
"""An answer over HTTP/1.1, one over HTTP/2 and one to an upgrade are judged by the same code. `make newest` asks each
row of all."""


@pytest.mark.parametrize(
    ("version", "row"),
    [
        pytest.param(version, row, id="-".join(filter(None, [version, row.fault.kind, row.fault.code])))
        for row in UNNOTICED
        for version in (("h1", "h2", "ws") if "COLD" in os.environ else ("h1", "ws") if row.in_socket else next(WAYS))
    ],
    indirect=["version"],
)
def test_another_account_answers_and_the_pool_remembers(bench: Bench, turn: Turn, version: str, row: Row):
    kind = row.in_socket if row.in_socket and version == "ws" else row.kind
    bench.upstream.fault(bench.first.account_id, row.fault)
    answer = turn()
    assert (answer.text, answer.completed) == (bench.second.answer, True)
    served = bench.served_by()
    assert served == list(row.served) or (row.kind == "reset" and served == ["first", "first", "second"])  # once more
    bench.settle()
    assert [(event.key, event.kind) for event in bench.events()] == [(bench.keys[bench.first.account_id], kind)]
    rest = bench.cooldown(bench.first)
    assert (rest.until - bench.now if rest else 0) == pytest.approx(row.rests, abs=4)
    assert rest is None or rest.reason == (row.rests_for or kind)
    assert bench.standing(bench.first) is row.standing
    assert bench.cooldown(bench.second) is None


def test_an_expired_token_is_renewed_and_the_same_account_answers(bench: Bench, turn: Turn):
    """No rest and no other account: the token had only aged."""
    bench.first.expire()
    answer = turn()
    assert (answer.text, answer.completed) == (bench.first.answer, True)
    assert bench.served_by() == ["first", "first"]
    bench.settle()
    assert [refresh.ok for refresh in bench.upstream.refreshes if refresh.account_id == bench.first.account_id] == [
        True
    ]
    assert bench.unpunished()
    stored = bench.store.credentials(bench.keys[bench.first.account_id])
    assert stored is not None
    assert (stored.access, stored.refresh) == (bench.first.access_token, bench.first.refresh_token)


def test_a_token_that_is_refused_again_after_it_was_renewed_means_another_account(bench: Bench, turn: Turn):
    bench.fault(bench.first, FaultKind.UNAUTHORIZED_EXPIRED)
    answer = turn()
    assert answer.text == bench.second.answer
    assert bench.served_by() == ["first", "first", "second"]
    assert len([one for one in bench.upstream.refreshes if one.account_id == bench.first.account_id]) == 1


def test_an_account_that_cannot_be_renewed_any_more_is_left(bench: Bench, turn: Turn):
    """The refresh token is dead: only a person can help, and the pool says so."""
    bench.first.expire()
    bench.upstream.fault(bench.first.account_id, Fault(FaultKind.TOKEN_REFUSED))
    answer = turn()
    assert answer.text == bench.second.answer
    assert bench.served_by() == ["first", "second"]
    bench.settle()
    assert bench.standing(bench.first) is Standing.NEEDS_LOGIN


def test_an_answer_that_is_slow_to_begin_is_waited_for(bench: Bench, turn: Turn):
    """Slower than a healthy one, but within the time an account gets."""
    bench.fault(bench.first, FaultKind.SLOW_START, seconds=0.3)
    answer = turn()
    assert (answer.text, answer.completed) == (bench.first.answer, True)
    assert bench.served_by() == ["first"]
    bench.settle()
    assert bench.unpunished()


DELIVERED = [
    pytest.param(Fault(FaultKind.BAD_REQUEST), 400, "request_fault", b"invalid_value", id="bad request"),
    pytest.param(
        Fault(FaultKind.INVALID_ENCRYPTED_CONTENT),
        400,
        "invalid_encrypted_content",
        b"could not be verified",
        id="sealed",
    ),
]


@pytest.mark.parametrize(("fault", "status", "kind", "words"), DELIVERED)
def test_what_is_not_the_account_s_fault_is_delivered_as_it_is(
    bench: Bench, turn: Turn, fault: Fault, status: int, kind: str, words: bytes
):
    """And nobody is punished for it."""
    bench.upstream.fault(bench.first.account_id, fault)
    answer = turn()
    assert answer.status == status
    assert words in answer.body
    assert bench.served_by() == ["first"]
    assert bench.happened(bench.first, kind)
    assert bench.unpunished()


@pytest.mark.parametrize(
    ("code", "kind"),
    [("context_length_exceeded", "request_fault"), ("previous_response_not_found", "previous_response_not_found")],
)
def test_a_success_that_says_that_the_request_is_to_blame_is_told_with_the_status_of_that(
    bench: Bench, turn: Turn, version: str, code: str, kind: str
):
    """With the body as it is. After a 502 the client would ask again, and in vain each time."""
    bench.upstream.fault(bench.first.account_id, Fault(FaultKind.BAD_REQUEST, status=200, code=code))
    answer = turn()
    assert answer.status == 400
    if version != "ws":
        assert json.loads(bytes(answer.body))["error"]["code"] == code
    assert bench.served_by() == ["first"]
    assert bench.happened(bench.first, kind)
    assert bench.unpunished()


def test_what_two_accounts_refuse_alike_is_delivered_byte_by_byte(bench: Bench, one_client: httpx.Client):
    """The headers too: a request id is what a user sends to the provider's support. And nobody is punished for it."""
    bench.upstream.fault(ANY_ACCOUNT, Fault(FaultKind.CLOUDFLARE))
    answer = turn1(one_client, bench.headers())
    assert answer.headers["cf-mitigated"] == "challenge"
    assert answer.headers["cf-ray"] == "0000000000000000-TST"
    assert answer.headers["content-type"] == "text/html; charset=UTF-8"
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert answer.body.endswith(b"</html>")
    assert bench.served_by() == ["first", "second"]
    assert bench.unpunished()


def test_the_same_refusal_again_costs_one_attempt(bench: Bench, turn: Turn):
    """The client's own tries of a request that is to blame do not go through the pool each time."""
    bench.upstream.fault(ANY_ACCOUNT, Fault(FaultKind.CLOUDFLARE))
    assert [turn().status for _ in range(3)] == [403] * 3
    assert len(bench.served_by()) == 4


def test_a_redirect_is_not_followed(bench: Bench, turn: Turn):
    """Whatever upstream names as the new place gets nothing from us, and the client does not hear of it."""
    bench.upstream.fault(ANY_ACCOUNT, Fault(FaultKind.REDIRECT))
    answer = turn()
    assert answer.status == 502
    assert "location" not in answer.headers
    assert b"evil" not in answer.body
    assert len(bench.seen()) == 2


def test_after_output_there_is_no_second_attempt(bench: Bench, turn: Turn):
    """The client has a part of the answer: it must hear of the end, not get another beginning."""
    bench.fault(bench.first, FaultKind.RESET, after_output=True)
    answer = turn()
    assert answer.cut
    assert bench.first.answer.startswith(answer.text)
    assert answer.text
    assert bench.served_by() == ["first"]
    assert bench.happened(bench.first, "truncated")


@pytest.mark.parametrize(
    ("code", "kind"), [("server_error", "server_error"), ("never_heard_of", "failed_after_output")]
)
def test_after_a_failure_in_mid_answer_the_client_asks_again_and_another_account_answers(
    bench: Bench, turn: Turn, version: str, code: str, kind: str
):
    """Over HTTP it repeats the turn by itself; in a socket it is told to reconnect."""
    bench.fault(bench.first, FaultKind.FAILED_EVENT, after_output=True, code=code)
    answer = turn()
    if version != "ws":
        assert answer.text
        assert "response.failed" in [event["type"] for event in answer.events or answer.messages]
        assert bench.served_by() == ["first"]
        answer = turn()
    assert (answer.text, answer.completed) == (bench.second.answer, True)
    assert bench.served_by() == ["first", "second"]
    assert bench.happened(bench.first, kind)
    rest = bench.cooldown(bench.first)
    assert rest is not None
    assert rest.reason == kind


FATAL = ("usage_limit_reached", "insufficient_quota", "server_is_overloaded")
"""Codes on which the official client would end its turn (docs/codex-wire.md section 3)."""
EVENTS = (FaultKind.FAILED_EVENT, FaultKind.ERROR_EVENT)


@pytest.mark.parametrize(("kind", "code"), list(zip(itertools.cycle(EVENTS), FATAL, strict=False)))
def test_a_failure_that_would_end_the_turn_for_good_is_told_as_one_that_the_client_recovers_from(
    bench: Bench, turn: Turn, version: str, kind: FaultKind, code: str
):
    bench.fault(bench.first, kind, after_output=True, code=code)
    answer = turn()
    if version != "ws":
        assert answer.events[-1]["type"] == "response.failed"
        assert answer.events[-1]["response"]["error"]["code"] == "server_error"
        assert code not in bytes(answer.body).decode()
        answer = turn()
    assert (answer.text, answer.completed) == (bench.second.answer, True)
    assert bench.served_by() == ["first", "second"]


@pytest.mark.parametrize(
    ("fault", "code", "kind"),
    [
        (FaultKind.FAILED_EVENT, "context_length_exceeded", "request_fault"),
        (FaultKind.ERROR_EVENT, "previous_response_not_found", "previous_response_not_found"),
    ],
)
def test_an_event_that_blames_the_request_passes_and_punishes_nobody(
    bench: Bench, turn: Turn, fault: FaultKind, code: str, kind: str
):
    bench.fault(bench.first, fault, code=code)
    answer = turn()
    assert code in str(answer.events or answer.messages)
    assert set(bench.served_by()) == {"first"}
    assert bench.happened(bench.first, kind)
    assert bench.unpunished()


@pytest.mark.parametrize("host", [REFUSING, MUTE, LEAVING, WITHOUT_TLS])
def test_a_host_that_cannot_be_reached_is_that_accounts_trouble_alone(bench: Bench, turn: Turn, host: str):
    """Its workspace is bound to a region whose host refuses connections, or takes them and gets no further; the other
    one answers."""
    bench.store.update_account(bench.keys[bench.first.account_id], backend_origin=f"https://{host}").result()
    assert turn().text == bench.second.answer
    assert bench.served_by() == ["second"]
    assert bench.happened(bench.first, "connect_failed")
