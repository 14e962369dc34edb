"""Many accounts, many requests, one connection: nobody waits for ever or meets another account's connection."""

from collections import defaultdict

from standin import FaultKind
from tests.proxy.clients import ASK, RESPONSES, Got, Http2, http1, turn1
from tests.proxy.conftest import Bench

CHECK = "/backend-api/wham/accounts/check"


def told_to_try_again(answer: Got) -> bool:
    """What a client waits out or repeats by itself: a 429 that is no limit, or a 502 of ours."""
    waits = answer.status == 429 and answer.headers["retry-after"] == "1"
    kind = answer.error["type"] if answer.status >= 400 else ""
    return (waits and kind == "codex_rotate_try_again") or kind == "codex_rotate_upstream_unreachable"


def test_seven_dead_accounts_of_eight_on_one_connection(shared: Bench):
    """mitmproxy by itself opens five connections per client, and the sixth account would wait for ever."""
    bench = shared
    bench.start_test(seats=8)
    for account in bench.accounts[:7]:
        bench.fault(account, FaultKind.USAGE_LIMIT, resets_in=3600)
    with Http2(bench.proxy) as client:
        answers = [client.turn(bench.headers(thread_id=f"one by one {n}")) for n in range(4)]
        asked = [client.ask(bench.headers(thread_id=f"together {n}")) for n in range(20)]
        together = [client.answer(stream) for stream in asked]
    assert told_to_try_again(answers[0])
    assert [answer.text for answer in answers[1:] + together] == [bench.accounts[7].answer] * 23
    assert bench.served_by()[:8] == ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
    assert set(bench.served_by()[8:]) == {"eighth"}


def test_seven_dead_accounts_of_eight_found_out_by_many_at_once(shared: Bench):
    bench = shared
    bench.start_test(seats=8)
    for account in bench.accounts[:7]:
        bench.fault(account, FaultKind.UNAUTHORIZED_EXPIRED if account is bench.first else FaultKind.USAGE_LIMIT)
    with Http2(bench.proxy) as client:
        asked = [client.ask(bench.headers(thread_id=f"{bench.thread}-{n}")) for n in range(20)]
        for answer in [client.answer(stream) for stream in asked]:
            assert told_to_try_again(answer) or answer.text == bench.accounts[7].answer
        last = [client.turn(bench.headers()) for _ in range(2)]  # what is left to find out, and then the answer
        assert told_to_try_again(last[0]) or last[0].completed
        assert last[1].text == bench.accounts[7].answer


def test_forty_requests_at_once_with_all_sorts_of_trouble(shared: Bench):
    """Each gets an answer: the model's, or an error that says what to do."""
    bench = shared
    bench.start_test(seats=8)
    kinds = [
        FaultKind.OVERLOADED,
        FaultKind.TRUNCATED,
        FaultKind.HANG,
        FaultKind.EMPTY,
        FaultKind.GOAWAY,
        FaultKind.USAGE_LIMIT,
        FaultKind.SERVER_ERROR,
    ]
    for account, kind in zip(bench.accounts, kinds, strict=False):
        bench.fault(account, kind, times=4)
    with Http2(bench.proxy) as client:
        asked = [client.ask(bench.headers(thread_id=f"{bench.thread}-{n}")) for n in range(40)]
        answers = [client.answer(stream) for stream in asked]
    assert all(answer.ended for answer in answers)
    # what upstream broke off before any word of the model is repeated by the client itself
    assert all(answer.completed or not answer.text for answer in answers)
    assert sum(answer.completed for answer in answers) >= 35
    assert bench.proxy.process.poll() is None


def test_forty_requests_at_once_whose_connections_are_cut(shared: Bench):
    """A reset takes all answers on that connection with it. Each client request still comes to an end."""
    bench = shared
    bench.start_test(seats=4)
    for account, kind in zip(bench.accounts, [FaultKind.RESET, FaultKind.CLOSE], strict=False):
        bench.fault(account, kind, times=3)
    with Http2(bench.proxy) as client:
        asked = [client.ask(bench.headers(thread_id=f"{bench.thread}-{n}")) for n in range(40)]
        answers = [client.answer(stream) for stream in asked]
        assert all(answer.ended or answer.cut for answer in answers)
        assert sum(answer.completed for answer in answers) >= 30
        assert client.turn(bench.headers()).completed


def connections(bench: Bench) -> dict[int, set[str | None]]:
    """Whose tokens each upstream connection has carried."""
    owners = defaultdict(set)
    for seen in bench.seen():
        owners[seen.connection].add(seen.account_id)
    return owners


def swap(bench: Bench) -> None:
    """Make the first account unusable, or usable again."""
    key = bench.keys[bench.first.account_id]
    enabled = next(seat.enabled for seat in bench.store.accounts() if seat.key == key)
    bench.store.update_account(key, enabled=not enabled).result()


def test_http1_keep_alive_never_shares_a_connection_between_accounts(bench: Bench):
    with http1(bench.proxy) as client:
        for _ in range(4):
            assert turn1(client, bench.headers(thread_id="")).completed
            assert client.get(CHECK, headers=bench.headers()).status_code == 200
            swap(bench)
    assert bench.served_by() == ["first", "second", "first", "second"]
    assert bench.served_by(CHECK) == ["own"] * 4
    assert all(len(owners) == 1 for owners in connections(bench).values())


def test_http2_never_shares_a_connection_between_accounts(bench: Bench):
    with Http2(bench.proxy) as client:
        for _ in range(4):
            assert client.turn(bench.headers(thread_id="")).completed
            assert client.answer(client.ask(bench.headers(), method="GET", path=CHECK, body=b"")).status == 200
            swap(bench)
    assert bench.served_by() == ["first", "second", "first", "second"]
    owners = connections(bench)
    assert all(len(who) == 1 for who in owners.values())
    assert len(owners) == 3, "an account reuses its own connection"


def test_a_retry_never_uses_the_refused_account_s_connection(bench: Bench):
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers(thread_id="one")).text == bench.first.answer
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=60)
        asked = [client.ask(bench.headers(thread_id=f"{n}"), path=RESPONSES, body=ASK) for n in range(6)]
        assert {client.answer(stream).text for stream in asked} == {bench.second.answer}
    assert all(len(who) == 1 for who in connections(bench).values())


def test_request_after_request_is_led_from_one_account_to_the_other(bench: Bench):
    """Each is refused by the first account and answered by the second, on the connections that are there already. Who
    was refused a model is not asked for it again."""
    bench.fault(bench.first, FaultKind.UNSUPPORTED_MODEL)
    with Http2(bench.proxy) as client:
        for number in range(5):
            headers = bench.headers(thread_id=f"{bench.thread}-{number}", x_codex_routing_hint=f"model=m{number}")
            assert client.turn(headers).text == bench.second.answer
    assert bench.served_by() == ["first", "second"] * 5


def test_one_request_can_need_many_attempts(shared: Bench):
    """Two refusals, a token to be renewed, and then the answer."""
    bench = shared
    bench.start_test(seats=3)
    bench.fault(bench.first, FaultKind.USAGE_LIMIT)
    bench.fault(bench.second, FaultKind.OVERLOADED)
    bench.accounts[2].expire()
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers()).text == bench.accounts[2].answer
    assert bench.served_by() == ["first", "second", "third", "third"]
