"""What the CLI, or a second proxy, changes in the pool holds from the next request on."""

import sqlite3
from dataclasses import replace

from accounts.model import Cooldown, Standing
from standin import FaultKind
from tests.proxy.clients import ASK, RECONNECT, RESPONSES, Http2, Socket, http1, turn1
from tests.proxy.conftest import Bench


def served(bench: Bench) -> str | None:
    """Who serves a new thread now."""
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers(thread_id="")).completed
    return bench.served_by()[-1]


def change(bench: Bench, place: int, **changes: object) -> None:
    key = bench.keys[bench.accounts[place].account_id]
    bench.store.update_account(key, **changes).result()


def test_accounts_that_are_added_paused_resumed_and_removed(bench: Bench):
    assert served(bench) == "first"
    change(bench, 0, enabled=False)
    assert served(bench) == "second"
    bench.add()
    change(bench, 1, enabled=False)
    assert served(bench) == "third"
    change(bench, 0, enabled=True)
    assert served(bench) == "first"
    bench.store.remove_account(bench.keys[bench.first.account_id]).result()
    assert served(bench) == "third"


def test_a_priority_counts_at_once(bench: Bench):
    change(bench, 1, priority=5)
    assert served(bench) == "second"


def test_a_standing_counts_at_once(bench: Bench):
    bench.store.set_standing(bench.keys[bench.first.account_id], Standing.NEEDS_LOGIN).result()
    assert served(bench) == "second"
    bench.store.set_standing(bench.keys[bench.first.account_id], Standing.GOOD).result()
    assert served(bench) == "first"


def test_a_rest_that_another_proxy_has_found_out_counts_at_once(bench: Bench):
    key = bench.keys[bench.first.account_id]
    bench.store.set_cooldown(key, Cooldown(until=bench.now + 600, reason="usage_limit", since=bench.now)).result()
    assert served(bench) == "second"
    bench.store.clear_cooldown(key).result()
    assert served(bench) == "first"


def test_tokens_that_were_imported_anew_are_used_at_once(bench: Bench):
    """The login of a revoked account was repeated: the same seat, other tokens."""
    bench.fault(bench.first, FaultKind.UNAUTHORIZED_INVALIDATED, times=1)
    assert served(bench) == "second"
    assert bench.happened(bench.first, "token_invalidated")
    assert served(bench) == "second"
    stored = bench.store.credentials(bench.keys[bench.first.account_id])
    assert stored is not None
    seat = next(seat for seat in bench.store.accounts() if seat.account_id == bench.first.account_id)
    login = replace(seat, standing=Standing.GOOD)
    assert bench.store.put_account(login, stored).result() is False
    assert served(bench) == "first"


def test_a_thread_stays_with_its_account_and_leaves_it_when_it_is_paused(bench: Bench):
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers()).text == bench.first.answer
        change(bench, 1, priority=9)
        assert client.turn(bench.headers()).text == bench.first.answer
        change(bench, 0, enabled=False)
        assert client.turn(bench.headers()).text == bench.second.answer


def test_an_open_socket_is_led_away_from_a_paused_account(bench: Bench):
    """The next message is answered with what makes the client reconnect in silence; upstream does not see it."""
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        change(bench, 0, enabled=False)
        assert client.turn().error["code"] == RECONNECT
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.second.answer
    assert [len(seen.messages) for seen in bench.seen()] == [1, 1]


def test_an_open_socket_is_led_away_from_an_account_that_another_request_found_spent(bench: Bench):
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=600)
        with http1(bench.proxy) as other:
            assert turn1(other, bench.headers(thread_id="another")).text == bench.second.answer
        assert client.turn().error["code"] == RECONNECT


def test_a_paused_account_finishes_the_turn_it_is_in(bench: Bench):
    bench.fault(bench.first, FaultKind.STALL, after_output=True)
    with Http2(bench.proxy) as client:
        asked = client.ask(bench.headers())
        client.until(asked, lambda seen: b"output_text.delta" in seen.body)
        change(bench, 0, enabled=False)
        assert client.turn(bench.headers(thread_id="another")).text == bench.second.answer
        bench.upstream.release()
        assert client.answer(asked).text == bench.first.answer


def test_a_pool_that_was_emptied_says_what_to_do(bench: Bench):
    for key in bench.keys.values():
        bench.store.remove_account(key).result()
    with http1(bench.proxy) as client:
        answer = client.post(RESPONSES, headers=bench.headers(), content=ASK)
    assert answer.status_code == 400
    assert "codex-rotate" in answer.json()["error"]["message"]
    assert bench.seen() == ()


def test_a_limit_is_not_forgotten_because_somebody_changes_the_pool_meanwhile(bench: Bench):
    """The limit is in memory and not yet on disk when another opener's change is taken in."""
    path = bench.store.path
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=600)
    locker = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        with Http2(bench.proxy) as client:
            locker.execute("BEGIN IMMEDIATE")  # whatever the proxy wants to write has to wait
            locker.execute("INSERT INTO change (writer) VALUES ('somebody else')")
            assert client.turn(bench.headers(thread_id="one")).text == bench.second.answer
            locker.execute("COMMIT")
            locker.execute("BEGIN IMMEDIATE")
            assert client.turn(bench.headers(thread_id="two")).text == bench.second.answer
    finally:
        locker.close()
    assert bench.served_by() == ["first", "second", "second"]
