"""What the pool's owner has ruled about a person holds for each of their turns, over both transports, at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from ssl import SSLEOFError
from typing import Any

import pytest

from accounts.people.budgets import Budgets, Measure, read_limits
from accounts.people.keys import ClientKey, new_secret
from accounts.people.people import Person
from config import clock
from standin import ANY_ACCOUNT, Pace
from tests.harness import PATIENCE, eventually
from tests.proxy.clients import Got, Http2, Socket, http1, turn1
from tests.proxy.conftest import Bench
from tests.proxy.test_clients import VERSIONS, opened

SOON = 1.0
"""Seconds after which nothing of a client may be open that may not use the proxy any more."""


@dataclass
class Team:
    """Ann, who has two keys, and bob, who has one and no rules."""

    bench: Bench
    secrets: dict[str, str]
    since: float
    """When ann has come: what the ledger knows of earlier ones is not hers."""

    def ann(self, *, tokens: str = "none", turns: str = "none", at_once: int = 0, **more: Any) -> None:
        """From now on she may use so much; what she has used before is another person's."""
        limits = read_limits(Measure.TOKENS, tokens) + read_limits(Measure.TURNS, turns)
        budgets = Budgets(limits=limits, at_once=at_once)
        self.bench.store.people.put(Person(name="ann", budgets=budgets, added_at=self.since, **more)).result()

    def says(self, key: str = "ann-1") -> str:
        return f"-:{self.secrets[key]}"

    def once(self, version: str, key: str = "ann-1") -> Got:
        with opened(self.bench, version, self.says(key)) as take_turn:
            return take_turn()


@pytest.fixture
def team(bench: Bench) -> Iterator[Team]:
    made = Team(bench, {}, clock.now())
    bench.store.people.put(Person(name="bob")).result()
    for name in ("ann-1", "ann-2", "bob-1"):
        made.secrets[name] = new_secret()
        key = ClientKey(name=name, digest="", person=name.partition("-")[0])
        bench.store.people.put_key(key, made.secrets[name]).result()
    yield made
    for name in ("ann", "bob"):
        bench.store.people.remove(name).result()
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers(thread_id="")).completed  # the proxy has noticed


# --- accounts --------------------------------------------------------------------------------------------------------


def test_an_idle_socket_moves_to_no_account_that_its_person_may_not_use(team: Team) -> None:
    """Not even when its own is paused; once it is resumed the socket serves again."""
    bench, key = team.bench, team.bench.keys[team.bench.first.account_id]
    team.ann(accounts=(key,))
    with Socket(bench.proxy, bench.headers(), says=team.says()) as client:
        assert client.turn().text == bench.first.answer
        bench.store.update_account(key, enabled=False).result()
        assert client.turn().error
        bench.store.update_account(key, enabled=True).result()
        assert client.turn().text == bench.first.answer
    assert set(bench.served_by()) == {"first"}


# --- budgets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_over_a_budget_the_next_turn_is_refused_with_the_rule_and_its_end(team: Team, version: str) -> None:
    """In the same connection as the one before; others are served. It is in the history and in the log."""
    team.ann(tokens="10/day", models=("gpt-*",))
    with opened(team.bench, version, team.says()) as take_turn:
        assert take_turn().completed
        assert eventually(lambda: take_turn_is_refused(take_turn))
        told = take_turn().error
        assert told["type"] == told["code"] == "codex_rotate_token_budget"
        assert told["message"].startswith("codex-rotate: ann has used the 10 tokens of today; more ")
    assert team.once(version, "bob-1").completed
    assert team.once(version, "ann-2").error["code"] == "codex_rotate_token_budget", "a budget is the person's"
    assert eventually(lambda: len(denied(team.bench)) >= 2)
    assert denied(team.bench)[0]["person"] == "ann"
    assert denied(team.bench)[0]["attempts"] == []
    team.bench.proxy.output.wait_for(r"ann-1 .*refused by codex-rotate: token budget", seconds=5)


def take_turn_is_refused(take_turn: Callable[[], Got]) -> bool:
    """What a turn has used counts as soon as it is over, which its client may see first."""
    return not take_turn().completed


def denied(bench: Bench) -> list[dict[str, Any]]:
    return [each for each in bench.decisions() if each.get("rule") == "token_budget"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_larger_budget_counts_from_the_next_turn_on(team: Team, version: str) -> None:
    """Also on a socket that is open: each turn counts there, not the socket."""
    team.ann(turns="1/day")
    with opened(team.bench, version, team.says()) as take_turn:
        assert take_turn().completed
        assert eventually(lambda: take_turn_is_refused(take_turn))
        team.ann(turns="100/day")
        assert take_turn().completed


def test_an_upgrade_is_no_turn(team: Team) -> None:
    """A client over its budget gets its socket, in which it is told."""
    team.ann(turns="1/day")
    assert team.once("ws").completed
    assert eventually(lambda: not team.once("http1").completed)
    with Socket(team.bench.proxy, team.bench.headers(), says=team.says()) as client:
        assert client.upgrade.status == 101
        assert client.turn().messages[-1]["status"] == 400


# --- models and accounts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_model_that_is_not_theirs_is_refused_whatever_the_head_says(team: Team, version: str) -> None:
    team.ann(models=("other-*",))
    headers = team.bench.headers(x_codex_routing_hint="model=other-1")
    with asked(team.bench, version, headers, team.says()) as take_turn:
        told = take_turn().error
        assert told["code"] == "codex_rotate_model_not_allowed"
        assert "gpt-5 is not among the models that ann may use: other-*" in told["message"]
        team.ann(models=("other-*", "gpt-5"))
        assert take_turn().completed
    assert team.bench.served_by() == ["first"]


@contextmanager
def asked(bench: Bench, version: str, headers: dict[str, str], says: str) -> Iterator[Callable[[], Got]]:
    """One connection with these headers."""
    if version == "ws":
        with Socket(bench.proxy, headers, says=says) as socket:
            yield socket.turn
    elif version == "http2":
        with Http2(bench.proxy, says=says) as wire:
            yield lambda: wire.turn(headers)
    else:
        with http1(bench.proxy, says=says) as client:
            yield lambda: turn1(client, headers)


@pytest.mark.parametrize("version", VERSIONS)
def test_only_accounts_of_a_subset_serve(team: Team, version: str) -> None:
    """By key or by tag; bob gets whom the pool prefers. With none of them left it is told as the rule that it is."""
    second = team.bench.keys[team.bench.second.account_id]
    team.ann(accounts=(second,))
    assert team.once(version).completed
    team.bench.thread += "-bob"
    assert team.once(version, "bob-1").completed
    team.bench.store.update_account(second, tags=("Team",)).result()
    team.ann(accounts=("#team",))
    team.bench.thread += "-tag"
    assert team.once(version).completed
    assert team.bench.served_by() == ["second", "first", "second"]
    team.ann(accounts=("#nobody",))
    told = team.once(version).error
    assert told["type"] == "codex_rotate_person"
    assert team.bench.served_by() == ["second", "first", "second"]


def test_a_turn_on_an_open_socket_leaves_an_account_that_is_not_theirs_any_more(team: Team) -> None:
    team.ann()
    with Socket(team.bench.proxy, team.bench.headers(), says=team.says()) as client:
        assert client.turn().completed
        team.ann(accounts=(team.bench.keys[team.bench.second.account_id],))
        assert client.turn().completed
    assert team.bench.served_by() == ["first", "second"]


# --- at once ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_turn_more_than_may_be_at_once_waits_for_its_place(team: Team, version: str) -> None:
    """It begins when one of them has ended."""
    team.ann(at_once=1)
    team.bench.upstream.pace(ANY_ACCOUNT, Pace(between_words=0.3, words=5))
    with ThreadPoolExecutor(1) as other, Socket(team.bench.proxy, team.bench.headers(), says=team.says()) as client:
        client.create()
        messages = client.messages()
        while next(messages)["type"] != "response.output_text.delta":
            pass
        second = other.submit(team.once, version)
        for _ in takewhile(lambda message: message["type"] != "response.completed", messages):
            seen = (asked_for(team.bench), second.done())
        assert seen == (1, False)
        assert second.result(PATIENCE).completed
    assert asked_for(team.bench) == 2


def asked_for(bench: Bench) -> int:
    """How many turns upstream was asked for."""
    return sum(len(each.attempts) for each in bench.seen())


# --- keys and people that may not any more ---------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["paused", "expired", "removed"])
def test_a_socket_of_somebody_who_may_not_any_more_is_closed_within_a_second(team: Team, why: str) -> None:
    """Between turns, without its client asking."""
    team.ann()
    with Socket(team.bench.proxy, team.bench.headers(), says=team.says()) as client:
        assert client.turn().completed
        since = end(team, why)
        client.socket.settimeout(PATIENCE)
        with suppress(ConnectionResetError, SSLEOFError):
            while client.socket.recv(65536):
                pass
        assert clock.monotonic() - since < SOON


def end(team: Team, why: str) -> float:
    """Since when ann's first key is good for nothing."""
    if why == "paused":
        team.ann(paused=True)
    elif why == "removed":
        team.bench.store.remove_client_key("ann-1").result()
    else:
        ends = ClientKey(name="ann-1", digest="", person="ann", expires_at=clock.now() + 0.2)
        team.bench.store.people.put_key(ends, team.secrets["ann-1"]).result()
        return clock.monotonic() + 0.2
    return clock.monotonic()


@pytest.mark.parametrize("version", VERSIONS)
def test_somebody_who_is_paused_is_told_so_and_goes_on_when_resumed(team: Team, version: str) -> None:
    team.ann(paused=True)
    told = team.once(version).error
    assert told["code"] == "codex_rotate_person_paused"
    assert "has paused ann," in told["message"]
    team.ann()
    assert team.once(version).completed


@pytest.mark.parametrize("version", VERSIONS)
def test_a_key_that_has_expired_is_told_by_its_name(team: Team, version: str) -> None:
    key = ClientKey(name="ann-1", digest="", person="ann", expires_at=clock.now() - 1)
    team.bench.store.people.put_key(key, team.secrets["ann-1"]).result()
    told = team.once(version).error
    assert told["code"] == "codex_rotate_key_expired"
    assert "The key ann-1," in told["message"]
    assert team.once(version, "ann-2").completed
    later = replace(key, expires_at=clock.now() + 900)
    team.bench.store.people.put_key(later, team.secrets["ann-1"]).result()
    assert team.once(version).completed


def test_when_a_key_was_last_used_is_known(team: Team) -> None:
    before = clock.now()
    assert team.once("http1").completed

    def used() -> dict[str, float | None]:
        return {each.name: each.used_at for each in team.bench.store.people.client_keys()}

    assert eventually(lambda: (used()["ann-1"] or 0.0) >= before)
    assert used()["ann-2"] is None
