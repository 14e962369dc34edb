"""One attempt by itself: its ids, what it sends, how it is left."""

import pytest
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.proxy import commands, layer
from mitmproxy.proxy.layers import http as h

from addons.attempts.attempt import AttemptPhase, UpstreamAttempt

CLIENT = Client(peername=("client", 1), sockname=("proxy", 2), timestamp_start=0)
SERVER = Server(address=("upstream.test", 80))
NUMBER = 7


def first() -> UpstreamAttempt:
    return UpstreamAttempt(NUMBER, NUMBER).successor()


def sent(attempt: UpstreamAttempt, request: http.Request, *, complete: bool = True) -> list[h.HttpEvent]:
    made = list(attempt.send(request, SERVER, complete=complete))
    assert all(isinstance(command, h.SendHttp) and command.connection is SERVER for command in made)
    return [command.event for command in made if isinstance(command, h.SendHttp)]


def kinds(sent: list[h.HttpEvent]) -> list[str]:
    return [type(event).__name__.removeprefix("Request") for event in sent]


def asking(body: bytes = b"body", headers: http.Headers | None = None) -> http.Request:
    return http.Request.make("POST", "http://upstream.test/", body, headers or http.Headers(host="upstream.test"))


def test_the_first_attempt_has_the_clients_stream_id_and_each_further_one_a_fresh_one() -> None:
    one = first()
    two = one.successor()
    three = two.successor()
    assert one.wire_id == NUMBER
    assert len({NUMBER, two.wire_id, three.wire_id}) == 3
    assert max(two.wire_id, three.wire_id) < 0  # no client has these
    assert {each.stream_id for each in (one, two, three)} == {NUMBER}
    assert {each.phase for each in (one, two, three)} == {AttemptPhase.HELD}


def test_what_an_earlier_attempt_says_is_stale() -> None:
    one = first()
    two = one.successor()
    assert not one.is_stale(h.ResponseData(NUMBER, b""))
    assert two.is_stale(h.ResponseData(NUMBER, b""))
    assert not two.is_stale(h.ResponseData(two.wire_id, b""))


def test_what_an_abandoned_attempt_says_is_stale() -> None:
    attempt = first()
    list(attempt.abandon())
    assert attempt.is_stale(h.ResponseData(NUMBER, b""))


@pytest.mark.parametrize(
    ("request_", "complete", "expected"),
    [
        (asking(), True, ["Headers", "Data", "EndOfMessage"]),
        (asking(b""), True, ["Headers", "EndOfMessage"]),
        (asking(), False, ["Headers"]),
    ],
)
def test_a_request_is_sent_as_far_as_there_is_one(request_: http.Request, complete: bool, expected: list[str]) -> None:
    events = sent(first(), request_, complete=complete)
    assert kinds(events) == expected
    head = events[0]
    assert isinstance(head, h.RequestHeaders)
    assert head.end_stream is (expected == ["Headers", "EndOfMessage"])


@pytest.mark.parametrize("own", [{"content-length": "4"}, {"transfer-encoding": "chunked"}])
def test_a_body_gets_a_length_only_where_it_has_neither_that_nor_chunks(own: dict[str, str]) -> None:
    without, having = asking(), asking()
    del without.headers["content-length"]
    having.headers = http.Headers([(name.encode(), value.encode()) for name, value in own.items()])
    for request, expected in ((without, {"content-length": "4"}), (having, own)):
        sent(first(), request)
        found = {name: value for name, value in request.headers.items() if name != "host"}
        assert found == expected


def test_what_upstream_still_works_at_is_cancelled_once_it_is_left() -> None:
    attempt = first().successor()
    sent(attempt, asking())
    cancel, drop = attempt.abandon()
    assert isinstance(cancel, h.SendHttp)
    assert isinstance(cancel.event, h.RequestProtocolError)
    assert (cancel.connection, cancel.event.stream_id, cancel.event.code) == (
        SERVER,
        attempt.wire_id,
        h.ErrorCode.CANCEL,
    )
    assert drop == h.DropStream(attempt.wire_id)
    assert not any(isinstance(command, h.SendHttp) for command in attempt.abandon())


def test_what_upstream_has_ended_is_not_cancelled() -> None:
    attempt = first()
    sent(attempt, asking())
    attempt.connection = None
    assert list(attempt.abandon()) == []


def test_leaving_what_never_began_is_nothing() -> None:
    attempt = UpstreamAttempt(NUMBER, NUMBER)
    assert list(attempt.abandon()) == []
    assert attempt.phase is AttemptPhase.NONE


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (AttemptPhase.NONE, AttemptPhase.NONE),
        (AttemptPhase.HELD, AttemptPhase.ABANDONED),
        (AttemptPhase.DELIVERED, AttemptPhase.DELIVERED),
    ],
)
def test_with_the_end_of_the_request_only_what_was_held_is_left(phase: AttemptPhase, after: AttemptPhase) -> None:
    attempt = UpstreamAttempt(NUMBER, NUMBER, phase)
    attempt.end()
    assert attempt.phase is after


def test_what_was_held_is_taken_once() -> None:
    attempt, event = first(), h.ResponseData(NUMBER, b"held")
    attempt.held.append(event)
    assert attempt.take_held() == [event]
    assert attempt.phase is AttemptPhase.DELIVERED
    assert attempt.held == []


def test_only_what_goes_upstream_gets_the_attempts_id() -> None:
    def handling() -> layer.CommandGenerator[None]:
        replies.append((yield commands.RequestWakeup(1)))
        yield h.SendHttp(h.RequestData(NUMBER, b"up"), SERVER)
        yield h.SendHttp(h.ResponseData(NUMBER, b"down"), CLIENT)
        yield h.DropStream(NUMBER)

    attempt, replies = first().successor(), list[object]()
    translated = attempt.translated(handling(), CLIENT)
    passed = [next(translated), translated.send("woken"), *translated]
    assert replies == ["woken"]
    ids = [command.event.stream_id for command in passed if isinstance(command, h.SendHttp)]
    assert ids == [attempt.wire_id, NUMBER]
    assert passed[-2:] == [h.DropStream(attempt.wire_id), h.DropStream(NUMBER)]


@pytest.mark.parametrize(("alpn", "sent"), [(b"h2", 1), (b"http/1.1", 0), (None, 0)])
def test_trailers_are_sent_where_the_connection_knows_them(alpn: bytes | None, sent: int) -> None:
    request = http.Request.make("POST", "http://upstream.test/", b"body")
    request.trailers = http.Headers(x_sum="1")
    server = Server(address=("upstream.test", 80))
    server.alpn = alpn
    said = [each.event for each in UpstreamAttempt(1, 1).send(request, server, complete=True)]
    assert sum(isinstance(each, h.RequestTrailers) for each in said) == sent
    assert isinstance(said[-1], h.RequestEndOfMessage)
