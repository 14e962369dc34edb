"""The ledger's record of a turn that is over."""

import json
from typing import Any

import pytest
from mitmproxy.test import tflow

from accounts.choice.decision_record import DECISION, Decided, Done, Record, read_record
from accounts.choice.outcomes import Kind, Outcome
from accounts.choice.pool import Lease
from accounts.continuing.delivered import DeliveredAnswer
from accounts.ledger.records import MOVED, NO_TOKENS, TokenCount, Transport, TurnKind, TurnOutcome
from accounts.model import Event
from accounts.turn.log import DecisionLog
from accounts.turn.steps import Reason
from addons.recording.ended_turn import EndedTurn
from addons.recording.turn_line import Told
from addons.recording.turn_records import OTHER, OUTCOMES, Asking, TurnRecords, spent
from tests.builders import NOW, account, credentials, key_of

HTTP = Asking(person="", key="ann", rule="", metadata="", parent="", upgrade=False)
SOCKET = HTTP._replace(upgrade=True)
OK, LIMIT = ("a", 200, Kind.OK), ("a", 429, Kind.USAGE_LIMIT)
USED = TokenCount(input=100, cached=60, output=10)


def ended(done: str = Done.DELIVERED, *, log: DecisionLog | None = None) -> EndedTurn:
    detail = {"done": done, "model": "gpt-5", "seconds": 2.0, "attempts": []}
    event = Event(at=NOW, kind=DECISION, thread="t", detail=json.dumps(detail))
    return EndedTurn(Decided(read_record(event), event), log=log)


def told(*asked: tuple[str, int, str], done: str = Done.DELIVERED, thread: str = "t", **more: Any) -> Told:
    return Told(thread=thread, model="gpt-5", asked=asked, done=done, seconds=2.0, began=NOW - 2, **more)


def log_of(*names: str, answered: float | None = None, refused: str = "") -> DecisionLog:
    log = DecisionLog(refused=refused)
    for name in names:
        lease = Lease(account=account(name), credentials=credentials(name), thread="t", at=NOW)
        log.note(lease, Outcome(kind=Kind.OK), NOW)
    if answered is not None:
        log.answered(answered)
    return log


def test_it_says_who_asked_and_who_answered() -> None:
    record = TurnRecords().of(told(OK), ended(log=log_of("a", answered=NOW - 1.5)), HTTP, USED)
    assert record is not None
    assert (record.when, record.client_key, record.account, record.account_key) == (NOW, "ann", "a", key_of("a"))
    assert (record.thread, record.root, record.model, record.transport) == ("t", "t", "gpt-5", Transport.HTTP)
    assert (record.first_output, record.duration, record.tokens) == (0.5, 2.0, USED)
    assert (record.outcome, record.kind, record.attempts, record.rotations) == ("served", "turn", 1, 0)


def test_the_person_and_the_rule_are_those_of_the_decision_record() -> None:
    known = Record(done=Done.OURS, person="Ann", client_key="laptop", rule="tokens")
    asking = Asking.of(tflow.tflow().request, known, "another name")
    record = TurnRecords().of(told(done=Done.OURS), ended(Done.OURS), asking, NO_TOKENS)
    assert record is not None
    assert (record.person, record.client_key, record.rule) == ("Ann", "laptop", "tokens")


@pytest.mark.parametrize(
    ("asked", "done", "outcome"),
    [
        ((OK,), Done.DELIVERED, TurnOutcome.SERVED),
        ((LIMIT,), Done.DELIVERED, TurnOutcome.FAILED),
        ((LIMIT, ("b", 200, Kind.OK)), Done.CONTINUED, TurnOutcome.CONTINUED),
        ((LIMIT, ("b", 200, Kind.USAGE_LIMIT)), Done.CONTINUED, TurnOutcome.FAILED),
        ((LIMIT,), Done.COMPLETED, TurnOutcome.CUT_SHORT),
        ((("a", 200, Kind.CLIENT_GONE),), Done.CLIENT_LEFT, TurnOutcome.LEFT),
        ((("a", 0, Kind.CLIENT_GONE),), Done.SOCKET_CLOSED, TurnOutcome.LEFT),
        ((("a", 0, Kind.TRUNCATED),), Done.SOCKET_CLOSED, TurnOutcome.FAILED),
        ((), Done.OURS, TurnOutcome.REFUSED),
        ((), "in words of another version", TurnOutcome.FAILED),
    ],
)
def test_how_it_ended_is_told_as_its_client_has_seen_it(asked: Any, done: str, outcome: TurnOutcome) -> None:
    record = TurnRecords().of(told(*asked, done=done), ended(done, log=log_of(refused="nobody_left")), HTTP, NO_TOKENS)
    assert record is not None
    assert record.outcome is outcome
    assert record.rule == ("nobody_left" if outcome is TurnOutcome.REFUSED else "")


def test_every_way_to_end_is_known() -> None:
    assert OUTCOMES.keys() == set(Done)


@pytest.mark.parametrize(("refused", "counts"), [("", False), (Reason.USE_HTTP, False), (Reason.NOBODY_LEFT, True)])
def test_an_upgrade_with_which_no_turn_ends_is_none(refused: str, counts: bool) -> None:
    over = ended(Done.OURS, log=log_of(refused=refused))
    assert (TurnRecords().of(told(done=Done.OURS), over, SOCKET, NO_TOKENS) is not None) is counts


def test_a_switch_costs_what_was_not_cached() -> None:
    records = TurnRecords()
    records.of(told(OK), ended(), HTTP, USED)
    same = records.of(told(OK), ended(), HTTP, USED)
    other = records.of(told(LIMIT, ("b", 200, Kind.OK)), ended(), HTTP, USED)
    after = records.of(told(("b", 200, Kind.OK)), ended(), HTTP, USED)
    assert [each and (each.rotations, each.cold) for each in (same, other, after)] == [(0, 0), (1, 40), (0, 0)]


def test_each_rotation_has_a_reason_of_a_closed_set() -> None:
    records = TurnRecords()
    records.of(told(OK), ended(), HTTP, USED)
    steps = (("b", 429, Kind.USAGE_LIMIT), ("b", 429, Kind.BURST_LIMIT), ("c", 0, "of_another_version"))
    first = records.of(told(*steps, OK), ended(), HTTP, USED)
    again = records.of(told(("b", 200, Kind.UPGRADED), OK), ended(), HTTP, USED)
    assert first is not None
    assert again is not None
    assert first.reasons == (MOVED, Kind.BURST_LIMIT, OTHER)
    assert again.reasons == (MOVED, MOVED), "nothing had happened to b"
    assert (first.rotations, again.rotations) == (3, 2)


def test_where_nobody_answered_nothing_was_switched() -> None:
    records = TurnRecords()
    records.of(told(OK), ended(), HTTP, USED)
    records.of(told(("b", 429, Kind.USAGE_LIMIT)), ended(), HTTP, NO_TOKENS)
    record = records.of(told(OK), ended(), HTTP, USED)
    assert record is not None
    assert (record.rotations, record.cold) == (0, 0)


def test_a_message_goes_before_the_head_of_its_socket() -> None:
    """One socket may serve turns of several kinds."""
    head = SOCKET._replace(metadata=json.dumps({"workspaces": {"/w/head": {}}}), parent="of the head")
    about = {"x-codex-turn-metadata": json.dumps({"workspaces": {"/w/it": {}}, "request_kind": "compaction"})}
    asked = json.dumps({"client_metadata": about, "service_tier": "flex"}).encode()
    record = TurnRecords().of(told(OK), ended()._replace(asked=asked), head, USED)
    assert record is not None
    assert (record.project, record.parent, record.kind, record.tier) == (
        "it",
        "of the head",
        TurnKind.COMPACTION,
        "flex",
    )


def test_what_is_no_turn_of_the_user_s_is_named() -> None:
    kinds = [TurnRecords().of(told(OK, purpose=purpose), ended(), HTTP, USED) for purpose in ("search", "unheard of")]
    assert [each and each.kind for each in kinds] == [TurnKind.SEARCH, TurnKind.TURN]


def test_the_model_of_the_answer_stands_in_for_one_that_was_not_named() -> None:
    delivered = DeliveredAnswer()
    delivered.passed("response.created", b'{"response":{"model":"gpt-5-2025-08-07"}}')
    record = TurnRecords().of(told(OK)._replace(model=""), ended()._replace(delivered=delivered), HTTP, USED)
    assert record is not None
    assert record.model == "gpt-5-2025-08-07"


def test_tokens_of_all_parts_of_an_answer_are_summed_up() -> None:
    delivered, log = DeliveredAnswer(), log_of("a", "b", answered=NOW)
    log.answered(NOW)
    for number in (7, 5):
        usage = {"input_tokens": number, "output_tokens": 1, "input_tokens_details": {"cached_tokens": 2}}
        body = {"response": {"usage": usage, "service_tier": "priority"}}
        delivered.passed("response.completed", json.dumps(body).encode())
    shown, counted = spent(ended(log=log)._replace(delivered=delivered))
    assert shown is not None
    assert shown.given == 5
    assert counted == TokenCount(input=12, cached=4, output=2)
    assert delivered.said.tier == "priority"


def test_a_part_that_has_not_said_what_it_took_makes_a_floor() -> None:
    answer = b'{"usage":{"input_tokens":7,"output_tokens":3}}'
    assert spent(ended(log=log_of("a", answered=NOW)))[1] == TokenCount(floor=True)
    assert spent(ended(log=log_of("a", answered=NOW))._replace(event=answer))[1] == TokenCount(input=7, output=3)
    assert spent(ended(log=log_of("a")))[1] == NO_TOKENS


def test_what_was_not_said_counts_as_none() -> None:
    answer = b'{"usage":{"input_tokens":3}}'
    assert spent(ended(log=log_of("a", answered=NOW))._replace(event=answer))[1] == TokenCount(input=3)


def test_a_head_says_who_asks() -> None:
    request = tflow.tflow().request
    request.headers.update({"x-codex-turn-metadata": "{}", "x-codex-parent-thread-id": "p", "upgrade": "websocket"})
    assert Asking.of(request, Record(done=Done.DELIVERED), "ann") == Asking("", "ann", "", "{}", "p", True)
    request.headers.fields = ((b"x-codex-turn-metadata", b"caf\xc3\xa9 \xff"),)
    assert Asking.of(request, Record(done=Done.DELIVERED), "ann").metadata == "café \ufffd"
