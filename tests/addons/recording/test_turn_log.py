"""A line for each turn when it is over; tests/proxy/test_turns_told.py reads them from the real proxy."""

import asyncio
import json
import logging
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tflow

from accounts.choice.decision_record import DECISION, Decided, read_record
from accounts.choice.outcomes import Kind
from accounts.ledger.records import TokenCount, TurnOutcome, TurnRecord
from accounts.model import Event
from addons.recording import annotations, turn_log
from addons.recording.ended_turn import EndedTurn
from addons.recording.turn_log import TurnLog
from tests.builders import NOW

THREAD = "thread-of-a-test"
COMPLETED = b'{"type":"response.completed","response":{"usage":{"input_tokens":7,"output_tokens":3}}}'


def record(done: str, *kinds: tuple[str, str], at: float = NOW, seconds: float = 2.0) -> Decided:
    attempts = [{"account": name, "why": "", "kind": kind, "detail": "", "seconds": 1.0} for name, kind in kinds]
    told = {"done": done, "model": "gpt", "seconds": seconds, "attempts": attempts}
    event = Event(at=at, kind=DECISION, key="", thread=THREAD, detail=json.dumps(told))
    return Decided(read_record(event), event)


def flow_of(*attempts: tuple[str, int, str], socket: bool = False, **headers: str) -> http.HTTPFlow:
    flow = tflow.twebsocketflow() if socket else tflow.tflow()
    if socket:
        flow.request.headers["upgrade"] = "websocket"
    flow.request.path = "/backend-api/codex/responses"
    flow.request.headers.update({"originator": "codex_exec"} | {k.replace("_", "-"): v for k, v in headers.items()})
    rows = [{"account": name, "status": status, "kind": kind} for name, status, kind in attempts]
    flow.metadata[f"{annotations.PREFIX}attempts"] = rows
    return flow


@pytest.fixture
def turns() -> TurnLog:
    return TurnLog(lambda _: "")


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, turn_log.logger.name)


def said(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == level]


def turn(turns: TurnLog, flow: http.HTTPFlow, ended: EndedTurn) -> None:
    """As the proxy does: the flow knows of it first."""
    annotations.turn_over(flow, ended.decided)
    turns.turn_over(flow, ended)


def test_without_a_loop_it_is_written_at_once(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(("a", 429, Kind.USAGE_LIMIT), ("b", 200, Kind.OK))
    turns.request_over(flow, EndedTurn(record("delivered")))
    assert said(caplog) == ["codex_exec f-a-test gpt  a 429 usage limit → b  ok  2.0 s"]


async def test_a_request_is_told_behind_its_answer(
    turns: TurnLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_log, "BEHIND_SECONDS", 0.0)
    turns.request_over(flow_of(("b", 200, Kind.OK)), EndedTurn(record("delivered"), COMPLETED))
    assert said(caplog) == []
    for _ in range(2):
        await asyncio.sleep(0)
    assert said(caplog) == ["codex_exec f-a-test gpt  b  ok  2.0 s  7 in 3 out"]


async def test_many_turns_do_not_wait(
    turns: TurnLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_log, "BEHIND_SECONDS", 3600.0)
    for _ in range(turn_log.MOST_BEHIND):
        turns.request_over(flow_of(("b", 200, Kind.OK)), EndedTurn(record("delivered")))
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(said(caplog)) == turn_log.MOST_BEHIND


async def test_a_turn_that_cannot_be_told_keeps_no_other_one_back(
    turns: TurnLog, caplog: pytest.LogCaptureFixture
) -> None:
    for seconds in (2.0, "odd", 3.0):
        turns.request_over(flow_of(("b", 200, Kind.OK)), EndedTurn(record("delivered")))
        told = turns._behind[-1].told
        turns._behind[-1] = turns._behind[-1]._replace(told=told._replace(seconds=seconds))  # type: ignore[arg-type]
    turns.tell_now()
    assert [each.split()[-2] for each in said(caplog)] == ["2.0", "3.0"]
    assert ["a defect in the addon" in each for each in said(caplog, logging.ERROR)] == [True]


async def test_a_socket_s_turns_are_told_and_not_the_socket(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(("b", 101, Kind.UPGRADED), socket=True)
    turns.request_over(flow, EndedTurn(record("delivered", ("b", Kind.UPGRADED))))
    for _ in range(2):
        turn(turns, flow, EndedTurn(record("delivered", ("b", Kind.OK)), COMPLETED))
    turns.tell_now()
    assert said(caplog) == ["codex_exec f-a-test gpt  b  ok  2.0 s  7 in 3 out"] * 2


async def test_who_did_not_open_the_socket_is_told_with_its_first_turn(
    turns: TurnLog, caplog: pytest.LogCaptureFixture
) -> None:
    flow = flow_of(("a", 429, Kind.USAGE_LIMIT), ("b", 101, Kind.UPGRADED), socket=True)
    for _ in range(2):
        turn(turns, flow, EndedTurn(record("delivered", ("b", Kind.OK))))
    turns.tell_now()
    assert [each.split("  ")[1] for each in said(caplog)] == ["a 429 usage limit → b", "b"]


async def test_a_warm_up_leaves_that_to_the_turn_after_it(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(("a", 429, Kind.USAGE_LIMIT), ("b", 101, Kind.UPGRADED), socket=True)
    turn(turns, flow, EndedTurn(record("delivered", ("b", Kind.OK)), purpose="warm-up"))
    turn(turns, flow, EndedTurn(record("delivered", ("b", Kind.OK), at=NOW + 9)))
    turns.tell_now()
    assert said(caplog) == ["codex_exec f-a-test gpt  a 429 usage limit → b  ok  2.0 s"]
    (minor,) = said(caplog, logging.DEBUG)
    assert "warm-up" in minor


async def test_a_turn_that_goes_on_elsewhere_is_one(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    """With the time that it took in all."""
    first, second = flow_of(("a", 101, Kind.UPGRADED), socket=True), flow_of(("b", 101, Kind.UPGRADED), socket=True)
    turn(turns, first, EndedTurn(record(annotations.RECONNECTS, ("a", Kind.USAGE_LIMIT))))
    turns.tell_now()
    assert said(caplog) == []
    turn(turns, second, EndedTurn(record("delivered", ("b", Kind.OK), at=NOW + 5), COMPLETED))
    turns.tell_now()
    assert said(caplog) == ["codex_exec f-a-test gpt  a usage limit → b  ok  7.0 s  7 in 3 out"]


async def test_a_client_that_does_not_come_back_is_told(
    turns: TurnLog, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_log, "BACK_SECONDS", 0.0)
    flow = flow_of(("a", 101, Kind.UPGRADED), socket=True)
    turn(turns, flow, EndedTurn(record(annotations.RECONNECTS, ("a", Kind.USAGE_LIMIT))))
    turns.tell_now()
    for _ in range(5):
        await asyncio.sleep(0)
    assert said(caplog) == ["codex_exec f-a-test gpt  a usage limit  told to reconnect, did not  2.0 s"]


async def test_at_the_end_of_the_proxy_nothing_is_left_untold(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(("a", 101, Kind.UPGRADED), socket=True)
    turn(turns, flow, EndedTurn(record(annotations.RECONNECTS, ("a", Kind.USAGE_LIMIT))))
    turns.done()
    assert len(said(caplog)) == 1


@pytest.mark.parametrize(
    ("attempts", "done", "told"),
    [
        ([("a", 426, Kind.UPGRADE_REFUSED)], "delivered", False),
        ([("a", 0, Kind.CLIENT_GONE)], "the client left", False),
        ([("a", 500, Kind.SERVER_ERROR)], "delivered", True),
        ([], annotations.OURS, True),
    ],
)
def test_an_upgrade_that_came_to_nothing_is_told_if_somebody_should_know(
    turns: TurnLog, caplog: pytest.LogCaptureFixture, attempts: list[Any], done: str, told: bool
) -> None:
    """On a 426 the client goes on over HTTP; that is no news."""
    flow = flow_of(*attempts, socket=True)
    flow.websocket = None
    turns.request_over(flow, EndedTurn(record(done)))
    assert len(said(caplog)) == told


def test_a_request_that_is_played_again_says_so(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(("b", 200, Kind.OK))
    flow.is_replay = "request"
    turns.request_over(flow, EndedTurn(record("delivered")))
    assert said(caplog)[0].startswith("replay ")


def test_a_compaction_is_for_those_who_look_closely(turns: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    flow = flow_of(("b", 200, Kind.OK), x_codex_turn_metadata='{"request_kind":"compaction"}')
    turns.request_over(flow, EndedTurn(record("delivered")))
    assert (said(caplog), len(said(caplog, logging.DEBUG))) == ([], 1)


class KeptRecords(list[TurnRecord]):
    """A ledger in memory."""

    def add(self, record: TurnRecord) -> None:
        self.append(record)


async def test_the_ledger_gets_a_record_of_each_turn() -> None:
    ledger = KeptRecords()
    turns = TurnLog(lambda _: "ann", ledger)
    turns.request_over(flow_of(("b", 200, Kind.OK)), EndedTurn(record("delivered"), COMPLETED))
    assert not ledger
    turns.tell_now()
    (kept,) = ledger
    assert (kept.client_key, kept.thread, kept.account, kept.outcome) == ("ann", THREAD, "b", TurnOutcome.SERVED)
    assert kept.tokens == TokenCount(input=7, output=3)


async def test_a_turn_that_goes_on_elsewhere_is_one_record() -> None:
    ledger = KeptRecords()
    turns = TurnLog(lambda _: "", ledger)
    first, second = flow_of(("a", 101, Kind.UPGRADED), socket=True), flow_of(("b", 101, Kind.UPGRADED), socket=True)
    turn(turns, first, EndedTurn(record(annotations.RECONNECTS, ("a", Kind.USAGE_LIMIT)), COMPLETED))
    turns.tell_now()
    assert not ledger
    turn(turns, second, EndedTurn(record("delivered", ("b", Kind.OK), at=NOW + 5), COMPLETED))
    turns.tell_now()
    (kept,) = ledger
    assert (kept.account, kept.attempts, kept.rotations, kept.duration) == ("b", 2, 1, 7.0)
    assert kept.tokens == TokenCount(input=14, output=6)


async def test_a_client_that_does_not_come_back_is_in_the_ledger() -> None:
    ledger = KeptRecords()
    turns = TurnLog(lambda _: "", ledger)
    flow = flow_of(("a", 101, Kind.UPGRADED), socket=True)
    turn(turns, flow, EndedTurn(record(annotations.RECONNECTS, ("a", Kind.USAGE_LIMIT))))
    turns.done()
    assert [each.outcome for each in ledger] == [TurnOutcome.RECONNECTED]


def test_the_flow_shows_who_asked() -> None:
    """Before anybody saves it."""
    flow = flow_of(("b", 200, Kind.OK))
    TurnLog(lambda _: "ann").request_over(flow, EndedTurn(record("delivered")))
    assert flow.metadata[annotations.PERSON] == "ann"
    nobody = flow_of(("b", 200, Kind.OK))
    TurnLog(lambda _: "").request_over(nobody, EndedTurn(record("delivered")))
    assert annotations.PERSON not in nobody.metadata
