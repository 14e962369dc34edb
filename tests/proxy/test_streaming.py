"""An answer reaches the client as it is made, and a client that leaves costs nobody anything."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest

from standin import FaultKind, SeenRequest
from tests.proxy.clients import ASK, RESPONSES, Http2, Socket, http1, turn1
from tests.proxy.conftest import Bench

OPTIONS = {"rotate_head_timeout": 20}


def last(bench: Bench) -> SeenRequest:
    return bench.seen()[-1]


def lines_until(lines: Iterator[str], word: str) -> list[str]:
    """The lines up to the first that has this word in it."""
    seen = []
    for line in lines:
        seen.append(line)
        if word in line:
            return seen
    raise AssertionError(f"the stream ended without {word!r}: {seen}")


# --- as it is made ---------------------------------------------------------------------------------------------------


def test_http1_has_the_first_words_while_upstream_still_thinks(bench: Bench):
    bench.fault(bench.first, FaultKind.STALL, after_output=True)
    with http1(bench.proxy) as client, client.stream("POST", RESPONSES, headers=bench.headers(), content=ASK) as answer:
        lines = answer.iter_lines()
        early = lines_until(lines, "response.output_text.delta")
        assert not last(bench).closed
        bench.upstream.release()
        assert any("response.completed" in line for line in lines)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert any("response.created" in line for line in early)


def test_http2_has_the_first_words_while_upstream_still_thinks(bench: Bench):
    bench.fault(bench.first, FaultKind.STALL, times=1, after_output=True)
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers())
        early = client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
        assert early.text
        assert not last(bench).closed
        assert client.turn(bench.headers(thread_id="another")).completed  # beside the one that is held
        bench.upstream.release()
        assert client.answer(asked).text == bench.first.answer


def test_a_socket_has_the_first_words_while_upstream_still_thinks(bench: Bench):
    bench.fault(bench.first, FaultKind.STALL, after_output=True)
    with Socket(bench.proxy, bench.headers()) as client:
        client.create()
        messages = client.messages()
        early = next(message for message in messages if message["type"] == "response.output_text.delta")
        assert bench.first.answer.startswith(early["delta"])
        bench.upstream.release()
        assert any(message["type"] == "response.completed" for message in messages)


def test_the_retried_answer_streams_as_well(bench: Bench):
    """What was held back of the first account's refusal does not hold back the second one's answer."""
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    bench.fault(bench.second, FaultKind.STALL, after_output=True)
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers())
        assert client.until(asked, lambda seen: b"response.output_text.delta" in seen.body).text
        assert not last(bench).closed
        bench.upstream.release()
        assert client.answer(asked).text == bench.second.answer


# --- a client that leaves --------------------------------------------------------------------------------------------

type Leave = Callable[[], None]


def ask_http1(bench: Bench, stack: ExitStack, *, mid_stream: bool) -> Leave:
    client = http1(bench.proxy)
    if not mid_stream:
        with pytest.raises(httpx.ReadTimeout), client:
            client.post(RESPONSES, headers=bench.headers(), content=ASK, timeout=0.5)
        return client.close
    answer = stack.enter_context(client.stream("POST", RESPONSES, headers=bench.headers(), content=ASK))
    lines_until(answer.iter_lines(), "response.output_text.delta")
    return client.close


def ask_http2(bench: Bench, stack: ExitStack, *, mid_stream: bool) -> Leave:
    client = stack.enter_context(Http2(bench.proxy))
    asked = client.ask(bench.headers())
    if mid_stream:
        client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
    else:
        bench.upstream.wait_for(lambda: bench.served_by() == ["first"])
    return lambda: client.cancel(asked)


def ask_http2_and_hang_up(bench: Bench, stack: ExitStack, *, mid_stream: bool) -> Leave:
    client = stack.enter_context(Http2(bench.proxy))
    asked = client.ask(bench.headers())
    if mid_stream:
        client.until(asked, lambda seen: b"response.output_text.delta" in seen.body)
    else:
        bench.upstream.wait_for(lambda: bench.served_by() == ["first"])
    return client.socket.close


def ask_in_a_socket(bench: Bench, stack: ExitStack, *, mid_stream: bool) -> Leave:
    client = stack.enter_context(Socket(bench.proxy, bench.headers(), wait=mid_stream))
    if mid_stream:
        client.create()
        next(message for message in client.messages() if message["type"] == "response.output_text.delta")
    else:
        bench.upstream.wait_for(lambda: bench.served_by() == ["first"])
    return client.socket.close


@pytest.mark.parametrize("ask", [ask_http1, ask_http2, ask_http2_and_hang_up, ask_in_a_socket])
@pytest.mark.parametrize("mid_stream", [True, False], ids=["mid-stream", "before the head"])
def test_a_client_that_leaves_is_told_upstream_and_punishes_nobody(
    bench: Bench, ask: Callable[..., Leave], mid_stream: bool
):
    """And the account is free again: the next new thread, which goes where least is under way, gets it."""
    bench.fault(bench.first, FaultKind.STALL if mid_stream else FaultKind.HANG, after_output=mid_stream)
    with ExitStack() as stack:
        ask(bench, stack, mid_stream=mid_stream)()
        bench.upstream.wait_for(lambda: last(bench).disconnected)
        bench.upstream.clear()
        with http1(bench.proxy) as other:
            answer = turn1(other, bench.headers(thread_id=f"{bench.thread}-next"))
    assert (answer.text, answer.completed) == (bench.first.answer, True)
    assert bench.served_by() == ["first", "first"]
    bench.thread += "-next"
    bench.settle()
    assert bench.unpunished()
    assert bench.events() == []


def test_a_client_that_leaves_while_a_token_is_renewed_is_not_asked_for(bench: Bench):
    """Nothing is sent on behalf of somebody who is gone; the renewed token is kept for the next."""
    bench.first.expire()
    bench.fault(bench.first, FaultKind.TOKEN_HANG, times=1)
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers())
        bench.upstream.wait_for(lambda: any(seen.path == "/oauth/token" for seen in bench.seen()))
        client.cancel(asked)
        assert client.answer(client.ask(bench.headers(), method="GET", path="/backend-api/wham/usage", body=b"")).ended
        bench.upstream.release()
        bench.upstream.wait_for(lambda: [one.ok for one in bench.upstream.refreshes] == [True])
        assert bench.happened(bench.first, "refreshed")  # the proxy has it as well
        assert client.turn(bench.headers()).text == bench.first.answer
    assert bench.served_by() == ["first", "first"]
    assert len(bench.upstream.refreshes) == 1
