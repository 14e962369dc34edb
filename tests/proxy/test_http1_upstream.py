"""An HTTP/2 client in front of a service that speaks HTTP/1.1 only: every attempt needs a connection of its own."""

from standin import FaultKind
from tests.proxy.clients import ASK, Http2
from tests.proxy.conftest import Bench

HTTP2 = False
LARGE = ASK[:-1] + b', "padding": "' + b"x" * 3_000_000 + b'"}'


def test_a_limit_goes_unnoticed_and_the_body_arrives_whole_both_times(bench: Bench):
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers(), LARGE).text == bench.second.answer
    assert bench.served_by() == ["first", "second"]
    assert [seen.body for seen in bench.seen()] == [LARGE, LARGE]
    assert {seen.http_version for seen in bench.seen()} == {"1.1"}


def test_more_requests_at_once_than_mitmproxy_opens_connections_by_itself(bench: Bench):
    bench.fault(bench.first, FaultKind.OVERLOADED)
    with Http2(bench.proxy) as client:
        asked = [client.ask(bench.headers(thread_id=f"{bench.thread}-{n}")) for n in range(12)]
        assert {client.answer(stream).text for stream in asked} == {bench.second.answer}
    owners = {}
    for seen in bench.seen():
        owners.setdefault(seen.connection, set()).add(seen.account_id)
    assert all(len(who) == 1 for who in owners.values())


def test_a_refreshed_token_is_used_by_the_same_account(bench: Bench):
    bench.first.expire()
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers()).text == bench.first.answer
    assert bench.served_by() == ["first", "first"]
