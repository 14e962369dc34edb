"""What the accounts have done in the last hours, from made-up histories."""

import json
from typing import Any

from accounts.choice.decision_record import DECISION, Done
from accounts.choice.outcomes import Kind
from accounts.ledger.records import TurnRecord
from accounts.model import Event
from accounts.turn.moves import CONTINUES
from accounts.views.timeline import GAP_SECONDS, AccountTimeline, Mark, Rotation, ServingSpan, Timeline, timeline
from tests.builders import HOUR, NOW, key_of

LABELS = {key_of("a"): "a", key_of("b"): "b"}
SINCE = NOW - HOUR


def attempt(account: str, seconds: float = 1.0, kind: str = Kind.OK, detail: str = "", why: str = "rested") -> Any:
    return {"account": account, "why": why, "kind": kind, "detail": detail, "seconds": seconds}


def decided(at: float, *attempts: Any, thread: str = "t", done: str = Done.DELIVERED, seconds: float = 0.0) -> Event:
    """A turn that was over so many seconds after SINCE."""
    took = seconds or sum(each["seconds"] for each in attempts)
    told = {"done": str(done), "model": "gpt", "seconds": took, "person": "ann", "attempts": list(attempts)}
    return Event(at=SINCE + at, kind=DECISION, key="", thread=thread, detail=json.dumps(told))


def told(*events: Event, turns: tuple[TurnRecord, ...] = ()) -> Timeline:
    """`events` in the order of time."""
    return timeline(events[::-1], SINCE, NOW, LABELS, turns)


def of(line: Timeline, account: str) -> AccountTimeline:
    (found,) = [each for each in line.accounts if each.account == account]
    return found


def spans(line: Timeline, account: str) -> list[tuple[float, float, int]]:
    return [(each.began - SINCE, each.ended - SINCE, each.turns) for each in of(line, account).spans]


def test_every_account_of_the_pool_has_a_line_in_its_order() -> None:
    assert told().accounts == (AccountTimeline(account="a"), AccountTimeline(account="b"))
    assert [each.account for each in told(decided(10, attempt("gone"))).accounts] == ["a", "b", "gone"]


def test_an_account_serves_from_when_it_was_asked() -> None:
    assert told(decided(10, attempt("a", 4.0))).accounts[0].spans == (
        ServingSpan(began=SINCE + 6, ended=SINCE + 10, turns=1),
    )


def test_turns_that_are_close_are_one_span() -> None:
    later = 20 + GAP_SECONDS + 1
    line = told(decided(10, attempt("a", 4.0)), decided(20, attempt("a", 8.0)), decided(later + 1, attempt("a", 1.0)))
    assert spans(line, "a") == [(6, 20, 2), (later, later + 1, 1)]


def test_a_rotation_has_its_reason_its_time_and_what_it_took() -> None:
    refused, served = attempt("a", 2.0, Kind.USAGE_LIMIT, "resets in 900 s"), attempt("b", 5.0, why="next best")
    line = told(decided(10, refused, served))
    assert line.rotations == (
        Rotation(
            at=SINCE + 5,
            left="a",
            taken="b",
            thread="t",
            person="ann",
            model="gpt",
            kind=Kind.USAGE_LIMIT,
            said="resets in 900 s",
            why="next best",
            asked=line.rotations[0].asked,
            done=Done.DELIVERED,
            seconds=2.0,
        ),
    )
    assert [each.account for each in line.rotations[0].asked] == ["a", "b"]
    assert line.rotations[0].reason == "usage limit"
    assert (of(line, "a").rotations, of(line, "b").rotations) == (line.rotations, ())
    assert (spans(line, "a"), spans(line, "b")) == ([], [(5, 10, 1)])


def test_an_answer_that_went_on_elsewhere_was_served_by_both() -> None:
    first, second = attempt("a", 6.0, Kind.RESET), attempt("b", 3.0, why=f"{CONTINUES} 12 events")
    line = told(decided(10, first, second, done=Done.CONTINUED))
    assert (spans(line, "a"), spans(line, "b")) == ([(1, 7, 1)], [(7, 10, 1)])


def test_the_client_of_a_turn_that_was_cut_was_served_until_then() -> None:
    for done, kind in (
        (Done.COMPLETED, Kind.RESET),
        (Done.STALLED, Kind.STALLED),
        (Done.CLIENT_LEFT, Kind.CLIENT_GONE),
    ):
        assert spans(told(decided(10, attempt("a", 6.0, kind), done=done)), "a") == [(4, 10, 1)]
    assert spans(told(decided(10, attempt("a", 6.0, Kind.SERVER_ERROR), done=Done.PASSED_ON)), "a") == []


def test_the_next_turn_of_a_thread_on_another_account_is_a_rotation() -> None:
    line = told(decided(10, attempt("a")), decided(20, attempt("b", why="a rests")))
    (only,) = line.rotations
    assert (only.left, only.taken, only.kind, only.said, only.reason, only.seconds) == ("a", "b", "", "", "a rests", 0)
    other = told(decided(10, attempt("a"), thread="one"), decided(20, attempt("b"), thread="other"))
    nameless = told(decided(10, attempt("a"), thread=""), decided(20, attempt("b"), thread=""))
    assert (other.rotations, nameless.rotations) == ((), ())


def test_a_client_that_was_told_to_reconnect_left_for_what_had_failed() -> None:
    left = decided(10, attempt("a", 3.0, Kind.USAGE_LIMIT, "gone till noon"), done=Done.RECONNECTS)
    (only,) = told(left, decided(20, attempt("b"))).rotations
    assert (only.kind, only.said, only.seconds) == (Kind.USAGE_LIMIT, "gone till noon", 3.0)


def test_a_client_that_went_away_is_no_account_s_failure() -> None:
    left = decided(10, attempt("a", 3.0, Kind.CLIENT_GONE), done=Done.CLIENT_LEFT)
    (only,) = told(left, decided(20, attempt("b", why="a rests"))).rotations
    assert (only.kind, only.reason) == ("", "a rests")


def test_what_it_cost_is_what_the_ledger_says_of_the_turn() -> None:
    two = decided(10, attempt("a", 1.0, Kind.OVERLOADED), attempt("b", 1.0, Kind.OVERLOADED), attempt("a", 1.0))
    record = TurnRecord(when=two.at, thread="t", cold=700)
    assert [each.cold for each in told(two, turns=(record,)).rotations] == [0, 700]
    other = TurnRecord(when=two.at, thread="another", cold=700)
    assert [each.cold for each in told(two, turns=(other,)).rotations] == [None, None]


def test_only_these_hours_are_shown_and_earlier_ones_count_for_what_was_before() -> None:
    line = told(
        decided(-20, attempt("a", 10.0, Kind.OVERLOADED), attempt("b", 1.0)),
        decided(5, attempt("b", 30.0)),
        decided(50, attempt("a", 1.0)),
        decided(HOUR + 5, attempt("b", 1.0)),
    )
    assert spans(line, "b") == [(0, 5, 1)]
    assert [(each.left, each.taken) for each in line.rotations] == [("b", "a")]


def test_what_else_happened_to_an_account_is_marked() -> None:
    paused = Event(at=SINCE + 5, kind="paused", key=key_of("a"))
    early, foreign = (
        Event(at=SINCE - 5, kind="paused", key=key_of("a")),
        Event(at=SINCE + 6, kind="removed", key="gone"),
    )
    limit = Event(at=SINCE + 7, kind=Kind.USAGE_LIMIT, key=key_of("a"), detail="full")
    line = told(early, paused, foreign, limit)
    assert of(line, "a").marks == (
        Mark(at=SINCE + 5, kind="paused"),
        Mark(at=SINCE + 7, kind=Kind.USAGE_LIMIT, detail="full"),
    )
    assert of(line, "b").marks == ()


def test_a_record_of_another_version_is_passed_over() -> None:
    odd = Event(at=SINCE + 5, kind=DECISION, thread="t", detail="in other words")
    line = told(decided(3, attempt("a")), odd, decided(9, attempt("a")))
    assert (line.rotations, spans(line, "a")) == ((), [(2, 9, 2)])


def test_times_that_do_not_fit_together_stay_within_the_turn() -> None:
    """The clock was set, or an attempt took longer than its turn."""
    line = told(decided(10, attempt("a", 500.0, Kind.OVERLOADED), attempt("b", -3.0), seconds=4.0))
    assert [each.at for each in line.rotations] == [SINCE + 10]
    assert spans(line, "b") == [(10, 10, 1)]
