"""How a turn has ended is what its last event says, whoever hangs up after it; the official client does so at once."""

from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from accounts.choice.outcomes import Kind
from standin import ANY_ACCOUNT, FaultKind, Pace
from tests.harness import eventually
from tests.proxy.clients import ASK, RESPONSES, Http2, Socket, http1
from tests.proxy.conftest import Bench

OPTIONS = {"rotate_head_timeout": 20}
ENV = {"CODEX_ROTATE_MID_ANSWER": "client"}
"""What an answer that is carried on is told as: test_continuing.py."""
NEVER = Pace(late_end=600)
"""The stream ends long after the test: whoever has left by then has left before."""
COMPLETED = "response.completed"
DELTA = "response.output_text.delta"


def hang_up_http1(bench: Bench, stack: ExitStack, word: str) -> None:
    client = stack.enter_context(http1(bench.proxy))
    with client.stream("POST", RESPONSES, headers=bench.headers(), content=ASK) as answer:
        assert any(word in line for line in answer.iter_lines())


def cancel_http2(bench: Bench, stack: ExitStack, word: str) -> None:
    client = stack.enter_context(Http2(bench.proxy))
    asked = client.ask(bench.headers())
    client.until(asked, lambda seen: word.encode() in seen.body)
    client.cancel(asked)


def hang_up_http2(bench: Bench, stack: ExitStack, word: str) -> None:
    client = stack.enter_context(Http2(bench.proxy))
    asked = client.ask(bench.headers())
    client.until(asked, lambda seen: word.encode() in seen.body)
    client.socket.close()


def drop_socket(bench: Bench, stack: ExitStack, word: str) -> None:
    client = stack.enter_context(Socket(bench.proxy, bench.headers()))
    client.create()
    assert any(message["type"] == word for message in client.messages())
    client.socket.close()


type Leave = Callable[[Bench, ExitStack, str], None]
OVER_HTTP = [hang_up_http1, cancel_http2, hang_up_http2]


def left_at(bench: Bench, leave: Leave, word: str) -> dict[str, object]:
    """The decision record of a turn whose client leaves as soon as it has seen a word."""
    with ExitStack() as stack:
        leave(bench, stack, word)
        assert eventually(bench.decisions), "no decision was recorded"
    (decision,) = bench.decisions()
    return decision


def kinds(decision: dict[str, object]) -> list[object]:
    attempts = decision["attempts"]
    assert isinstance(attempts, list)
    return [each["kind"] for each in attempts]


@pytest.mark.parametrize("leave", [*OVER_HTTP, drop_socket])
def test_a_client_that_leaves_at_the_last_event_was_served(bench: Bench, leave: Leave) -> None:
    """The thread has its home, so its next turn goes there although another account is preferred by then."""
    bench.upstream.pace(ANY_ACCOUNT, NEVER)
    decision = left_at(bench, leave, COMPLETED)
    assert (decision["done"], kinds(decision)) == ("delivered", [Kind.OK])
    bench.settle()
    (kept,) = [each for each in bench.affinities() if each.thread == bench.thread]
    assert kept.key == bench.keys[bench.first.account_id]
    assert bench.unpunished()
    bench.store.update_account(bench.keys[bench.second.account_id], priority=10**6).result()
    with ExitStack() as stack:
        leave(bench, stack, COMPLETED)
    assert bench.served_by() == ["first", "first"]


@pytest.mark.parametrize("leave", [*OVER_HTTP, drop_socket])
def test_one_that_leaves_before_it_was_not(bench: Bench, leave: Leave) -> None:
    bench.upstream.pace(ANY_ACCOUNT, Pace(between_words=600))
    decision = left_at(bench, leave, DELTA)
    assert (decision["done"], kinds(decision)) in [
        ("the client left", [Kind.CLIENT_GONE]),
        ("the socket was closed", [Kind.CLIENT_GONE]),
    ]
    assert bench.thread not in {each.thread for each in bench.affinities()}
    assert bench.unpunished()


@pytest.mark.parametrize("leave", OVER_HTTP)
def test_a_failure_that_it_has_seen_is_not_forgotten_because_it_left(bench: Bench, leave: Leave) -> None:
    """The account rests, as after any failure in mid-answer."""
    bench.upstream.pace(ANY_ACCOUNT, NEVER)
    bench.fault(bench.first, FaultKind.FAILED_EVENT, after_output=True)
    decision = left_at(bench, leave, "response.failed")
    assert (decision["done"], kinds(decision)) == ("told to reconnect", [Kind.SERVER_ERROR])
    assert bench.happened(bench.first, Kind.SERVER_ERROR)
    assert bench.cooldown(bench.first) is not None


@pytest.mark.parametrize("leave", OVER_HTTP)
def test_a_rotated_turn_was_served_by_whom_the_answer_is(bench: Bench, leave: Leave) -> None:
    """What the first account said is booked as ever."""
    bench.upstream.pace(ANY_ACCOUNT, NEVER)
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    decision = left_at(bench, leave, COMPLETED)
    assert (decision["done"], kinds(decision)) == ("delivered", [Kind.USAGE_LIMIT, Kind.OK])
    bench.settle()
    (kept,) = [each for each in bench.affinities() if each.thread == bench.thread]
    assert kept.key == bench.keys[bench.second.account_id]


def test_an_upstream_that_breaks_off_after_its_last_event_has_served(bench: Bench) -> None:
    """The client gets to see the break, and has had everything."""
    bench.fault(bench.first, FaultKind.RESET, after_last=True)
    seen: list[str] = []
    with http1(bench.proxy) as client, client.stream("POST", RESPONSES, headers=bench.headers(), content=ASK) as answer:
        with pytest.raises(httpx.RemoteProtocolError):
            seen.extend(answer.iter_lines())
        assert eventually(bench.decisions)
    assert any(COMPLETED in line for line in seen)
    (decision,) = bench.decisions()
    assert (decision["done"], kinds(decision)) == ("delivered", [Kind.OK])
    assert bench.unpunished()


def test_what_upstream_complains_of_after_its_last_event_is_no_answer_to_the_next_request(bench: Bench) -> None:
    """On a socket the client would take it for that. It goes no further, and the next turn begins elsewhere."""
    bench.fault(bench.first, FaultKind.ERROR_EVENT, before=99, code="usage_limit_reached")
    with Socket(bench.proxy, bench.headers()) as client:
        first = client.turn()
        assert eventually(lambda: bench.cooldown(bench.first))
        second = client.turn()
    assert (first.text, second.text) == (bench.first.answer, bench.second.answer)
    assert [each["type"] for each in (*first.events, *second.events) if "error" in each["type"]] == []
    assert [len(seen.messages) for seen in bench.seen()] == [1, 1]
