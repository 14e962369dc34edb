"""What the ledger says of turns through the real proxy: token for token what upstream has counted."""

import json
import os
import random
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from accounts.ledger.queries import UsageReader
from accounts.ledger.records import NO_TOKENS, TokenCount, Transport, TurnKind, TurnOutcome, TurnRecord
from standin import FaultKind
from tests.harness import eventually
from tests.proxy.clients import Socket, http1, turn1, turn_over
from tests.proxy.conftest import Bench

TURNS = int(os.environ.get("LEDGER_TURNS", "60"))
METADATA = json.dumps(
    {
        "request_kind": "turn",
        "workspaces": {"/work/it": {"associated_remote_urls": {"origin": "https://u:a-password@host/owner/repo.git"}}},
    }
)


@pytest.fixture
def ledger(bench: Bench) -> "Ledger":
    return Ledger(bench)


class Ledger:
    """The file that the proxy writes, as this test's turns are in it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.file = bench.folder / "rotate" / "usage.db"

    def turns(self) -> list[TurnRecord]:
        with closing(UsageReader(self.file)) as reader:
            return [each for each in reader.turns() if each.thread.startswith(self.bench.thread)]

    def until(self, enough: Callable[[list[TurnRecord]], bool]) -> list[TurnRecord]:
        assert eventually(lambda: enough(self.turns())), self.turns()
        return self.turns()

    def one(self) -> TurnRecord:
        (only,) = self.until(lambda turns: len(turns) == 1)
        return only


def counted(bench: Bench) -> TokenCount:
    """What upstream has counted in this test."""
    usages: list[Any] = [each.usage for seen in bench.seen() for each in seen.attempts if each.usage]
    return sum(
        (
            TokenCount(
                input=usage["input_tokens"],
                cached=usage["input_tokens_details"]["cached_tokens"],
                output=usage["output_tokens"],
                reasoning=usage["output_tokens_details"]["reasoning_tokens"],
            )
            for usage in usages
        ),
        NO_TOKENS,
    )


def summed(turns: list[TurnRecord]) -> TokenCount:
    total = sum((each.tokens for each in turns), NO_TOKENS)
    return TokenCount(input=total.input, cached=total.cached, output=total.output, reasoning=total.reasoning)


DEATHS: tuple[tuple[FaultKind, dict[str, Any]] | None, ...] = (
    None,
    None,
    (FaultKind.USAGE_LIMIT, {"resets_in": 1}),
    (FaultKind.SERVER_ERROR, {}),
    (FaultKind.RESET, {}),
    (FaultKind.RESET, {"after_output": True}),
    (FaultKind.TRUNCATED, {"after_output": True}),
    (FaultKind.FAILED_EVENT, {"after_output": True, "code": "usage_limit_reached"}),
)


def test_tokens_are_those_that_upstream_has_counted(bench: Bench, ledger: Ledger) -> None:
    """Over all transports, with rotations before output and in the middle of answers."""
    chance = random.Random(7)
    bench.add()
    bench.add()
    for number in range(TURNS):
        for key in bench.keys.values():  # somebody can always go on
            bench.store.clear_cooldown(key).result()
        death = chance.choice(DEATHS)
        if death is not None:
            bench.fault(chance.choice(bench.accounts), death[0], times=1, **death[1])
        headers = bench.headers(thread_id=f"{bench.thread}-{chance.randrange(6)}")
        got = turn_over(chance.choice(("h1", "h2", "ws")), bench.proxy, headers)
        assert got.completed or got.status != 200, (number, death, got)
        bench.upstream.clear()
    expected = counted(bench)
    turns = ledger.until(lambda turns: summed(turns) == expected)
    assert len(turns) == TURNS
    assert expected.output > 0
    assert {each.transport for each in turns} == set(Transport)
    assert {TurnOutcome.SERVED, TurnOutcome.CONTINUED} <= {each.outcome for each in turns}
    assert all(each.tokens.floor for each in turns if each.outcome is TurnOutcome.CONTINUED)
    assert not any(each.tokens.floor for each in turns if each.outcome is TurnOutcome.SERVED)
    assert any(each.rotations for each in turns)


def test_a_turn_over_http_says_where_it_comes_from(bench: Bench, ledger: Ledger) -> None:
    headers = bench.headers(
        x_codex_turn_metadata=METADATA, x_codex_parent_thread_id="the-parent", x_codex_routing_hint="model=gpt-5"
    )
    with http1(bench.proxy) as client:
        assert turn1(client, headers).completed
    told = ledger.one()
    assert (told.project, told.parent, told.root, told.model) == ("owner/repo", "the-parent", "the-parent", "gpt-5")
    assert (told.account, told.account_key) == (bench.first.account_id, bench.keys[bench.first.account_id])
    assert (told.kind, told.outcome, told.attempts, told.rotations) == (TurnKind.TURN, TurnOutcome.SERVED, 1, 0)
    assert told.first_output is not None
    assert 0 < told.first_output <= told.duration
    assert b"a-password" not in ledger.file.read_bytes()


def test_a_turn_in_a_socket_says_so_in_its_message(bench: Bench, ledger: Ledger) -> None:
    with Socket(bench.proxy, bench.headers()) as socket:
        assert socket.turn(generate=False, input=[]).completed
        about = {"x-codex-turn-metadata": METADATA, "x-codex-parent-thread-id": "the-parent"}
        assert socket.turn(client_metadata=about, service_tier="priority").completed
    warm_up, turn = ledger.until(lambda turns: len(turns) == 2)
    assert (warm_up.kind, warm_up.project) == (TurnKind.WARM_UP, "")
    assert (turn.kind, turn.project, turn.parent, turn.tier) == (TurnKind.TURN, "owner/repo", "the-parent", "priority")
    assert turn.transport is Transport.WEBSOCKET


def test_a_switch_between_two_turns_costs_what_was_not_cached(bench: Bench, ledger: Ledger) -> None:
    for _ in range(2):
        with http1(bench.proxy) as client:
            assert turn1(client, bench.headers()).completed
        bench.fault(bench.first, FaultKind.USAGE_LIMIT, resets_in=3600)
    one, other = ledger.until(lambda turns: len(turns) == 2)
    assert (one.cold, one.rotations) == (0, 0)
    assert (other.cold, other.rotations) == (other.tokens.input - other.tokens.cached, 1)
    assert other.account == bench.second.account_id


@pytest.mark.parametrize("version", ["h1", "ws"])
def test_what_the_proxy_refuses_is_in_it_with_the_reason(bench: Bench, ledger: Ledger, version: str) -> None:
    for account in bench.accounts:
        bench.fault(account, FaultKind.USAGE_LIMIT, resets_in=3600)
    turn_over(version, bench.proxy, bench.headers())
    told = ledger.until(lambda turns: len(turns) >= 1)[-1]
    assert (told.outcome, told.rule, told.tokens) == (TurnOutcome.REFUSED, "nobody_left", NO_TOKENS)


def test_an_answer_that_died_for_good_is_a_floor(bench: Bench, ledger: Ledger) -> None:
    for account in bench.accounts:
        bench.fault(account, FaultKind.FAILED_EVENT, after_output=True, code="usage_limit_reached")
    with http1(bench.proxy) as client:
        assert not turn1(client, bench.headers()).completed
    told = ledger.one()
    assert (told.outcome, told.attempts, told.tokens) == (TurnOutcome.FAILED, 2, TokenCount(floor=True))


def test_a_sub_agent_begins_on_its_parent_s_account(bench: Bench, ledger: Ledger) -> None:
    """Though another one comes first."""
    third = bench.add()
    bench.fault(bench.first, FaultKind.USAGE_LIMIT, times=1, resets_in=0)
    bench.fault(bench.second, FaultKind.USAGE_LIMIT, times=1, resets_in=0)
    with http1(bench.proxy) as client:
        assert turn1(client, bench.headers()).completed
    bench.settle()
    for account in bench.accounts[:2]:
        bench.store.clear_cooldown(bench.keys[account.account_id])
    child = bench.headers(thread_id=f"{bench.thread}-child", x_codex_parent_thread_id=bench.thread)
    with http1(bench.proxy) as client:
        assert turn1(client, child).completed
    told = ledger.until(lambda turns: len(turns) == 2)[-1]
    assert told.account == third.account_id
    assert told.root == bench.thread


def test_neither_prompts_nor_outputs_are_in_it(bench: Bench, ledger: Ledger) -> None:
    asked = {"model": "gpt-5", "input": [{"type": "message", "role": "user", "content": "a-prompt-nobody-may-see"}]}
    with http1(bench.proxy) as client:
        got = turn1(client, bench.headers(), json.dumps(asked).encode())
    ledger.one()
    kept = b"".join(each.read_bytes() for each in ledger.file.parent.glob("usage.db*"))
    assert b"a-prompt-nobody-may-see" not in kept
    assert got.text
    assert got.text.encode() not in kept


def test_only_its_owner_can_read_it(bench: Bench, ledger: Ledger) -> None:
    turn_over("h1", bench.proxy, bench.headers())
    ledger.one()
    beside: Path = ledger.file.parent
    assert {stat.S_IMODE(each.stat().st_mode) for each in beside.glob("usage.db*")} == {0o600}


def test_turns_go_on_when_the_file_is_damaged_and_come_back_into_it(bench: Bench, ledger: Ledger) -> None:
    turn_over("h1", bench.proxy, bench.headers())
    ledger.one()
    for each in ledger.file.parent.glob("usage.db*"):
        each.unlink()
    ledger.file.write_bytes(b"no database at all, whatever somebody says" * 200)
    turn_over("h1", bench.proxy, bench.headers())
    bench.proxy.output.wait_for("turns cannot be written to the ledger")
    assert turn_over("h1", bench.proxy, bench.headers()).completed
    with pytest.raises(sqlite3.DatabaseError):
        ledger.turns()
    ledger.file.unlink()
    ledger.until(lambda turns: len(turns) == 2)
