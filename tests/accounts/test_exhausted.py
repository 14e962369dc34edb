"""What is told when nobody can serve, and what an explanation shows."""

from typing import Any

import pytest

from accounts.choice.explanation import explain
from accounts.choice.outcomes import Kind
from accounts.choice.selection import Ask, Exhausted, Policy, Seat, Situation
from accounts.choice.threads import Placement
from accounts.model import Standing
from tests.builders import DAY, HOUR, NOW, about, key_of, nobody, rest, seat, window

A = key_of("a")
SOFT = Kind.SERVER_ERROR


# --- nobody ----------------------------------------------------------------------------------------------------------


def test_an_empty_pool_has_nobody_and_no_time() -> None:
    assert nobody() == Exhausted()


def told(*seats: Seat, situation: Situation | None = None) -> tuple[float | None, bool, str, str]:
    """When somebody returns (seconds from now), whether upstream's limits are the reason, whose plan, which rule."""
    answer = nobody(*seats, about=situation)
    seconds = None if answer.resets_at is None else answer.resets_at - NOW
    return seconds, answer.limited, answer.plan, answer.rule


SPENT = seat("a", cooldown=rest(900), plan="pro")
KEPT = seat("b", windows=(window(90),), reserve_percent=20, plan="plus")


@pytest.mark.parametrize(
    ("seats", "situation", "expected"),
    [
        ([SPENT], about(), (900, True, "pro", "")),
        ([SPENT, seat("b", cooldown=rest(60), plan="plus")], about(), (60, True, "plus", "")),
        ([SPENT, seat("b", enabled=False)], about(), (900, True, "pro", "")),
        ([SPENT, seat("b", cooldown=rest(5), enabled=False)], about(), (900, True, "pro", "")),
        ([SPENT, seat("b", cooldown=rest(5), standing=Standing.NEEDS_LOGIN)], about(), (900, True, "pro", "")),
        ([SPENT, seat("b", cooldown=rest(5), standing=Standing.DEACTIVATED)], about(), (900, True, "pro", "")),
        ([SPENT], about(tried=frozenset({A})), (900, True, "pro", "")),
        ([seat("a", cooldown=rest(900, SOFT))], about(tried=frozenset({A})), (None, False, "", "")),
        ([seat("a", enabled=False)], about(), (None, False, "", "")),
        ([SPENT, seat("b", cooldown=rest(950))], about(policy=Policy(pin=A)), (900, True, "pro", "")),
        ([SPENT, seat("b", cooldown=rest(950))], about(Placement(home=A, owner=A)), (900, True, "pro", "")),
        ([KEPT], about(), (HOUR, False, "plus", "reserved")),
        ([SPENT, KEPT], about(), (900, True, "pro", "reserved")),
        ([SPENT, seat("b")], about(policy=Policy(pin=A)), (900, True, "pro", "pinned")),
        ([seat("a", enabled=False), seat("b")], about(policy=Policy(pin=A)), (None, False, "", "pinned")),
        ([seat("a"), seat("b")], about(policy=Policy(pin="gone:gone")), (None, False, "", "pinned")),
        ([SPENT, seat("b")], about(Placement(home=A, owner=A)), (900, True, "pro", "compaction")),
        ([seat("a", refuses=frozenset({"m"}))], about(model="m"), (None, False, "", "model")),
        ([SPENT, seat("b", refuses=frozenset({"m"}))], about(model="m"), (900, True, "pro", "")),
    ],
    ids=[
        "at its limit",
        "the soonest",
        "the other one is paused",
        "a pause is not waited for",
        "a login is not waited for",
        "a closed account is not waited for",
        "tried, and at its limit",
        "tried, and only tired",
        "paused",
        "all are at their limits, the pinned one too",
        "all are at their limits, the owner of the summary too",
        "reserved",
        "at its limit beside a reserve",
        "the pinned one is at its limit",
        "the pinned one is paused",
        "the pinned one is gone",
        "the owner of the summary is at its limit",
        "the model is for nobody",
        "at its limit beside one without the model",
    ],
)
def test_what_is_told_when_nobody_can_serve(
    seats: list[Seat], situation: Situation, expected: tuple[float | None, bool, str, str]
) -> None:
    assert told(*seats, situation=situation) == expected
    assert told(*reversed(seats), situation=situation) == expected


def test_every_account_has_its_reason() -> None:
    answer = nobody(SPENT, seat("b", enabled=False), seat("c"), about=about(tried=frozenset({key_of("c")})))
    assert answer.reasons == {"a": "resting: usage_limit", "b": "paused", "c": "already tried for this request"}


@pytest.mark.parametrize(
    ("seats", "rule"),
    [
        ([seat("a", cooldown=rest(), enabled=False)], ""),
        ([seat("a", cooldown=rest(), standing=Standing.NEEDS_LOGIN)], ""),
        ([seat("a", cooldown=rest(), enabled=False), seat("b", refuses=frozenset({"m"}))], "model"),
    ],
    ids=["paused", "needs login", "beside one without the model"],
)
def test_the_limit_of_an_account_that_is_out_anyway_is_no_limit_of_the_pool(seats: list[Seat], rule: str) -> None:
    assert told(*seats, situation=about(model="m")) == (None, False, "", rule)


@pytest.mark.parametrize(
    ("changes", "situation"),
    [
        ({"windows": (window(90, DAY),), "reserve_percent": 20}, about()),
        ({"refuses": frozenset({"m"})}, about(model="m")),
    ],
    ids=["reserved", "model"],
)
def test_an_account_is_not_waited_for_that_cannot_serve_after_its_rest(
    changes: dict[str, Any], situation: Situation
) -> None:
    early = seat("b", cooldown=rest(60), **changes)
    assert told(SPENT, early, situation=situation)[0] == 900


# --- explaining ------------------------------------------------------------------------------------------------------


def test_an_explanation_has_every_account_the_best_first_and_those_who_are_out_by_name() -> None:
    seats = [seat("d", enabled=False), seat("c", cooldown=rest()), seat("b"), seat("a", in_flight=1)]
    situation = about()
    explanation = explain({each.account.key: each for each in seats}, situation)
    assert [each.seat.account.label for each in explanation.candidates] == ["b", "a", "c", "d"]
    assert [each.barred.text if each.barred else "" for each in explanation.candidates] == [
        "",
        "",
        "resting: usage_limit",
        "paused",
    ]
    assert [each.rank is None for each in explanation.candidates] == [False, False, True, True]
    assert [each.score for each in explanation.candidates] == [
        pytest.approx(each) for each in (1 / 2, 1 / 3, 1 / 2, 1 / 2)
    ]


def test_an_explanation_of_an_empty_pool_is_empty() -> None:
    explanation = explain({}, Situation(now=NOW, ask=Ask()))
    assert (explanation.choice, explanation.candidates) == (Exhausted(), ())
