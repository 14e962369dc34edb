"""What runs is told while it runs, over every transport, and is gone when it is over, however it ends."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from accounts.people.keys import new_secret
from accounts.people.people import Person
from accounts.views.live_turns import LiveTurn
from cli.running.live_turns import live_turns
from config import clock, paths, private_socket
from standin import FaultKind
from tests.harness import eventually
from tests.proxy.clients import ASK, RESPONSES, Http2, Socket, http1
from tests.proxy.conftest import Bench

pytestmark = pytest.mark.skipif(not private_socket.usable(), reason="this system has no such sockets")

CREATED = b"event: response.created"
DELTA = b"response.output_text.delta"
METADATA = json.dumps(
    {"workspaces": {"/work/it": {"associated_remote_urls": {"origin": "https://u:a-password@host/owner/repo.git"}}}}
)
VERSIONS = ("h1", "h2", "ws")


def live(bench: Bench) -> tuple[LiveTurn, ...]:
    """Of this test."""
    told = live_turns({paths.HOME: str(bench.folder / "rotate")})
    return tuple(each for each in told if each.thread == bench.thread)


def over(bench: Bench) -> bool:
    return eventually(lambda: live(bench) == ())


type Finish = Callable[[], bool]


@contextmanager
def begun(version: str, bench: Bench, **more: str) -> Iterator[Finish]:
    """A turn that has said its first words; what reads it to its end, and says whether it came to that. Whoever does
    not leaves it."""
    headers = bench.headers(x_codex_turn_metadata=METADATA, x_codex_routing_hint="model=gpt-5", **more)
    if version == "h1":
        with http1(bench.proxy) as client, client.stream("POST", RESPONSES, headers=headers, content=ASK) as answer:
            lines = answer.iter_lines()
            assert any(DELTA.decode() in line for line in lines)
            yield lambda: any('"response.completed"' in line for line in lines)
    elif version == "h2":
        with Http2(bench.proxy) as client:
            number = client.ask(headers)
            client.until(number, lambda seen: DELTA in seen.body)
            yield lambda: client.answer(number).completed
    else:
        with Socket(bench.proxy, headers) as socket:
            socket.create(client_metadata={"x-codex-turn-metadata": METADATA})
            messages = socket.messages()
            assert any(each["type"] == DELTA.decode() for each in messages)
            yield lambda: any(each["type"] == "response.completed" for each in messages)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_turn_is_told_with_its_rotation_while_it_runs(bench: Bench, version: str) -> None:
    before = clock.now()
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    bench.fault(bench.second, FaultKind.STALL, times=1, after_output=True)
    with begun(version, bench) as finish:
        assert eventually(lambda: [each.received > 0 for each in live(bench)] == [True])
        (told,) = live(bench)
        assert told.account == bench.second.account_id
        assert (told.model, told.project, told.person) == ("gpt-5", "owner/repo", "")
        assert told.transport == ("websocket" if version == "ws" else "http")
        assert told.first_output is not None
        assert before <= told.began <= told.began + told.first_output <= clock.now()
        if version == "ws":  # the upgrade, or the turn, was led elsewhere
            assert told.attempts in {1, 2}
        else:
            assert (told.attempts, told.rotations) == (2, 1)
        bench.upstream.release()
        assert finish()
        assert over(bench)


def test_a_turn_that_rotates_beneath_its_socket_is_one(bench: Bench) -> None:
    with Socket(bench.proxy, bench.headers()) as socket:
        assert socket.turn().completed
        assert over(bench)
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
        bench.fault(bench.second, FaultKind.STALL, times=1, after_output=True)
        socket.create()
        messages = socket.messages()
        assert any(each["type"] == DELTA.decode() for each in messages)
        (told,) = live(bench)
        assert (told.account, told.attempts, told.rotations) == (bench.second.account_id, 2, 1)
        bench.upstream.release()
        assert any(each["type"] == "response.completed" for each in messages)
        assert over(bench)


def test_an_answer_that_goes_on_elsewhere_is_still_the_same_turn(bench: Bench) -> None:
    bench.fault(bench.first, FaultKind.RESET, times=1, after_output=True)
    bench.fault(bench.second, FaultKind.STALL, times=1, after_output=True)
    with Http2(bench.proxy) as client:
        number = client.ask(bench.headers())
        client.until(number, lambda seen: [DELTA in each for each in seen.body.split(CREATED)][1:] == [True, True])
        (told,) = live(bench)
        assert (told.account, told.attempts, told.rotations) == (bench.second.account_id, 2, 1)
        bench.upstream.release()
        assert client.answer(number).completed
    assert over(bench)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_leaves_takes_its_turn_with_it(bench: Bench, version: str) -> None:
    bench.fault(bench.first, FaultKind.STALL, times=1, after_output=True)
    with begun(version, bench):
        assert len(live(bench)) == 1
    assert over(bench)
    bench.upstream.release()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_answer_that_breaks_for_good_is_gone(bench: Bench, version: str) -> None:
    for account in bench.accounts:
        bench.fault(account, FaultKind.TRUNCATED, after_output=True)
    with suppress(Exception), begun(version, bench) as finish:
        finish()
    assert over(bench)


def test_a_request_that_waits_for_its_answer_is_told_without_one(bench: Bench) -> None:
    for account in bench.accounts:
        bench.fault(account, FaultKind.HANG, times=1)
    with Http2(bench.proxy) as client:
        number = client.ask(bench.headers())
        assert eventually(lambda: bench.served_by() != [])
        (told,) = live(bench)
        assert (told.attempts > 0, told.received, told.first_output) == (True, 0, None)
        client.cancel(number)
        assert over(bench)
    bench.upstream.release()


def test_who_asks_is_named_by_their_key(bench: Bench) -> None:
    secret = new_secret()
    bench.store.people.put(Person(name="ann")).result()
    bench.store.put_client_key("ann-1", secret, clock.now()).result()
    try:
        bench.fault(bench.first, FaultKind.STALL, times=1, after_output=True)
        with Http2(bench.proxy, says=f"-:{secret}") as client:
            number = client.ask(bench.headers())
            client.until(number, lambda seen: DELTA in seen.body)
            assert [each.person for each in live(bench)] == ["ann-1"]
            bench.upstream.release()
            assert client.answer(number).completed
    finally:
        bench.store.remove_client_key("ann-1").result()
        bench.store.people.remove("ann").result()


def test_nothing_secret_is_told(bench: Bench) -> None:
    bench.fault(bench.first, FaultKind.STALL, times=1, after_output=True)
    with begun("ws", bench) as finish:
        said = repr(live(bench)).encode()
        bench.upstream.release()
        assert finish()
    secrets = (b"a-password", bench.first.access_token.encode(), bench.home.access_token.encode(), b'"hi"')
    assert not [each for each in secrets if each in said]
