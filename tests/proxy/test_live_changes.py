"""What the CLI, or a second proxy, changes in the pool holds from the next request on."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from accounts.model import Cooldown, Standing
from cli.app import main
from standin import FaultKind
from tests.harness import eventually
from tests.proxy.clients import ASK, RESPONSES, Http2, Socket, http1, turn1, turn_ws
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
    """The client's socket stays; the account's is left."""
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        change(bench, 0, enabled=False)
        assert client.turn().text == bench.second.answer
        assert client.turn().text == bench.second.answer
    assert [len(seen.messages) for seen in bench.seen()] == [1, 2]


@pytest.mark.parametrize("how", ["paused", "removed"])
def test_a_socket_that_asks_for_nothing_leaves_such_an_account_too(bench: Bench, how: str):
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        if how == "paused":
            change(bench, 0, enabled=False)
        else:
            bench.store.remove_account(bench.keys[bench.first.account_id]).result()
        assert eventually(lambda: bench.served_by() == ["first", "second"])
        assert eventually(lambda: bench.seen()[0].closed)
        assert client.turn().text == bench.second.answer
    assert [len(seen.messages) for seen in bench.seen()] == [1, 1]


def test_it_stays_while_its_turn_is_under_way(bench: Bench):
    bench.fault(bench.first, FaultKind.STALL, after_output=True)
    with Socket(bench.proxy, bench.headers()) as client, Socket(bench.proxy, bench.headers(thread_id="b")) as other:
        assert other.upgrade.status == 101
        client.create()
        assert any(said["type"] == "response.output_text.delta" for said in client.messages())
        change(bench, 0, enabled=False)
        assert eventually(lambda: bench.served_by() == ["first", "first", "second"])  # the other one
        bench.upstream.release()
        assert any(said["type"] == "response.completed" for said in client.messages())


def test_it_stays_if_nobody_else_may_serve_it(bench: Bench):
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        change(bench, 1, enabled=False)
        change(bench, 0, enabled=False)
        assert "paused" in str(client.turn().error)
    assert bench.served_by() == ["first"]


def test_an_open_socket_is_led_away_from_an_account_that_another_request_found_spent(bench: Bench):
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=600)
        with http1(bench.proxy) as other:
            assert turn1(other, bench.headers(thread_id="another")).text == bench.second.answer
        assert client.turn().text == bench.second.answer


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


# --- the account that everybody uses ---------------------------------------------------------------------------------


type Command = Callable[..., None]


@pytest.fixture
def command(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """Runs a command of the CLI on the pool of the running proxy. Nobody is chosen afterwards."""
    monkeypatch.setenv("CODEX_ROTATE_HOME", str(bench.proxy.home))

    def run(*words: str) -> None:
        assert main([*words, "--json"]) == 0

    yield run
    run("use", "--auto")


def test_everybody_follows_a_choice_at_the_next_request(bench: Bench, command: Command):
    """`use`, another `use` and `use --auto`: threads that live elsewhere too, on a connection that is open."""
    with Http2(bench.proxy) as client:
        assert client.turn(bench.headers()).text == bench.first.answer
        command("use", bench.second.account_id)
        assert client.turn(bench.headers()).text == bench.second.answer
        assert client.turn(bench.headers(thread_id="")).text == bench.second.answer
        command("use", bench.first.account_id)
        assert client.turn(bench.headers()).text == bench.first.answer
        command("use", bench.second.account_id)
        command("use", "--auto")
        assert client.turn(bench.headers(thread_id="")).text == bench.first.answer
    assert bench.unpunished()


def test_an_open_socket_follows_a_choice(bench: Bench, command: Command):
    """And goes home when the choice is taken back."""
    with Socket(bench.proxy, bench.headers()) as client:
        assert client.turn().text == bench.first.answer
        command("use", bench.second.account_id)
        assert client.turn().text == bench.second.answer
        command("use", "--auto")
        assert client.turn().text == bench.first.answer


@pytest.mark.parametrize("version", ["http", "ws"])
def test_removing_the_chosen_account_lets_the_others_serve(bench: Bench, command: Command, version: str):
    """Nobody is left waiting for an account that is gone."""

    def turn() -> str:
        if version == "ws":
            return turn_ws(bench.proxy, bench.headers()).text
        with http1(bench.proxy) as client:
            return turn1(client, bench.headers()).text

    command("use", bench.second.account_id)
    assert turn() == bench.second.answer
    command("remove", bench.second.account_id, "--yes")
    assert turn() == bench.first.answer


@pytest.mark.parametrize("version", ["http", "ws"])
def test_a_chosen_account_at_its_limit_is_told_as_a_rule(bench: Bench, command: Command, version: str):
    """Others could serve: whoever reads it learns that a choice is in the way. The choice stays."""
    command("use", bench.second.account_id)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, resets_in=7200)
    if version == "ws":
        told = turn_ws(bench.proxy, bench.headers()).error
    else:
        with http1(bench.proxy) as client:
            told = turn1(client, bench.headers()).error
    assert told["type"] == "codex_rotate_pinned"
    assert set(bench.served_by()) == {"second"}
    command("use", "--auto")
    assert served(bench) == "first"


@pytest.mark.parametrize("version", ["http", "ws"])
def test_a_launch_for_one_account_is_untouched_by_a_choice(bench: Bench, command: Command, version: str):
    """`run --account` says so in the proxy's address, and that goes before what is chosen for everybody."""
    says = f"{bench.first.account_id}:"
    command("use", bench.second.account_id)
    if version == "ws":
        with Socket(bench.proxy, bench.headers(), says=says) as client:
            assert client.turn().text == bench.first.answer
            command("use", "--auto")
            command("use", bench.second.account_id)
            assert client.turn().text == bench.first.answer
    else:
        with http1(bench.proxy, says=says) as client:
            assert turn1(client, bench.headers()).text == bench.first.answer
            assert turn1(client, bench.headers()).text == bench.first.answer
    assert served(bench) == "second"


def test_what_the_owner_decides_counts_at_once(bench: Bench, command: Command):
    """`pause`, `resume`, `priority` and `label` of the CLI, on one connection."""
    first, second = (account.account_id for account in bench.accounts)
    with Http2(bench.proxy) as client:

        def serves() -> str:
            return client.turn(bench.headers(thread_id="")).text

        command("pause", first)
        assert serves() == bench.second.answer
        command("resume", first)
        assert serves() == bench.first.answer
        command("priority", second, "9")
        assert serves() == bench.second.answer
        command("label", second, f"new-{second}")
        command("use", f"new-{second}")
        command("priority", f"new-{second}", "-9")
        assert serves() == bench.second.answer
