"""The decision record: why each account, what upstream said, how long it took, how it ended, and no secrets."""

import json
from pathlib import Path
from typing import Any

import pytest

from accounts.choice.decision_record import DECISION, Done, read_record
from accounts.choice.outcomes import Kind, Outcome, Reply, classify
from accounts.model import Event
from accounts.store.store import Store
from accounts.turn.events import Begin, Ended, Failed, NotRenewed, Renewed
from accounts.turn.machine import Turn
from accounts.turn.state import Phase
from tests.builders import NOW, Stored, account, credentials, key_of, lease_of, planted, pool_of, turn_on
from tests.rows import all_rows

A, B = key_of("a"), key_of("b")


def told(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.detail)
    return found


def attempt(turn: Turn, outcome: Outcome, begins: float, ends: float) -> None:
    """The next attempt; those after the first begin when the one before has ended."""
    if turn.phase is Phase.NEW:
        turn.next(Begin(), NOW + begins)
    over = Ended(outcome) if outcome.kind is Kind.OK else Failed(outcome, words=True)
    turn.next(over, NOW + ends)


def test_a_request_that_went_well_is_told_in_one_line() -> None:
    turn = turn_on("a", thread="t", model="m")
    attempt(turn, Outcome(kind=Kind.OK), 0.5, 2.25)
    assert turn.record(Done.DELIVERED, NOW + 2.50049).event == Event(
        at=NOW + 2.50049,
        kind=DECISION,
        key=A,
        thread="t",
        detail=json.dumps(
            {
                "done": "delivered",
                "model": "m",
                "seconds": 2.5,
                "attempts": [
                    {
                        "account": "a",
                        "why": "it is the only one that can",
                        "kind": "ok",
                        "detail": "",
                        "seconds": 1.75,
                    }
                ],
            }
        ),
    )
    assert DECISION == "decision"


def test_every_attempt_has_its_account_its_reason_and_its_time() -> None:
    turn = turn_on("ab", model="m")
    limit = classify(Reply(status=429, error={"type": "usage_limit_reached"}), NOW)
    attempt(turn, limit, 0, 1.2345)
    attempt(turn, Outcome(kind=Kind.HEAD_TIMEOUT, detail="no answer in time"), 1.2345, 46.5)
    event = turn.record(Done.OURS, NOW + 47).event
    assert told(event)["attempts"] == [
        {
            "account": "a",
            "why": "it is the oldest of equals",
            "kind": "usage_limit",
            "detail": "429 usage_limit_reached",
            "seconds": 1.234,
        },
        {
            "account": "b",
            "why": "it is the only one that can",
            "kind": "head_timeout",
            "detail": "no answer in time",
            "seconds": pytest.approx(45.266, abs=0.001),
        },
    ]
    assert (event.key, told(event)["done"], told(event)["seconds"]) == (B, "answered by the proxy", 47.0)


def test_an_attempt_that_went_to_the_same_account_again_says_so() -> None:
    turn = turn_on("ab")
    attempt(turn, Outcome(kind=Kind.TOKEN_EXPIRED, detail="401"), 0, 1)
    turn.next(Renewed(credentials("a")), NOW + 2)
    attempt(turn, Outcome(kind=Kind.OK), 2, 5)
    made = told(turn.record(Done.DELIVERED, NOW).event)["attempts"]
    rows = [(row["account"], row["why"], row["kind"], row["seconds"]) for row in made]
    assert rows == [
        ("a", "it is the oldest of equals", "token_expired", 1.0),
        ("a", "once more", "ok", 3.0),
    ]


def test_a_renewal_that_failed_is_told_beside_the_refusal_that_led_to_it() -> None:
    turn = turn_on("ab")
    attempt(turn, Outcome(kind=Kind.TOKEN_EXPIRED), 0, 0)
    turn.next(NotRenewed(Outcome(kind=Kind.REFRESH_FAILED, detail="timeout")), NOW + 10)
    rows = told(turn.record(Done.DELIVERED, NOW).event)["attempts"]
    assert [(row["account"], row["kind"], row["detail"]) for row in rows] == [
        ("a", "token_expired", ""),
        ("a", "refresh_failed", "timeout"),
    ]


def test_a_request_that_found_nobody_is_told_without_attempts() -> None:
    turn = turn_on("", thread="t")
    event = turn.record(Done.OURS, NOW + 0.25).event
    assert (event.key, event.thread) == ("", "t")
    assert told(event) == {"done": "answered by the proxy", "model": "", "seconds": 0.25, "attempts": []}


def test_an_account_that_was_removed_meanwhile_is_told_by_its_name() -> None:
    turn = turn_on("ab")
    attempt(turn, Outcome(kind=Kind.OK), 0, 1)
    turn.pool.load(Stored((account("b"),)))
    event = turn.record(Done.DELIVERED, NOW + 1).event
    assert (event.key, told(event)["attempts"][0]["account"]) == ("", "a")


def test_going_on_upon_a_socket_is_told_like_any_attempt() -> None:
    pool = pool_of("a", "b")
    turn = turn_on(pool, thread="t")
    turn.bound = True
    turn.next(Begin(lease_of(pool, "a", thread="t")), NOW)
    turn.next(Ended(Outcome(kind=Kind.OK)), NOW + 3)
    (row,) = told(turn.record(Done.DELIVERED, NOW).event)["attempts"]
    assert (row["account"], row["why"], row["seconds"]) == ("a", "the socket's account", 3.0)


@all_rows("kind", Kind)
def test_no_record_has_a_token_in_it(kind: Kind) -> None:
    turn = turn_on("ab")
    attempt(turn, Outcome(kind=kind), 0, 1)
    shown = repr((turn.record(Done.DELIVERED, NOW), turn.log))
    assert not [secret for secret in planted(credentials(name) for name in "ab") if secret in shown]


def test_a_token_that_upstream_says_aloud_is_not_in_the_record_either(tmp_path: Path) -> None:
    """Its words are repeated only where they are plain words; what the network says is masked by the store."""
    secrets = planted([credentials("a")])
    aloud = " ".join(sorted(secrets))
    turn = turn_on("ab")
    reply = Reply(status=403, headers={"x": aloud}, error={"code": aloud, "type": aloud, "message": aloud})
    attempt(turn, classify(reply, NOW), 0, 1)
    assert not [secret for secret in secrets if secret in turn.record(Done.DELIVERED, NOW).event.detail]
    attempt(turn, Outcome(kind=Kind.RESET, detail=f"broken while sending {aloud}"), 1, 2)
    with Store(tmp_path / "home" / "pool.db") as store:
        store.put_account(account("a"), credentials("a")).result()
        store.record(turn.record(Done.PASSED_ON, NOW + 2).event).result()
        (stored,) = store.events(9)
    assert not [secret for secret in secrets if secret in stored.detail]
    assert [row["kind"] for row in told(stored)["attempts"]] == ["forbidden", "reset"]


def test_what_is_recorded_can_be_read() -> None:
    turn = turn_on("ab", thread="t", model="m")
    attempt(turn, Outcome(kind=Kind.USAGE_LIMIT, detail="429 usage_limit_reached"), 0.0, 0.5)
    attempt(turn, Outcome(kind=Kind.OK), 0.5, 2.0)
    record = read_record(turn.record(Done.DELIVERED, NOW + 2.0).event)
    assert (record.done, record.model, record.seconds, record.attempts) == (
        "delivered",
        "m",
        2.0,
        tuple(turn.log.attempts),
    )


ODD = ("", "{}", "[]", "null", "x", '{"done": "x", "model": "", "seconds": 1, "attempts": [{}]}')


@all_rows("detail", ODD)
def test_a_record_of_another_version_has_no_attempts(detail: str) -> None:
    assert read_record(Event(at=NOW, kind=DECISION, detail=detail)).attempts == ()
